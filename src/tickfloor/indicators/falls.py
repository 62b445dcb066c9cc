"""For how many bars in a row a value fell."""

from tickfloor.indicators.run import Run


class Falls(Run):
    """Bars in a row, this one included, at which the value fell."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(-1.0)
