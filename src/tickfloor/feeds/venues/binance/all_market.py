"""Streams of all of a venue's symbols at once; they serve the instruments that are open."""

from typing import Final

from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venues.binance import handlers, streams
from tickfloor.feeds.venues.binance.frames import BookTicker, MiniTicker, Ticker, time_ns
from tickfloor.feeds.venues.binance.handlers import Handler
from tickfloor.feeds.venues.binance.instruments import Instruments

NOT_OPEN: Final = "not_open"
"""Counts what all-market streams say of instruments that are not open."""
COIN_M_SYMBOL: Final = 2
"""``st`` of a COIN-M symbol among USD-M ones."""


class AllMarket:
    """Takes in one market's all-market streams."""

    def __init__(self, instruments: Instruments, publisher: MarketPublisher) -> None:
        self._instruments = instruments
        self._publisher = publisher

    def handler(self, kind: str) -> Handler | None:
        """Return the handler of a stream, or None for a kind that is not used."""
        if kind == streams.BOOK_TICKER:
            return self._on_book_ticker
        if kind == streams.TICKER:
            return lambda recv_ns, payload: self._on_tickers(recv_ns, handlers.TICKER_ARRAYS.decode(payload).data)
        if kind == streams.MINI_TICKER:
            return lambda recv_ns, payload: self._on_tickers(recv_ns, handlers.MINI_TICKER_ARRAYS.decode(payload).data)
        return None

    def _on_book_ticker(self, recv_ns: int, payload: bytes) -> None:
        data = handlers.BOOK_TICKERS.decode(payload).data
        writer = self._served(data)
        if writer is not None:
            handlers.publish_book_ticker(writer, self._instruments.quotes(data.s), recv_ns, data)

    def _on_tickers(self, recv_ns: int, items: list[Ticker] | list[MiniTicker]) -> None:
        for data in items:
            self._publisher.check_time(time_ns(data.E), recv_ns)
        for data in items:
            writer = self._served(data)
            if writer is not None:
                handlers.publish_ticker(writer, recv_ns, data)

    def _served(self, data: BookTicker | Ticker | MiniTicker) -> InstrumentWriter | None:
        """Return the writer of an item's instrument if it is open and of this venue."""
        # USD-M arrays hold COIN-M symbols too; on COIN-M itself every item is one.
        other_venue = data.st == COIN_M_SYMBOL and self._publisher.venue == "binance-usdm"
        writer = None if other_venue else self._publisher.known(data.s)
        if writer is None:
            self._instruments.ignored[NOT_OPEN] += 1
        return writer
