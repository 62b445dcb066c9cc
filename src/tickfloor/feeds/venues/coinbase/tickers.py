"""Best prices and 24 h statistics of ``ticker`` frames.

Such a frame has no time but that of its sending, which is up to 0.1 s ahead of the trades that are sent after it:
believed, it would close their minute before them. So the newest time of a trade or a book stands for it.
"""

import math
from typing import Final, NamedTuple

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.instrument_writer import NO_TIME
from tickfloor.feeds.venues.coinbase.frames import Ticker, Tickers
from tickfloor.feeds.venues.coinbase.products import NO_ROW, ProductFeed, ProductFeeds

MOST: Final = 1e24


class Statistics(NamedTuple):
    """A ticker's statistics, as an instrument's writer takes them; NaN where the venue says nothing."""

    prices: tuple[float, float, float, float]
    volumes: tuple[float, float, float]


class CheckedTicker(NamedTuple):
    """A ticker in which nothing can be refused any more; statistics only if they have changed."""

    feed: ProductFeed
    quote: tuple[float, float, float, float]
    statistics: Statistics | None
    written: tuple[str, ...]


class TickerStreams:
    """Publishes best prices, and statistics where they have changed."""

    def __init__(self, products: ProductFeeds) -> None:
        self._products = products

    def on_frame(self, recv_ns: int, frame: Tickers) -> None:
        """Take in a frame.

        Raises:
            FrameError: it cannot be; nothing of it was applied.
        """
        checked = [self._checked(ticker) for event in frame.events for ticker in event.tickers]
        heard = self._products.heard
        for feed, quote, statistics, written in checked:
            heard[feed.quotes] = heard[feed.tickers] = recv_ns
            writer = feed.writer
            if writer is None:
                self._products.left_out[NO_ROW] += 1
                continue
            writer.quote(NO_TIME, recv_ns, *quote)
            if statistics is not None:
                feed.statistics = written
                writer.stats(NO_TIME, recv_ns, *statistics)

    def _checked(self, ticker: Ticker) -> CheckedTicker:
        quote = quote_of(ticker)
        feed = self._products.of(ticker.product_id)
        written = (ticker.price_percent_chg_24_h, ticker.high_24_h, ticker.low_24_h, ticker.volume_24_h)
        return CheckedTicker(feed, quote, None if written == feed.statistics else statistics_of(ticker), written)


def quote_of(ticker: Ticker) -> tuple[float, float, float, float]:
    """Return the best bid and ask with their sizes; NaN for a side that is empty.

    Raises:
        FrameError: one is no number, or cannot be.
    """
    bid, bid_size = _positive(ticker.best_bid), _positive(ticker.best_bid_quantity)
    ask, ask_size = _positive(ticker.best_ask), _positive(ticker.best_ask_quantity)
    return bid, math.nan if math.isnan(bid) else bid_size, ask, math.nan if math.isnan(ask) else ask_size


def statistics_of(ticker: Ticker) -> Statistics:
    """Return the 24 h statistics. The price of 24 h ago is computed from the last one and the change.

    Raises:
        FrameError: one is no number, or cannot be.
    """
    price, high, low = _positive(ticker.price), _positive(ticker.high_24_h), _positive(ticker.low_24_h)
    change = _number(ticker.price_percent_chg_24_h)
    # As exact as its neighbours are written: what floats add behind that would pass for the venue's decimals.
    decimals = max(len(text.partition(".")[2]) for text in (ticker.price, ticker.high_24_h, ticker.low_24_h))
    before = round(price / (1.0 + change / 100.0), decimals) if change > -100.0 else math.nan
    return Statistics((before, high, low, change), (_number(ticker.volume_24_h), math.nan, math.nan))


def _positive(text: str) -> float:
    """Return a price or a size; NaN where there is none, which is empty or 0."""
    value = _number(text)
    if value < 0.0:
        raise FrameError(f"{text[:32]} is neither a price nor a size")
    return value or math.nan


def _number(text: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError as error:
        raise FrameError(f"{text[:32]!r} is not a number") from error
    if not -MOST < value < MOST:
        raise FrameError(f"{text[:32]} cannot be")
    return value
