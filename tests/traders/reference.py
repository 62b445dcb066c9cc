"""The slow, obvious reference: every record, every rule is evaluated from lists of all trades, bar by bar.

Nothing is shared with the engine but Python's own parser: no columns, no increments, no state but the lists.
"""

import ast
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import cache
from zoneinfo import ZoneInfo

from tests.traders.formulas import FUNCTIONS, INPUTS, TEMPLATES
from tickfloor.contracts.records import Flag, Kind, Side, StatsPart

NAN = math.nan
LABELS = ["1m", "5m", "15m", "1h", "4h", "1d"]
MINUTES = [1, 5, 15, 60, 240, 1440]
QUOTE = {"bid", "bid_size", "ask", "ask_size", "mid", "spread"}
PRICES = {"open_24h", "high_24h", "low_24h", "change_24h"}
VOLUMES = {"volume_24h", "quote_volume_24h", "trades_24h", "volume_rank"}
TRADE = {"last", "last_qty", "cumulative_delta"}
MARKET = QUOTE | PRICES | VOLUMES | TRADE | {"quality"}
RUNS = {"rising": "bars_rising", "falling": "bars_falling"}
OF_CONDITIONS = {"count_of", "bars_since"}
INDICATORS = {*FUNCTIONS, *TEMPLATES}
CROSSES = {"crosses_above", "crosses_below"}
CLOCKS = {"hour", "minute", "weekday", "minute_of_day"}
TIMES = {*CLOCKS, "session"}
NO_COLUMNS = {*CROSSES, *TIMES, "abs", "min", "max", "any_of", "all_of", "between"}
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
            "start": float(self.start),
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
        self.latest = 0  # the time that rules see, which never goes back
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
            trades = self.forming[interval]
            return [*closed, Bar(trades[0][0] - trades[0][0] % (MINUTES[interval] * 60_000), trades, self.market)]
        return closed


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_elsewhere(node):
    return isinstance(node, ast.Subscript) and is_text(node.slice)


@cache
def written(text):
    return ast.parse(text, mode="eval").body


class Evaluator:
    """Evaluates one rule's syntax tree: numbers are floats (NaN unknown), conditions True, False or None.

    ``seen`` are the instruments seen so far, by their keys.
    """

    def __init__(self, instrument, default, seen=None):
        self.instrument = instrument
        self.default = default
        self.seen = seen or {}
        self.known = {}  # by expression and bars: what indicators of indicators ask for again and again

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
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name in CLOCKS:
                return self.clock(node, name)
            case ast.Subscript(value=value, slice=index) if is_elsewhere(node):
                return self.elsewhere(value, index.value, frame)
            case _:
                return (column or self.column)(node, frame)

    def clock(self, node, name):
        zone = ZoneInfo(node.args[0].value) if isinstance(node, ast.Call) else UTC
        now = datetime.fromtimestamp(self.instrument.latest // 1_000_000_000, UTC).astimezone(zone)
        return float(
            {"hour": now.hour, "minute": now.minute, "weekday": now.weekday(),
             "minute_of_day": now.hour * 60 + now.minute}[name]
        )  # fmt: skip

    def elsewhere(self, node, symbol, frame):
        """Return a column of another instrument as it stands, whatever this one's last close was."""
        key = symbol if ":" in symbol else f"{self.instrument.key.split(':')[0]}:{symbol}"
        other = self.seen.get(key)
        if other is None:
            return NAN
        evaluator = Evaluator(other, self.default)
        if isinstance(node, ast.Name) and node.id in MARKET:
            return other.market[node.id]
        return evaluator.column(node, frame)

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
        named = node.args and is_text(node.args[-1])
        return LABELS.index(node.args[-1].value) if named else self.default

    def interval_of_field(self, node):
        if isinstance(node, ast.Subscript):
            node = node.value
        return LABELS.index(node.args[0].value) if isinstance(node, ast.Call) else self.default

    def on_bars(self, node, interval, bars):
        """Return a number as of the last of these bars."""
        if not bars:
            return NAN
        key = (id(node), len(bars), id(bars[-1]))
        if key not in self.known:
            self.known[key] = (self.on_known_bars(node, interval, bars), node, bars[-1])
        return self.known[key][0]

    def on_known_bars(self, node, interval, bars):
        match node:
            case ast.Constant():
                return float(node.value)
            case ast.Name(id=name) if name in MARKET:
                return bars[-1].market[name]
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name in INDICATORS:
                arguments = [a for a in node.args if not is_text(a)] if isinstance(node, ast.Call) else []
                return self.indicator(name, arguments, interval, bars)
            case ast.Name(id=name):
                return bars[-1].get(name)
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

    def indicator(self, name, arguments, interval, bars):
        """Return an indicator or a formula as of the last of these bars."""
        if name in TEMPLATES:
            of_close = not arguments or isinstance(arguments[0], ast.Constant)
            source = written("close") if of_close else arguments[0]
            numbers = [argument.value for argument in (arguments if of_close else arguments[1:])]
            text = TEMPLATES[name].format(
                x=f"({ast.unparse(source)})",
                n=numbers[0] if numbers else 20,
                k=numbers[1] if len(numbers) > 1 else 2.0,
                seconds=MINUTES[interval] * 60,
            )
            return self.on_bars(written(text), interval, bars)
        ends = range(1, len(bars) + 1)
        if name in OF_CONDITIONS:
            held = [self.held(arguments[0], interval, bars[:end]) for end in ends]
            values = [NAN if each is None else float(each) for each in held]
            return FUNCTIONS[name](values, *(argument.value for argument in arguments[1:]))
        inputs = INPUTS[name]
        columns = [argument for argument in arguments if not isinstance(argument, ast.Constant)]
        named = iter(columns or [written("close")])
        sources = [written(field) if field else next(named) for field in inputs]
        values = [[self.on_bars(source, interval, bars[:end]) for end in ends] for source in sources]
        return FUNCTIONS[name](*values, *(argument.value for argument in arguments[len(columns) :]))

    def held(self, node, interval, bars):
        """Return whether a condition holds at the last of these bars."""
        return self.decide(
            node,
            lambda number: self.on_bars(number, interval, bars),
            lambda number: self.on_bars(number, interval, bars[:-1]),
        )

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
        return self.decide(
            node,
            lambda number: self.number(number, current),
            lambda number: self.number(number, previous, self.column_then),
        )

    def decide(self, node, now, then):
        """Return what a condition is, from what gives numbers now and at the close before."""
        match node:
            case ast.BoolOp(op=ast.And(), values=parts) | ast.Call(func=ast.Name(id="all_of"), args=parts):
                return self.all_of(self.decide(part, now, then) for part in parts)
            case ast.BoolOp(values=parts) | ast.Call(func=ast.Name(id="any_of"), args=parts):
                held = [self.decide(part, now, then) for part in parts]
                return True if True in held else None if None in held else False
            case ast.UnaryOp(operand=operand):
                inner = self.decide(operand, now, then)
                return None if inner is None else not inner
            case ast.Compare(left=left, ops=operators, comparators=others):
                operands = [left, *others]
                return self.all_of(
                    self.compare(operator, now, one, other)
                    for operator, one, other in zip(operators, operands, operands[1:], strict=False)
                )
            case ast.Call(func=ast.Name(id="between"), args=[number, low, high]):
                text = f"{ast.unparse(low)} <= {ast.unparse(number)} <= {ast.unparse(high)}"
                return self.decide(written(text), now, then)
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in RUNS:
                interval = [ast.unparse(argument) for argument in arguments if is_text(argument)]
                *column, bars = [ast.unparse(argument) for argument in arguments if not is_text(argument)]
                text = f"{RUNS[name]}({', '.join([*(column or ['close']), *interval])}) >= {bars}"
                return self.decide(written(text), now, then)
            case ast.Call(func=ast.Name(id="session"), args=[start, end, *zone]):
                clock = f"minute_of_day({ast.unparse(zone[0])})" if zone else "minute_of_day"
                first, last = (int(time.value[:2]) * 60 + int(time.value[3:]) for time in (start, end))
                join = "and" if first < last else "or"
                return self.decide(written(f"{clock} >= {first} {join} {clock} < {last}"), now, then)
            case ast.Call(func=ast.Name(id=name), args=[left, right]):
                values = [*map(now, (left, right)), *map(then, (left, right))]
                if any(map(math.isnan, values)):
                    return None
                left_now, right_now, left_then, right_then = values
                if name == "crosses_above":
                    return left_then <= right_then and left_now > right_now
                return left_then >= right_then and left_now < right_now
        raise TypeError(ast.dump(node))

    def all_of(self, parts):
        held = list(parts)
        return False if False in held else None if None in held else True

    def compare(self, operator, now, left, right):
        a, b = (QUALITIES[node.value] if is_text(node) else now(node) for node in (left, right))
        if math.isnan(a) or math.isnan(b):
            return None
        return {
            ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b, ast.Eq: a == b, ast.NotEq: a != b,
        }[type(operator)]  # fmt: skip


def text_of(spec):
    text = spec.rule.strip()
    return f"({text}) and quality == 'live'" if spec.requires_live and "quality" not in text else text


class Reference:
    """Gives (trader, instrument, sequence, ts_event) for every signal."""

    def __init__(self, specs, describe):
        self.specs = sorted(specs, key=lambda spec: spec.name)
        self.trees = {spec.name: ast.parse(text_of(spec), mode="eval").body for spec in specs}
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
        if kind == Kind.STATS and code != StatsPart.PRICES:
            instrument.market["volume_rank"] = self.rank(instrument)
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
            seen = {each.key: each for each in self.instruments.values()}
            evaluator = Evaluator(instrument, LABELS.index(spec.interval), seen)
            holds = evaluator.condition(self.trees[spec.name], *frames) is True
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

    def rank(self, instrument):
        """Return the place among the instruments of the venue by quote volume."""
        own = instrument.market["quote_volume_24h"]
        venue = instrument.key.split(":")[0]
        others = [
            each.market["quote_volume_24h"] for each in self.instruments.values() if each.key.split(":")[0] == venue
        ]
        return 1.0 + sum(volume > own for volume in others) if own == own else NAN

    def note_others(self, instrument, code, when, frame):
        """Write into the bar that has closed what the rules of its interval see of other intervals."""
        bar = instrument.closed[code][-1]
        for spec in self.specs:
            if (spec.when, spec.interval) == (when, LABELS[code]):
                seen = Evaluator(instrument, code).others(self.trees[spec.name], frame)
                bar.others |= {(when, name): value for name, value in seen.items()}

    def names(self, spec):
        """Return the names in a rule that are of the instrument itself."""
        waiting, names = [self.trees[spec.name]], set()
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif not is_elsewhere(node):
                waiting += ast.iter_child_nodes(node)
        return names

    def due(self, spec, instrument):
        if spec.when == "close":
            return LABELS.index(spec.interval) in instrument.ended
        names = self.names(spec)
        return bool(names & instrument.changed) or ("bar" in instrument.changed and bool(names - MARKET - NO_COLUMNS))

    def follows(self, spec, instrument):
        """Whether a revision decides a rule: not an at-close rule that reads what it saw at that moment alone."""
        if spec.when == "tick":
            return True
        nodes = list(ast.walk(self.trees[spec.name]))
        used = [node.value for node in nodes if isinstance(node, ast.Constant) and node.value in LABELS]
        passing = any(is_elsewhere(node) or (isinstance(node, ast.Name) and node.id in TIMES) for node in nodes)
        return not passing and all(LABELS.index(label) >= LABELS.index(spec.interval) for label in used)

    def apply(self, instrument, ts_event, kind, code, flags, a, b, c, d):
        market = instrument.market
        ts_ms = ts_event // 1_000_000
        instrument.latest = max(instrument.latest, ts_event)
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
