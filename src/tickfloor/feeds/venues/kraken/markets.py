"""All instruments of the venue, as every connection of it shares them."""

from collections.abc import Sequence

from tickfloor.contracts.errors import BoardFullError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import BacklogTrade, StreamKey
from tickfloor.feeds.venues.kraken.frames import Candle
from tickfloor.feeds.venues.kraken.market import Market
from tickfloor.feeds.venues.metadata import Metadata

NO_ROW = "frames of instruments without a board row"


class Markets:
    """Opens instruments with the first valid frame of theirs, and keeps what has been seen of them.

    Attributes:
        publisher: publishes the venue.
        audit: given every new trade's wire text; None live.
        joined: the instruments whose trades are watched for missing ids, by symbol.
        heard: receive time of the newest frame of each stream, ns UTC.
        candles: the venue's own bars as last seen, by symbol and minutes; they only cross-check ours.
        ignored: what was received whole and not used, by reason.
        refused: symbols that the board had no row for.
    """

    def __init__(self, publisher: MarketPublisher, joins: TradeJoins, audit: Audit | None) -> None:
        self.publisher = publisher
        self.audit = audit
        self.joined: dict[str, Market] = {}
        self.heard: dict[StreamKey, int] = {}
        self.candles: dict[tuple[str, int], Candle] = {}
        self.ignored: dict[str, int] = {}
        self.refused: set[str] = set()
        self._joins = joins
        self._markets: dict[str, Market] = {}
        self._metadata: dict[str, Metadata] = {}

    @property
    def opened(self) -> dict[str, Market]:
        """The instruments that have a row, by symbol."""
        return self._markets

    def market(self, symbol: str) -> Market | None:
        """Return an instrument, or None where the board has no row for it, which is counted."""
        market = self._markets.get(symbol)
        if market is None and symbol not in self.refused:
            market = self._open(symbol)
        if market is None:
            self.ignore(NO_ROW)
        return market

    def trading(self, symbol: str) -> Market | None:
        """Return an instrument as :meth:`market` does, its trades watched for missing ids from now on."""
        market = self.market(symbol)
        if market is not None and symbol not in self.joined:
            self.joined[symbol] = market
            self._joins.watch(market.writer)
        return market

    def backlog(self, symbol: str, trades: Sequence[BacklogTrade], recv_ns: int, *, streamed: bool) -> None:
        """Take in consecutive trades that may fill a hole: from a REST answer, or streamed as a snapshot."""
        market = self.trading(symbol)
        if market is not None and trades:
            newest = max(trade.trade_id for trade in trades)
            self._joins.backlog(market.writer, trades, recv_ns, newest, streamed=streamed)

    def describe(self, symbol: str, metadata: Metadata) -> None:
        """Note what the venue says of an instrument."""
        self._metadata[symbol] = metadata
        market = self._markets.get(symbol)
        if market is not None:
            market.writer.describe(*metadata)

    def ignore(self, reason: str) -> None:
        """Count something that is not used."""
        self.ignored[reason] = self.ignored.get(reason, 0) + 1

    def _open(self, symbol: str) -> Market | None:
        try:
            writer = self.publisher.open(symbol)
        except BoardFullError:
            self.refused.add(symbol)
            return None
        market = self._markets[symbol] = Market(writer)
        metadata = self._metadata.get(symbol)
        if metadata is not None:
            writer.describe(*metadata)
        return market
