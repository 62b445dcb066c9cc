"""What a venue's market looks like from here, whichever way it came: by a stream, or fetched."""

from tickfloor.board.row import Field
from tickfloor.feeds.publishing.publisher import MarketPublisher


class SeenMarket:
    """One venue's market as it is published. Times are the venue's, ns UTC."""

    def __init__(self, publisher: MarketPublisher) -> None:
        self._publisher = publisher

    def newest_trade_ns(self, symbol: str) -> int:
        """Return when the newest trade that is known of a symbol was made; 0: none is."""
        writer = self._publisher.known(symbol)
        last_us = 0.0 if writer is None else writer.row[Field.LAST_US]
        return int(last_us) * 1_000 if last_us > 0 else 0

    @property
    def ahead_ns(self) -> int | None:
        """How far the venue's clock is ahead of ours, at least; None before the first record."""
        return self._publisher.clock.ahead_ns
