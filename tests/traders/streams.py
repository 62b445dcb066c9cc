"""Random tapes and random rules, the way a feed and users would write them, only worse.

Prices and quantities are multiples of 1/8, so sums are exact in any order and the reference may add as it likes.
"""

from random import Random

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Quality, Side, StatsPart
from tickfloor.contracts.traders import TraderSpec

START_MS = 1_700_000_000_000 - 1_700_000_000_000 % 86_400_000 + 86_400_000 - 47 * 60_000
SYMBOLS = ["BTCUSDT", "ETHUSDT", "ETHBTC"]
MORE, LATE = int(Flag.MORE), int(Flag.LATE)


def describe(row: int) -> Instrument:
    return Instrument(id=row, venue="binance", symbol=SYMBOLS[row])


class Feed:
    """Writes the records of random trading: the only authority on where bars end."""

    def __init__(self, random: Random, *, late: bool = True, longest_step_ms: int = 90_000, reach_ms: int = 840_000):
        self.random = random
        self.late = late
        self.longest_step_ms = longest_step_ms
        self.reach_ms = reach_ms
        self.records: list[bytes] = []
        self.now_ms = START_MS
        self.forming: list[dict[Interval, int]] = [{} for _ in SYMBOLS]  # interval -> end, ms
        self.first_ms: list[int | None] = [None for _ in SYMBOLS]
        self.price = [100.0 for _ in SYMBOLS]

    def write(self, ts_ms, row, kind, code=0, flags=0, payload=(0.0, 0.0, 0.0, 0.0)):
        ns = ts_ms * 1_000_000
        self.records.append(RECORD.pack(len(self.records), ns, ns, row, kind, code, flags, *payload))

    def close_bars(self, row):
        ended: dict[int, list[Interval]] = {}
        for interval, end in self.forming[row].items():
            if end <= self.now_ms:
                ended.setdefault(end, []).append(interval)
        due = [(end, interval) for end in sorted(ended) for interval in sorted(ended[end])]
        together = self.random.random() < 0.5
        for index, (end, interval) in enumerate(due):
            last = index + 1 == len(due) or (not together and due[index + 1][0] != end)
            self.write(end, row, Kind.BAR_CLOSE, interval, 0 if last else MORE, (0.0, self.price[row], 0.0, 0.0))
            del self.forming[row][interval]

    def step(self):
        random = self.random
        self.now_ms += random.choice([0, random.randrange(2_000), random.randrange(self.longest_step_ms)])
        row = random.randrange(len(SYMBOLS))
        for each in range(len(SYMBOLS)) if random.random() < 0.3 else (row,):
            self.close_bars(each)
        what = random.random()
        if what < 0.55:
            self.trade(row)
        elif what < 0.7 and self.late:
            self.late_trade(row)
        elif what < 0.85:
            bid = self.price[row] - random.randrange(4) / 8
            size = random.choice([1.0, 2.5, float("nan")])
            flags = MORE if random.random() < 0.2 else 0
            self.write(self.now_ms, row, Kind.QUOTE, 0, flags, (bid, size, bid + random.randrange(1, 5) / 8, 3.0))
            if flags:
                self.trade(row)
        elif what < 0.9:
            base = self.price[row]
            if random.random() < 0.5:
                self.write(
                    self.now_ms,
                    row,
                    Kind.STATS,
                    StatsPart.PRICES,
                    0,
                    (base, base + 5, base - 5, random.randrange(-9, 9) / 8),
                )
            else:
                self.write(
                    self.now_ms,
                    row,
                    Kind.STATS,
                    StatsPart.VOLUMES,
                    0,
                    (random.randrange(99) / 8, random.choice([1.0, 2.0, 3.0, float("nan")]), 7.0, 0.0),
                )
        elif what < 0.95:
            self.write(self.now_ms, row, Kind.QUALITY, random.choice(list(Quality)))
        elif what < 0.97:
            self.write(self.now_ms, row, Kind.BOOK, 0, 0, (1.0, 1.0, 2.0, 1.0))
        else:
            self.write(self.now_ms, 0, Kind.CLOCK)

    def payload(self, row):
        random = self.random
        self.price[row] = max(1.0, self.price[row] + random.randrange(-8, 9) / 8)
        return self.price[row], random.randrange(1, 40) / 8, float(len(self.records)), 1.0

    def trade(self, row):
        self.close_bars(row)
        minute_ms = self.now_ms - self.now_ms % 60_000
        ts_ms = self.now_ms
        if self.random.random() < 0.2:
            ts_ms = max(minute_ms, ts_ms - self.random.randrange(5_000))
        for interval in Interval:
            self.forming[row].setdefault(interval, ts_ms - ts_ms % interval.ms + interval.ms)
        if self.first_ms[row] is None:
            self.first_ms[row] = minute_ms
        self.write(ts_ms, row, Kind.TRADE, self.random.choice(list(Side)), 0, self.payload(row))

    def late_trade(self, row):
        first = self.first_ms[row]
        self.close_bars(row)
        if first is None:
            return
        newest = self.now_ms - self.now_ms % 60_000 - 1
        oldest = max(first - 60_000 * self.random.randrange(2), newest - self.reach_ms)
        if oldest < START_MS - START_MS % 60_000 or newest < oldest:
            return
        ts_ms = self.random.randrange(oldest, newest + 1)
        if Interval.M1 in self.forming[row] and ts_ms >= self.forming[row][Interval.M1] - 60_000:
            return
        revised = []
        for interval in Interval:
            if ts_ms - ts_ms % interval.ms + interval.ms <= self.now_ms:
                revised.append(interval)
            else:
                self.forming[row].setdefault(interval, ts_ms - ts_ms % interval.ms + interval.ms)
        self.write(ts_ms, row, Kind.TRADE, self.random.choice(list(Side)), LATE | MORE, self.payload(row))
        for interval in revised:
            self.write(ts_ms, row, Kind.BAR_REVISED, interval, 0 if interval is revised[-1] else MORE)


def tape(seed: int, steps: int, **how) -> list[bytes]:
    feed = Feed(Random(seed), **how)
    for _ in range(steps):
        feed.step()
    return feed.records


BAR_FIELDS = ["open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "sell_volume", "delta", "trades"]
MARKET = [
    "last", "last_qty", "bid", "ask", "bid_size", "ask_size", "mid", "spread", "volume_24h", "quote_volume_24h",
    "high_24h", "low_24h", "open_24h", "change_24h", "trades_24h", "cumulative_delta",
]  # fmt: skip


OF_A_COLUMN = [
    "sma", "ema", "rsi", "highest", "lowest", "change", "wma", "stdev", "roc", "slope", "percentile", "bars_rising",
    "bars_falling", "zscore", "bbands_upper", "bbands_lower", "bbands_width", "bbands_percent", "bbands_middle",
]  # fmt: skip
OF_BARS = [
    "atr", "cci", "mfi", "vwap", "obv", "session_vwap", "adx", "plus_di", "minus_di", "supertrend", "stoch_k",
    "stoch_d", "keltner_upper", "keltner_middle", "keltner_lower", "donchian_upper", "donchian_middle",
    "donchian_lower", "imbalance", "trades_per_second", "poc", "value_area_high", "value_area_low", "node_distance",
]  # fmt: skip
TAKES = {
    **dict.fromkeys(("obv", "session_vwap", "imbalance", "trades_per_second", "bars_rising", "bars_falling"), ""),
    **dict.fromkeys(("supertrend", "keltner_upper", "keltner_middle", "keltner_lower"), "pk"),
    **dict.fromkeys(("bbands_upper", "bbands_lower", "bbands_width", "bbands_percent", "bbands_middle"), "pk"),
    **dict.fromkeys(("sma", "ema", "rsi", "atr", "highest", "lowest", "change"), "n"),
    "stoch_k": "pn", "stoch_d": "pnn",
}  # fmt: skip
"""The numbers that functions are called with: p and n for bars, at least two of p, k for a multiplier; usually p."""


class Rules:
    """Writes random rules; constants lie where the random tapes trade.

    ``beyond`` the instrument and its own records, rules read the time and other instruments.
    """

    def __init__(self, random: Random, *, beyond: bool = False) -> None:
        self.random = random
        self.beyond = beyond

    def constant(self) -> str:
        return self.random.choice(
            ["0", "1", "30", "50", "95", "98.5", "100", "101", "102.25", "3.5", "-1", "0.5", "200"]
        )

    def interval(self) -> str:
        return self.random.choice(["1m", "1m", "5m", "15m"])

    def inside(self, depth: int) -> str:
        """A column for an indicator: everything on the indicator's interval."""
        choice = self.random.random()
        if choice < 0.5 or depth <= 0:
            return self.random.choice(BAR_FIELDS)
        if choice < 0.6:
            return f"{self.random.choice(BAR_FIELDS)}[{self.random.randrange(3)}]"
        if choice < 0.75:
            return f"({self.inside(depth - 1)} {self.random.choice('+-*/')} {self.inside(depth - 1)})"
        if choice < 0.9:
            return self.random.choice(["mid", "last", "spread", "cumulative_delta", "volume_24h", "bid_size"])
        if choice < 0.93:
            return f"count_of({self.held(0)}, {self.random.randrange(1, 4)})"
        return f"{self.random.choice(['sma', 'ema', 'rsi', 'change'])}({self.random.randrange(1, 4)})"

    def held(self, depth: int) -> str:
        """A condition for a count: everything on its interval."""
        random = self.random
        choice = random.random()
        if depth > 0 and choice < 0.4:
            parts = f"{self.held(depth - 1)}, {self.held(depth - 1)}"
            return random.choice([f"any_of({parts})", f"all_of({parts})", f"not {self.held(depth - 1)}"])
        if choice < 0.55:
            return f"{random.choice(['crosses_above', 'crosses_below'])}({self.inside(1)}, {self.inside(1)})"
        if choice < 0.6:
            return 'quality == "live"'
        return f"{self.inside(1)} {random.choice(['<', '<=', '>', '>=', '==', '!='])} {self.inside(1)}"

    def bars(self, least: int = 1) -> str:
        return str(self.random.randrange(least, 5))

    def indicator(self) -> str:
        random = self.random
        kind = random.random()
        where = [f'"{self.interval()}"'] if random.random() < 0.4 else []
        if kind < 0.1:
            name, arguments = "count_of", [self.held(1), self.bars()]
        elif kind < 0.2:
            name, arguments = "bars_since", [self.held(1)]
        elif kind < 0.25:
            name, arguments = "correlation", [self.inside(1), self.inside(1), self.bars(2)]
        elif kind < 0.3:
            name = random.choice(["macd", "macd_signal", "macd_histogram"])
            arguments = [self.bars(2), str(random.randrange(5, 8)), self.bars()]
        elif kind < 0.6:
            name = random.choice(["sma", "ema", "rsi", "highest", "lowest", "change", *OF_A_COLUMN])
            arguments = [self.inside(2)] if random.random() < 0.5 else []
            arguments += self.numbers(name)
        else:
            name = random.choice(OF_BARS)
            arguments = self.numbers(name)
        arguments += where
        return f"{name}({', '.join(arguments)})" if arguments else name

    def numbers(self, name: str) -> list[str]:
        chosen = {"p": self.bars(2), "n": self.bars(), "k": self.random.choice(["1", "2", "0.5"])}
        return [chosen[each] for each in TAKES.get(name, "p")]

    def number(self, depth: int = 2) -> str:
        return self.away() if self.beyond and self.random.random() < 0.2 else self.own(depth)

    def own(self, depth: int) -> str:
        random = self.random
        choice = random.random()
        if choice < 0.25:
            return random.choice(MARKET)
        if choice < 0.5:
            where = random.choice(["", "", f'("{self.interval()}")'])
            back = random.choice(["", "", f"[{random.randrange(4)}]"])
            return random.choice(BAR_FIELDS) + where + back
        if choice < 0.75 or depth <= 0:
            return self.indicator()
        if choice < 0.9:
            operator = random.choice(["+", "-", "*", "/", "%", "**"])
            return f"({self.own(depth - 1)} {operator} {random.choice([self.constant(), self.own(depth - 1)])})"
        if choice < 0.93:
            return f"-{self.own(depth - 1)}"
        if choice < 0.96:
            return f"abs({self.own(depth - 1)})"
        return f"{random.choice(['min', 'max'])}({self.own(depth - 1)}, {self.own(depth - 1)})"

    def away(self) -> str:
        """What is not of the instrument alone: the time, columns of others, its place among them."""
        random = self.random
        if random.random() < 0.1:
            return "volume_rank"
        if random.random() < 0.3:
            zone = random.choice(["", "", '("America/New_York")', '("Asia/Kolkata")'])
            return random.choice(["hour", "minute", "weekday", "minute_of_day"]) + zone
        symbol = random.choice([*SYMBOLS, "binance:BTCUSDT", "DOGEUSDT"])
        column = random.choice([random.choice(MARKET), random.choice(BAR_FIELDS), "close[1]", self.indicator()])
        return f'{column}["{symbol}"]'

    def price(self) -> str:
        """A column on any interval whose values others are likely to cross."""
        random = self.random
        interval = random.choice(["1m", "5m", "15m", "1h"])
        name = random.choice(["close", "close", "open", "high", "low"])
        kind = random.random()
        if kind < 0.6:
            return f'{name}("{interval}")' + random.choice(["", "", f"[{random.randrange(3)}]"])
        if kind < 0.8:
            function = random.choice(["sma", "ema", "highest", "lowest"])
            return f'{function}({name}, {random.randrange(1, 4)}, "{interval}")'
        return random.choice(["last", "mid", f'({name}("{interval}") + {self.price()}) / 2'])

    def condition(self, depth: int = 2) -> str:
        random = self.random
        choice = random.random()
        if depth > 0 and choice < 0.45:
            joined = random.choice([" and ", " or "]).join(
                self.condition(depth - 1) for _ in range(random.randrange(2, 4))
            )
            return f"({joined})"
        if depth > 0 and choice < 0.55:
            return f"not {self.condition(depth - 1)}"
        if depth > 0 and choice < 0.6:
            parts = ", ".join(self.condition(depth - 1) for _ in range(random.randrange(1, 4)))
            return f"{random.choice(['any_of', 'all_of'])}({parts})"
        if self.beyond and choice < 0.64:
            return random.choice(['session("23:30", "00:20")', 'session("00:05", "09:00", "Europe/Berlin")'])
        if choice < 0.66:
            column = f"{self.inside(2)}, " if random.random() < 0.7 else ""
            where = random.choice(["", f', "{self.interval()}"'])
            return f"{random.choice(['rising', 'falling'])}({column}{self.bars()}{where})"
        if choice < 0.76:
            operands = [self.own(1), random.choice([self.constant(), self.own(1)])]
            if random.random() < 0.6:
                operands = [self.price(), self.price()]
            return f"{random.choice(['crosses_above', 'crosses_below'])}({', '.join(operands)})"
        if choice < 0.79:
            return f'quality {random.choice(["==", "!="])} "{random.choice(["live", "stale", "gap"])}"'
        operator = random.choice(["<", "<=", ">", ">=", "==", "!="])
        if choice < 0.82:
            return f"between({self.number(1)}, {self.constant()}, {self.number(1)})"
        if choice < 0.86:
            return f"{self.constant()} < {self.number()} {operator} {self.constant()}"
        return f"{self.number()} {operator} {random.choice([self.constant(), self.number()])}"

    def spec(self, name: str) -> TraderSpec:
        random = self.random
        return TraderSpec(
            name=name,
            # Neither the time nor another instrument decides a rule.
            rule=f"{self.condition()} and close > 0" if self.beyond else self.condition(),
            symbols=random.choice([("*",), ("*USDT",), ("binance:ethbtc", "BTC*")]),
            when=random.choice(["tick", "tick", "close"]),
            interval=self.interval(),
            cooldown_ns=random.choice([0, 0, 45_000_000_000, 600_000_000_000]),
            requires_live=random.random() < 0.1,
        )


def specs(seed: int, count: int, *, beyond: bool = False) -> list[TraderSpec]:
    rules = Rules(Random(seed), beyond=beyond)
    return [rules.spec(f"trader-{index}") for index in range(count)]
