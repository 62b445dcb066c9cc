"""What an instrument is: a venue and the venue's own symbol."""

import msgspec


class Instrument(msgspec.Struct, frozen=True):
    """One instrument, as the catalogue knows it.

    Attributes:
        id: row on the board.
        venue: for example ``binance-usdm``.
        symbol: the venue's native symbol, for example ``BTCUSDT``.
    """

    id: int
    venue: str
    symbol: str

    @property
    def key(self) -> str:
        """``venue:symbol``, the identity that users see and signals carry."""
        return f"{self.venue}:{self.symbol}"
