"""A seeded market in Binance spot's combined-stream JSON, for the demo: no network, the adapter's own food.

Prices follow correlated random walks on the tick grid: a common factor, one of their own, and now and then a burst
of volatility with a drift, so that rules fire. Everything follows from the seed, the start and the settings.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from random import Random
from typing import Final

from tickfloor.feeds.merge import MergedFrame

REF: Final = "simulated"
EXCHANGE_INFO: Final = "simulated:///api/v3/exchangeInfo"

BASES: Final = {
    "BTC": 61_800.0, "ETH": 2_680.0, "BNB": 505.0, "SOL": 155.0, "XRP": 0.612, "DOGE": 0.1057, "ADA": 0.3441,
    "AVAX": 22.4, "LINK": 10.32, "DOT": 4.71, "LTC": 61.2, "BCH": 348.0, "UNI": 6.04, "ATOM": 4.88, "NEAR": 4.02,
    "APT": 5.71, "ARB": 0.573, "OP": 1.402, "INJ": 18.9, "FIL": 3.61, "ETC": 19.4, "XLM": 0.1003, "ALGO": 0.1239,
    "AAVE": 104.6, "SUI": 0.871, "SEI": 0.286, "TIA": 5.43, "RUNE": 3.47, "GRT": 0.1431, "SAND": 0.2532,
    "MANA": 0.2663, "AXS": 4.77, "EGLD": 26.8, "FTM": 0.3372, "THETA": 1.163, "KAVA": 0.317, "CRV": 0.2637,
    "SNX": 1.297, "COMP": 44.1, "DYDX": 0.957, "ENJ": 0.1434, "CHZ": 0.0543, "ZEC": 33.7, "DASH": 22.9,
    "XTZ": 0.661, "NEO": 9.17, "IOTA": 0.1227, "QTUM": 2.117, "ZIL": 0.01375, "BAT": 0.1576,
}  # fmt: skip
"""Bases with a plausible price in USDT."""
EUR_IN_USDT: Final = 1.092

NS: Final = 1_000_000_000
TICKER_EVERY_NS: Final = NS
TRADE_SHARE: Final = 0.45
OWN_MOVE: Final = 0.0010
COMMON_MOVE: Final = 0.0005
"""Standard deviation of a minute's relative price change, an instrument's own and everybody's."""
BURST_MOVE: Final = 0.008
BURST_SECONDS: Final = 20.0
BURST_EVERY_SECONDS: Final = 600.0
"""A burst of volatility: its relative drift, its length and the mean time between two of one instrument."""


@dataclass(slots=True)
class _Instrument:
    """One simulated instrument; prices count ticks, quantities count lots."""

    symbol: str
    stream: bytes
    price_decimals: int
    qty_decimals: int
    spread_ticks: int
    lot_scale: float
    mid: float
    open_price: float
    open_ns: int
    sensitivity: float
    steps_per_second: float
    high: float
    low: float
    volume: float
    quote_volume: float
    trades: int
    trade_id: int
    update_id: int
    burst: int = 0
    drift: float = 0.0
    common: float = 0.0
    ticker_due_ns: int = 0


class SimulatedMarket:
    """An endless market; iterate for frames in due order, as from :func:`tickfloor.feeds.merge.merge`.

    The first item is an exchangeInfo body. Whoever runs it live waits until a frame's receive time. Iterating
    again begins again with the same frames.
    """

    def __init__(self, *, seed: int, start_ns: int, instruments: int = 100, ticks_per_second: float = 2_000.0) -> None:
        """Choose the market.

        Args:
            start_ns: receive time of the first frame, ns UTC.
            ticks_per_second: trades and quotes together, over all instruments; 24 h statistics come besides.

        Raises:
            ValueError: there are not so many symbols, or the rate is not positive.
        """
        if not 1 <= instruments <= len(_SYMBOLS):
            raise ValueError(f"instruments must be 1 to {len(_SYMBOLS)}, not {instruments}")
        if not (ticks_per_second > 0 and math.isfinite(ticks_per_second)):
            raise ValueError(f"ticks_per_second must be positive, not {ticks_per_second}")
        self.seed = seed
        self.start_ns = start_ns
        self.instruments = instruments
        self.ticks_per_second = ticks_per_second

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments' symbols, most traded first."""
        return tuple(symbol for symbol, _, _ in _SYMBOLS[: self.instruments])

    def __iter__(self) -> Iterator[MergedFrame]:
        random = Random(self.seed)  # noqa: S311 - a market, not a secret
        return _frames(random, self.start_ns, self.instruments, self.ticks_per_second)


def _frames(random: Random, start_ns: int, instruments: int, ticks_per_second: float) -> Iterator[MergedFrame]:
    # Few instruments make most of the trades, as on a real venue.
    weights = [1.0 / (rank + 4.0) for rank in range(instruments)]
    cumulative = list(accumulate(weights))
    rates = [ticks_per_second * weight / cumulative[-1] for weight in weights]
    market = [
        _new_instrument(random, *each, rate, start_ns) for each, rate in zip(_SYMBOLS[:instruments], rates, strict=True)
    ]
    line = 1
    yield start_ns, 0, "H", EXCHANGE_INFO, _exchange_info(market), line
    uniform, gauss, choose = random.random, random.gauss, random.choices
    mean_gap_ns = NS / ticks_per_second
    common, common_step = 0.0, COMMON_MOVE / math.sqrt(60.0 * ticks_per_second)
    elapsed_ns = 0.0
    while True:
        for each in choose(market, cum_weights=cumulative, k=64):
            elapsed_ns -= math.log(1.0 - uniform()) * mean_gap_ns
            recv_ns = start_ns + int(elapsed_ns)
            common += gauss(0.0, common_step)
            _step(each, uniform(), gauss(0.0, 1.0), common)
            line += 1
            if uniform() < TRADE_SHARE:
                yield recv_ns, 0, "F", REF, _trade(each, recv_ns, uniform(), gauss(0.0, 1.0)), line
            else:
                yield recv_ns, 0, "F", REF, _quote(each, uniform(), uniform()), line
            if recv_ns >= each.ticker_due_ns:
                each.ticker_due_ns = recv_ns + TICKER_EVERY_NS
                line += 1
                yield recv_ns, 0, "F", REF, _ticker(each, recv_ns), line


def _step(each: _Instrument, chance: float, shock: float, common: float) -> None:
    """Move the mid price: its own shock, and its share of what everybody's price did since its last step."""
    rate = each.steps_per_second
    move = shock * OWN_MOVE / math.sqrt(60.0 * rate) + each.sensitivity * (common - each.common)
    each.common = common
    if each.burst:
        each.burst -= 1
        move = 3.0 * move + each.drift
    elif chance * BURST_EVERY_SECONDS * rate < 1.0:
        each.burst = max(3, int(BURST_SECONDS * rate))
        each.drift = math.copysign(BURST_MOVE / each.burst, shock)
    each.mid = max(1.0, each.mid * (1.0 + move))


def _trade(each: _Instrument, recv_ns: int, chance: float, size: float) -> bytes:
    # In a burst the takers are on its side.
    bought = chance < (0.5 if not each.burst else 0.8 if each.drift > 0 else 0.2)
    ticks = round(each.mid) + (each.spread_ticks if bought else 0)
    lots = max(1, int(each.lot_scale * math.exp(1.2 * size)))
    price, qty = ticks / 10**each.price_decimals, lots / 10**each.qty_decimals
    each.high, each.low = max(each.high, price), min(each.low, price)
    each.volume += qty
    each.quote_volume += price * qty
    each.trades += 1
    each.trade_id += 1
    event_ms = recv_ns // 1_000_000 - 2
    return (
        b'{"stream":"%b@trade","data":{"e":"trade","E":%d,"s":"%b","t":%d,"p":"%.8f","q":"%.8f",'
        b'"T":%d,"m":%b,"M":true}}'
    ) % (
        each.stream, event_ms, each.symbol.encode(), each.trade_id, price, qty, event_ms,
        b"false" if bought else b"true",
    )  # fmt: skip


def _quote(each: _Instrument, first: float, second: float) -> bytes:
    each.update_id += 1 + int(first * 5)
    bid = round(each.mid)
    scale = 10**each.price_decimals
    lots = 10**each.qty_decimals
    return b'{"stream":"%b@bookTicker","data":{"u":%d,"s":"%b","b":"%.8f","B":"%.8f","a":"%.8f","A":"%.8f"}}' % (
        each.stream, each.update_id, each.symbol.encode(),
        bid / scale, max(1, int(each.lot_scale * (1 + 9 * first))) / lots,
        (bid + each.spread_ticks) / scale, max(1, int(each.lot_scale * (1 + 9 * second))) / lots,
    )  # fmt: skip


def _ticker(each: _Instrument, recv_ns: int) -> bytes:
    scale = 10**each.price_decimals
    last = round(each.mid) / scale
    change = last - each.open_price
    event_ms = recv_ns // 1_000_000 - 2
    return (
        b'{"stream":"%b@ticker","data":{"e":"24hrTicker","E":%d,"s":"%b","p":"%.8f","P":"%.3f","w":"%.8f","x":"%.8f",'
        b'"c":"%.8f","Q":"1.00000000","b":"%.8f","B":"1.00000000","a":"%.8f","A":"1.00000000","o":"%.8f","h":"%.8f",'
        b'"l":"%.8f","v":"%.8f","q":"%.8f","O":%d,"C":%d,"F":%d,"L":%d,"n":%d}}'
    ) % (
        each.stream, event_ms, each.symbol.encode(), change, 100.0 * change / each.open_price,
        each.quote_volume / each.volume, each.open_price, last, last, last + each.spread_ticks / scale,
        each.open_price, each.high, each.low, each.volume, each.quote_volume,
        each.open_ns // 1_000_000, event_ms, each.trade_id - each.trades + 1, each.trade_id, each.trades,
    )  # fmt: skip


def _exchange_info(market: list[_Instrument]) -> bytes:
    symbols = ",".join(
        f'{{"symbol":"{each.symbol}","status":"TRADING","filters":['
        f'{{"filterType":"PRICE_FILTER","tickSize":"{10.0**-each.price_decimals:.8f}"}},'
        f'{{"filterType":"LOT_SIZE","stepSize":"{10.0**-each.qty_decimals:.8f}"}}]}}'
        for each in market
    )
    return f'{{"timezone":"UTC","symbols":[{symbols}]}}'.encode()


def _new_instrument(random: Random, symbol: str, price: float, worth: float, rate: float, start_ns: int) -> _Instrument:
    # Six significant digits of price, and lots worth about a dollar, within the wire's eight decimals.
    price_decimals = min(8, max(2, 5 - math.floor(math.log10(price))))
    qty_decimals = min(6, max(0, math.ceil(math.log10(worth))))
    ticks = price * 10**price_decimals
    open_price = round(ticks * (1.0 + random.gauss(0.0, 0.02))) / 10**price_decimals
    trades = random.randrange(20_000, 400_000)
    volume = round(trades * 400.0 / worth, qty_decimals) + 1.0
    return _Instrument(
        symbol=symbol, stream=symbol.lower().encode(), price_decimals=price_decimals, qty_decimals=qty_decimals,
        spread_ticks=max(1, round(ticks * 1.5e-5)),
        lot_scale=max(1.0, 250.0 / worth * 10**qty_decimals), mid=ticks, open_price=open_price,
        open_ns=start_ns - 86_400 * NS, sensitivity=random.uniform(0.4, 1.6), steps_per_second=rate,
        high=max(price, open_price) * 1.01, low=min(price, open_price) * 0.99, volume=volume,
        quote_volume=volume * price, trades=trades, trade_id=random.randrange(10**6, 10**9),
        update_id=random.randrange(10**8, 10**10),
    )  # fmt: skip


def _symbols() -> list[tuple[str, float, float]]:
    """Return symbol, price in its quote currency and worth of one unit of its base in USDT, most traded first."""
    dollars = [(f"{base}USDT", worth, worth) for base, worth in BASES.items()]
    # Prices in BTC of small coins would have too few ticks in eight decimals.
    bitcoins = [
        (f"{base}BTC", worth / BASES["BTC"], worth) for base, worth in BASES.items() if base != "BTC" and worth > 0.5
    ]
    euros = [(f"{base}EUR", worth / EUR_IN_USDT, worth) for base, worth in BASES.items()]
    others = [pair for pairs in zip_longest(euros, bitcoins) for pair in pairs if pair is not None]
    return dollars + others


_SYMBOLS: Final = _symbols()
