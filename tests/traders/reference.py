"""The slow, obvious reference: every record, every rule is evaluated from lists of all trades, bar by bar.

Nothing is shared with the engine but Python's own parser: no columns, no increments, no state but the lists.
"""

import ast
import math
from dataclasses import dataclass, field
from fnmatch import fnmatch

from tests.traders.formulas import FUNCTIONS
from tickfloor.contracts.records import Flag, Kind, Side, StatsPart

NAN = math.nan
LABELS = ["1m", "5m", "15m", "1h", "4h", "1d"]
MINUTES = [1, 5, 15, 60, 240, 1440]
QUOTE = {"bid", "bid_size", "ask", "ask_size", "mid", "spread"}
PRICES = {"open_24h", "high_24h", "low_24h", "change_24h"}
VOLUMES = {"volume_24h", "quote_volume_24h", "trades_24h"}
TRADE = {"last", "last_qty", "cumulative_delta"}
MARKET = QUOTE | PRICES | VOLUMES | TRADE | {"quality"}
INDICATORS = {"sma", "ema", "rsi", "atr", "highest", "lowest", "change"}
CROSSES = {"crosses_above", "crosses_below"}
QUALITIES = {"live": 1.0, "stale": 2.0, "repairing": 3.0, "gap": 4.0}


@dataclass
class Bar:
    start: int
    trades: list = field(default_factory=list)  # (ts_ms, price, qty, bought) as they came
    market: dict = field(default_factory=dict)  # the market columns when it closed
    others: dict = field(default_factory=dict)  # columns of other intervals as rules saw them when it closed

    def get(self, name):
        prices = [price for _, price, _, _ in self.trades]
        volume = sum(qty for _, _, qty, _ in self.trades)
        buy = sum(qty for _, _, qty, bought in self.trades if bought)
        by_time = sorted(self.trades, key=lambda trade: trade[0])
        return {
            "open": by_time[0][1],
            "high": max(prices),
            "low": min(prices),
            "close": by_time[-1][1],
            "volume": volume,
            "quote_volume": sum(price * qty for _, price, qty, _ in self.trades),
            "buy_volume": buy,
            "sell_volume": volume - buy,
            "delta": buy - (volume - buy),
            "trades": float(len(self.trades)),
        }[name]


def finite(value):
    return value if abs(value) < 1e300 else NAN


class Instrument:
    def __init__(self, key):
        self.key = key
        self.closed = [[] for _ in LABELS]
        self.forming = [[] for _ in LABELS]  # trades
        self.market = dict.fromkeys(MARKET, NAN) | {"cumulative_delta": 0.0}
        self.last_ts = None
        self.late = None
        self.revised = []
        self.changed = set()  # market columns, and "bar", changed in this event
        self.ended = []  # intervals closed in this event

    def series(self, interval, frame):
        """Return the bars that a frame sees; the last one is the current one."""
        closed = self.closed[interval]
        if frame == "before":
            return closed[:-1]
        if frame == "now" and self.forming[interval]:
            return [*closed, Bar(0, self.forming[interval], self.market)]
        return closed


class Evaluator:
    """Evaluates one rule's syntax tree: numbers are floats (NaN unknown), conditions True, False or None."""

    def __init__(self, instrument, default):
        self.instrument = instrument
        self.default = default

    def market(self, name, frame):
        if frame == "now":
            return self.instrument.market[name]
        bars = self.instrument.series(self.default, frame)
        return bars[-1].market[name] if bars else NAN

    def number(self, node, frame, column=None):
        """Return a number; its bar fields and indicators are as ``column`` says, by default those of the frame."""
        match node:
            case ast.Constant():
                return float(node.value)
            case ast.Name(id=name) if name in MARKET:
                return self.market(name, frame)
            case ast.UnaryOp():
                return -self.number(node.operand, frame, column)
            case ast.BinOp():
                left, right = (self.number(side, frame, column) for side in (node.left, node.right))
                return self.arithmetic(node.op, left, right)
            case ast.Call(func=ast.Name(id="abs" | "min" | "max" as name)):
                values = [self.number(argument, frame, column) for argument in node.args]
                if any(map(math.isnan, values)):
                    return NAN
                return abs(values[0]) if name == "abs" else {"min": min, "max": max}[name](values)
            case _:
                return (column or self.column)(node, frame)

    def column(self, node, frame):
        """Return a bar field or an indicator as the frame shows it."""
        interval = self.interval_of(node)
        return self.on_bars(node, interval, self.instrument.series(interval, frame))

    def interval_of(self, node):
        is_indicator = isinstance(node, ast.Call) and node.func.id in INDICATORS
        return self.interval_argument(node) if is_indicator else self.interval_of_field(node)

    # A crossing compares now with one moment: the last close of the rule's own interval. What the rule then saw of
    # other intervals is written into the bar that closed.

    def others(self, tree, frame):
        """Return the columns of other intervals in the tree's crossings, as the frame shows them."""
        seen = {}

        def note(node, frame):
            if self.interval_of(node) != self.default:
                seen[ast.dump(node)] = self.column(node, frame)
            return 0.0

        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CROSSES:
                for side in node.args:
                    self.number(side, frame, note)
        return seen

    def column_then(self, node, frame):
        """Return a column as the rule saw it when the last bar of this frame closed."""
        if self.interval_of(node) == self.default:
            return self.column(node, frame)
        bars = self.instrument.series(self.default, frame)
        when = "tick" if frame == "closed" else "close"
        return bars[-1].others.get((when, ast.dump(node)), NAN) if bars else NAN

    def interval_argument(self, node):
        last = node.args[-1]
        text = isinstance(last, ast.Constant) and isinstance(last.value, str)
        return LABELS.index(last.value) if text else self.default

    def interval_of_field(self, node):
        if isinstance(node, ast.Subscript):
            node = node.value
        return LABELS.index(node.args[0].value) if isinstance(node, ast.Call) else self.default

    def on_bars(self, node, interval, bars):
        """Return a number as of the last of these bars."""
        if not bars:
            return NAN
        match node:
            case ast.Constant():
                return float(node.value)
            case ast.Name(id=name) if name in MARKET:
                return bars[-1].market[name]
            case ast.Name(id=name):
                return bars[-1].get(name)
            case ast.Call(func=ast.Name(id=name)) if name in INDICATORS:
                arguments = [a for a in node.args if not (isinstance(a, ast.Constant) and isinstance(a.value, str))]
                period = arguments[-1].value
                if name == "atr":
                    values = [self.true_range(bars[: end + 1]) for end in range(len(bars))]
                else:
                    source = arguments[0] if len(arguments) == 2 else ast.Name("close")
                    values = [self.on_bars(source, interval, bars[: end + 1]) for end in range(len(bars))]
                return FUNCTIONS[name](values, period)
            case ast.Subscript(value=value, slice=index):
                return self.on_bars(value, interval, bars[: max(0, len(bars) - index.value)])
            case ast.UnaryOp():
                return -self.on_bars(node.operand, interval, bars)
            case ast.BinOp():
                return self.arithmetic(
                    node.op, self.on_bars(node.left, interval, bars), self.on_bars(node.right, interval, bars)
                )
            case ast.Call(func=ast.Name(id=name)):
                return bars[-1].get(name)
        raise TypeError(ast.dump(node))

    def true_range(self, bars):
        if len(bars) < 2:
            return NAN
        high, low, close = bars[-1].get("high"), bars[-1].get("low"), bars[-2].get("close")
        return max(high - low, abs(high - close), abs(low - close))

    def arithmetic(self, operator, left, right):
        if math.isnan(left) or math.isnan(right):
            return NAN
        try:
            match operator:
                case ast.Add():
                    return left + right
                case ast.Sub():
                    return left - right
                case ast.Mult():
                    return finite(left * right)
                case ast.Div():
                    return finite(left / right)
                case ast.Mod():
                    return left % right
                case ast.Pow():
                    return finite(math.pow(left, right))
        except (ZeroDivisionError, OverflowError, ValueError):
            return NAN
        raise TypeError(operator)

    def condition(self, node, current, previous):
        match node:
            case ast.BoolOp(op=ast.And()):
                parts = [self.condition(value, current, previous) for value in node.values]
                return False if False in parts else None if None in parts else True
            case ast.BoolOp():
                parts = [self.condition(value, current, previous) for value in node.values]
                return True if True in parts else None if None in parts else False
            case ast.UnaryOp():
                inner = self.condition(node.operand, current, previous)
                return None if inner is None else not inner
            case ast.Compare():
                operands = [node.left, *node.comparators]
                parts = [
                    self.compare(operator, left, right, current)
                    for operator, left, right in zip(node.ops, operands, operands[1:], strict=False)
                ]
                return False if False in parts else None if None in parts else True
            case ast.Call(func=ast.Name(id=name), args=[left, right]):
                values = [self.number(side, current) for side in (left, right)]
                values += [self.number(side, previous, self.column_then) for side in (left, right)]
                if any(map(math.isnan, values)):
                    return None
                left_now, right_now, left_then, right_then = values
                if name == "crosses_above":
                    return left_then <= right_then and left_now > right_now
                return left_then >= right_then and left_now < right_now
        raise TypeError(ast.dump(node))

    def compare(self, operator, left, right, frame):
        def value(node):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return QUALITIES[node.value]
            return self.number(node, frame)

        a, b = value(left), value(right)
        if math.isnan(a) or math.isnan(b):
            return None
        return {
            ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b, ast.Eq: a == b, ast.NotEq: a != b,
        }[type(operator)]  # fmt: skip


class Reference:
    """Gives (trader, instrument, sequence, ts_event) for every signal."""

    def __init__(self, specs, describe):
        self.specs = sorted(specs, key=lambda spec: spec.name)
        self.trees = {spec.name: ast.parse(spec.rule.strip(), mode="eval").body for spec in specs}
        self.describe = describe
        self.instruments = {}
        self.matched = {}
        self.last_signal = {}

    def record(self, sequence, ts_event, _ts_init, row, kind, code, flags, a, b, c, d):
        if kind == Kind.CLOCK:
            return []
        if row not in self.instruments:
            self.instruments[row] = Instrument(self.describe(row).key)
        instrument = self.instruments[row]
        self.apply(instrument, ts_event, kind, code, flags, a, b, c, d)
        if flags & Flag.MORE:
            return []
        silent = instrument.late is not None
        if silent:
            self.end_late(instrument)
        for code in instrument.ended:
            self.note_others(instrument, code, "close", "closed")
        signals = []
        for spec in self.specs:
            if not any(
                fnmatch(name.upper(), glob.upper())
                for glob in spec.symbols
                for name in (instrument.key, instrument.key.split(":")[1])
            ):
                continue
            if not (self.follows(spec, instrument) if silent else self.due(spec, instrument)):
                continue
            state = (spec.name, instrument.key)
            frames = ("closed", "before") if spec.when == "close" else ("now", "closed")
            holds = Evaluator(instrument, LABELS.index(spec.interval)).condition(self.trees[spec.name], *frames) is True
            new = holds and not self.matched.get(state, False)
            self.matched[state] = holds
            if not new or silent:
                continue
            if spec.cooldown_ns and state in self.last_signal and ts_event - self.last_signal[state] < spec.cooldown_ns:
                continue
            self.last_signal[state] = ts_event
            signals.append((spec.name, instrument.key, sequence, ts_event))
        instrument.changed = set()
        instrument.ended = []
        return signals

    def note_others(self, instrument, code, when, frame):
        """Write into the bar that has closed what the rules of its interval see of other intervals."""
        bar = instrument.closed[code][-1]
        for spec in self.specs:
            if (spec.when, spec.interval) == (when, LABELS[code]):
                seen = Evaluator(instrument, code).others(self.trees[spec.name], frame)
                bar.others |= {(when, name): value for name, value in seen.items()}

    def names(self, spec):
        return {node.id for node in ast.walk(self.trees[spec.name]) if isinstance(node, ast.Name)}

    def due(self, spec, instrument):
        if spec.when == "close":
            return LABELS.index(spec.interval) in instrument.ended
        names = self.names(spec)
        return bool(names & instrument.changed) or ("bar" in instrument.changed and bool(
            names - MARKET - CROSSES - {"abs", "min", "max"}))  # fmt: skip

    def follows(self, spec, instrument):
        """Whether a revision decides a rule: not an at-close rule that reads shorter intervals than its own."""
        if spec.when == "tick":
            return True
        used = [
            node.value for node in ast.walk(self.trees[spec.name])
            if isinstance(node, ast.Constant) and node.value in LABELS
        ]  # fmt: skip
        return all(LABELS.index(label) >= LABELS.index(spec.interval) for label in used)

    def apply(self, instrument, ts_event, kind, code, flags, a, b, c, d):
        market = instrument.market
        ts_ms = ts_event // 1_000_000
        if kind == Kind.TRADE:
            market["cumulative_delta"] += {Side.BUY: b, Side.SELL: -b}.get(code, 0.0)
            if instrument.last_ts is None or ts_event >= instrument.last_ts:
                instrument.last_ts = ts_event
                market |= {"last": a, "last_qty": b}
            instrument.changed |= TRADE | {"bar"}
            trade = (ts_ms, a, b, code == Side.BUY)
            if flags & Flag.LATE:
                instrument.late = trade
            else:
                for trades in instrument.forming:
                    trades.append(trade)
        elif kind == Kind.QUOTE:
            market |= {"bid": a, "bid_size": b, "ask": c, "ask_size": d, "mid": (a + c) / 2.0, "spread": c - a}
            instrument.changed |= QUOTE
        elif kind == Kind.STATS and code == StatsPart.PRICES:
            market |= {"open_24h": a, "high_24h": b, "low_24h": c, "change_24h": d}
            instrument.changed |= PRICES
        elif kind == Kind.STATS:
            market |= {"volume_24h": a, "quote_volume_24h": b, "trades_24h": c}
            instrument.changed |= VOLUMES
        elif kind == Kind.QUALITY:
            market["quality"] = float(code) if code else NAN
            instrument.changed.add("quality")
        elif kind == Kind.BAR_CLOSE:
            length = MINUTES[code] * 60_000
            trades = instrument.forming[code]
            start = trades[0][0] - trades[0][0] % length
            instrument.closed[code].append(Bar(start, trades, dict(market)))
            instrument.forming[code] = []
            instrument.ended.append(code)
            self.note_others(instrument, code, "tick", "now")
        elif kind == Kind.BAR_REVISED:
            self.revise(instrument, code)

    def revise(self, instrument, code):
        instrument.revised.append(code)
        length = MINUTES[code] * 60_000
        start = instrument.late[0] - instrument.late[0] % length
        bars = instrument.closed[code]
        for bar in bars:
            if bar.start == start:
                bar.trades.append(instrument.late)
                return
        before = [bar for bar in bars if bar.start < start]
        market = before[-1].market if before else dict.fromkeys(MARKET, NAN)
        others = before[-1].others if before else {}
        instrument.closed[code] = [*before, Bar(start, [instrument.late], market, others), *bars[len(before) :]]

    def end_late(self, instrument):
        for code in range(1, len(LABELS)):
            if code not in instrument.revised:
                instrument.forming[code].append(instrument.late)
        instrument.late = None
        instrument.revised = []
