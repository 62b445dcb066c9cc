"""For how many bars in a row a value rose."""

from tickfloor.indicators.run import Run


class Rises(Run):
    """Bars in a row, this one included, at which the value rose."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(1.0)
