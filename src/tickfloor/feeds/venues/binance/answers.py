"""REST answers: book snapshots, metadata, and trades that the stream has missed."""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec.json import Decoder

from tickfloor.contracts.records import Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.instrument_writer import MAX_LATE_NS, NO_TIME
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import BacklogTrade, Repairs
from tickfloor.feeds.venues.binance import streams
from tickfloor.feeds.venues.binance.book_sync import Outcome
from tickfloor.feeds.venues.binance.frames import (
    AggTradeRow,
    AggTradeRowText,
    DepthSnapshot,
    ExchangeInfo,
    TradeRow,
    TradeRowText,
    time_ns,
)
from tickfloor.feeds.venues.binance.handlers import TO_FETCH, WITHOUT_BOOK, check_book_time
from tickfloor.feeds.venues.binance.instruments import REFUSED, Instruments

UNUSED: Final = "unused_answer"
OTHER_TRADES: Final = "answer_of_other_trades"
OLD_TRADES: Final = "old_trade"
MOST_AGGREGATED: Final = 1_000_000_000
"""Trades in one aggregate."""
DEFAULT_LEVELS: Final = 100
"""Of each side of a book, at least, where it was not said how many were asked for."""
OLDEST_NS: Final = MAX_LATE_NS - 60_000_000_000
"""A trade further behind the venue's time is left out; a minute before the writer would refuse it."""

_CAPTURED_SNAPSHOT: Final = "REST-depth:"
_SNAPSHOTS = Decoder(DepthSnapshot, strict=False)
_EXCHANGE_INFOS = Decoder(ExchangeInfo)
_AGG_TRADES = Decoder(list[AggTradeRow], strict=False)
_AGG_TRADE_TEXTS = Decoder(list[AggTradeRowText])
_TRADES = Decoder(list[TradeRow], strict=False)
_TRADE_TEXTS = Decoder(list[TradeRowText])


class Answers:
    """Takes in one market's REST answers."""

    def __init__(
        self, instruments: Instruments, publisher: MarketPublisher, joins: TradeJoins, repairs: Repairs
    ) -> None:
        self._instruments = instruments
        self._publisher = publisher
        self._joins = joins
        self._repairs = repairs

    def take(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in an answer; one that is of no use is counted.

        Args:
            ref: its URL, or the path and query of it, or ``REST-depth:SYMBOL``.

        Raises:
            FrameError: it does not say what its kind promises; nothing of it was applied.
            ValueError: as above, msgspec's errors included.
        """
        if ref.startswith(_CAPTURED_SNAPSHOT):
            self._on_snapshot(recv_ns, ref.removeprefix(_CAPTURED_SNAPSHOT), body, DEFAULT_LEVELS)
            return
        url = urlsplit(ref)
        query = parse_qs(url.query)
        symbol = query.get("symbol", [""])[0]
        what = url.path.rpartition("/")[2]
        if what == "depth":
            self._on_snapshot(recv_ns, symbol, body, int(query["limit"][0]) if "limit" in query else DEFAULT_LEVELS)
        elif what == "exchangeInfo":
            self._instruments.describe(_EXCHANGE_INFOS.decode(body).symbols)
        elif what in _TRADE_BODIES:
            first_id = int(query["fromId"][0]) if "fromId" in query else None
            self._on_trades(recv_ns, symbol, what, body, first_id)
        else:
            self._instruments.ignored[UNUSED] += 1

    def _on_snapshot(self, recv_ns: int, symbol: str, body: bytes, most: int) -> None:
        """Begin a book.

        Args:
            most: levels that each side could have had; one that has fewer is whole.
        """
        streams.checked_symbol(symbol)
        data = _SNAPSHOTS.decode(body)
        if data.symbol is not None and data.symbol != symbol:
            raise FrameError(f"snapshot of {data.symbol[:48]!r} in the answer for {symbol}")
        ts_event = time_ns(data.E) if data.E else NO_TIME
        check_book_time(self._publisher, ts_event or recv_ns, recv_ns)
        writer = self._instruments.open(symbol)
        if writer is None:
            self._instruments.ignored[REFUSED] += 1
            return
        sync = self._instruments.book(symbol)
        applied = sync.applied
        outcome = sync.on_snapshot(data.lastUpdateId, data.bids, data.asks, most=most)
        if outcome in TO_FETCH:
            self._repairs.book(symbol)
        if outcome in WITHOUT_BOOK:
            writer.book_gap(NO_TIME, recv_ns)
        elif outcome is Outcome.APPLIED or outcome is Outcome.THIN:
            for price, size in (*data.bids, *data.asks):
                writer.learn_decimals(price, size)
            writer.book(sync.ts_event if sync.applied > applied else ts_event, recv_ns, sync.book, sync.update_id)

    def _on_trades(self, recv_ns: int, symbol: str, what: str, body: bytes, first_id: int | None) -> None:
        """Hand trades to the join.

        Args:
            first_id: they were asked for from this one on, so what the answer leaves out does not exist.
        """
        streams.checked_symbol(symbol)
        kind, read = _TRADE_BODIES[what]
        trades = read(body)
        if kind != self._instruments.trade_kind(symbol):
            self._instruments.ignored[OTHER_TRADES] += 1
            return
        newest_ns = self._publisher.venue_ns or recv_ns
        young = [trade for trade in trades if trade.ts_event > newest_ns - OLDEST_NS]
        self._instruments.ignored[OLD_TRADES] += len(trades) - len(young)
        if young:
            self._publisher.check_time(max(trade.ts_event for trade in young), recv_ns)
        elif symbol not in self._instruments.trade_kinds:
            return
        writer = self._instruments.open_trades(symbol, kind)
        if writer is None:
            self._instruments.ignored[REFUSED] += 1
            return
        complete_to = None if first_id is None else max((trade.trade_id for trade in trades), default=None)
        self._joins.backlog(writer, young, recv_ns, complete_to, complete_from=first_id)


def _aggregates(body: bytes) -> list[BacklogTrade]:
    found = []
    for row, text in zip(_AGG_TRADES.decode(body), _AGG_TRADE_TEXTS.decode(body), strict=True):
        count = row.l - row.f + 1
        if not 0 < count < MOST_AGGREGATED:
            raise FrameError(f"aggregate of the trades {row.f} to {row.l}")
        found.append(BacklogTrade(time_ns(row.T), row.p, row.q, _side(row.m), row.a, count, text.p, text.q))
    return found


def _trades(body: bytes) -> list[BacklogTrade]:
    return [
        BacklogTrade(
            time_ns(row.time), row.price, row.qty, _side(row.isBuyerMaker), row.id, 1, text.price, text.qty
        )
        for row, text in zip(_TRADES.decode(body), _TRADE_TEXTS.decode(body), strict=True)
    ]  # fmt: skip


def _side(buyer_was_maker: bool) -> int:
    return int(Side.SELL if buyer_was_maker else Side.BUY)


_TRADE_BODIES: dict[str, tuple[str, Callable[[bytes], list[BacklogTrade]]]] = {
    "aggTrades": (streams.AGG_TRADE, _aggregates),
    "trades": (streams.TRADE, _trades),
    "historicalTrades": (streams.TRADE, _trades),
}
