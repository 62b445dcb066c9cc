"""nautilus_trader as people would use it for a thousand rules: one Strategy for each, which is given every trade.

Its own indicators know no forming bars of four intervals, so the columns are made outside, once, with TA-Lib, and the
strategies share them: what is timed beyond that is its way from a trade to a thousand strategies, and their rules.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.engine_market import Market
from benchmarks.engine_rules import BenchmarkRule, Comparison, Rules
from benchmarks.engine_talib import Handles, Tick
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind, Side

_PRICE_DECIMALS, _QTY_DECIMALS = 6, 3
_NONE: Final[tuple[int, ...]] = ()


def _module(name: str) -> Any:  # noqa: ANN401
    return importlib.import_module(f"nautilus_trader.{name}")


Strategy: Any = _module("trading.strategy").Strategy
TradeTick: Any = _module("model.data").TradeTick
Enums: Any = _module("model.enums")
Identifiers: Any = _module("model.identifiers")
Objects: Any = _module("model.objects")


class NautilusPeer:
    """A started engine; trades come one at a time."""

    def __init__(self, market: Market, rules: Rules) -> None:
        self._columns = {row: Handles(view, rules.columns) for row, view in market.views.items()}
        self._values: list[float] = []
        self._new: list[int] = []
        venue = Identifiers.Venue("RECORDED")
        self._ids = [Identifiers.InstrumentId(Identifiers.Symbol(each.symbol), venue) for each in market.instruments]
        self._engine = _engine(venue, self._ids)
        for number, rule in enumerate(rules.rules):
            self._engine.add_strategy(self._strategy(number, rule))
        self._trades = 0
        begin_ms = min(view.last_ts_event for view in market.views.values()) // 1_000_000
        self._engine.add_data([self._trade(0, begin_ms, 1.0, 1.0, Side.BUY)])
        self._engine.run(streaming=True)
        self._process = self._engine.kernel.data_engine.process
        self._new.clear()
        self._listening = True

    def _strategy(self, number: int, rule: BenchmarkRule) -> Any:  # noqa: ANN401
        """Return a strategy that notes when its rule matches and did not before."""
        holds, peer = _compiled(rule), self

        class OneRule(Strategy):  # type: ignore[misc]
            """One rule, on every instrument."""

            def __init__(self) -> None:
                super().__init__(_module("config").StrategyConfig(order_id_tag=f"{number:04}"))
                self._matched: dict[object, bool] = {}

            def on_start(self) -> None:
                """Ask for every trade: by one pattern, because 100,000 subscriptions take it minutes."""
                self.msgbus.subscribe("data.trades.RECORDED.*", self.on_trade_tick)

            def on_trade_tick(self, tick: Any) -> None:  # noqa: ANN401
                """Decide."""
                values = peer._values
                if not values:
                    return
                match = holds(values)
                instrument = tick.instrument_id
                if match and not self._matched.get(instrument, True):
                    peer._new.append(number)
                self._matched[instrument] = match

        return OneRule()

    def _trade(self, row: int, ts_ms: int, price: float, qty: float, side: int) -> Any:  # noqa: ANN401
        self._trades += 1
        aggressor = Enums.AggressorSide.BUYER if side == Side.BUY else Enums.AggressorSide.SELLER
        return TradeTick(
            self._ids[row], Objects.Price(price, _PRICE_DECIMALS), Objects.Quantity(max(qty, 0.001), _QTY_DECIMALS),
            aggressor, Identifiers.TradeId(str(self._trades)), ts_ms * 1_000_000, ts_ms * 1_000_000,
        )  # fmt: skip

    def take(self, tick: Tick) -> Sequence[int]:
        """Take a record; return the rules that match now and did not before. The first trade gives none."""
        of = self._columns[tick.row]
        if tick.kind == Kind.TRADE:
            of.bars.trade(tick.ts_ms, tick.price, tick.qty, tick.code == Side.BUY)
            self._values = of.values()
            self._new = []
            self._process(self._trade(tick.row, tick.ts_ms, tick.price, tick.qty, tick.code))
            return self._new
        if tick.kind == Kind.BAR_CLOSE and tick.code in of.bars.forming:
            of.close(Interval(tick.code))
        return _NONE


def _engine(venue: Any, ids: Sequence[Any]) -> Any:  # noqa: ANN401
    """Return an engine with instruments, and without all that is not needed here."""
    config, currencies = _module("config"), _module("model.currencies")
    engine = _module("backtest.engine").BacktestEngine(
        _module("backtest.config").BacktestEngineConfig(
            logging=config.LoggingConfig(bypass_logging=True),
            risk_engine=config.RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=venue, oms_type=Enums.OmsType.NETTING, account_type=Enums.AccountType.CASH, base_currency=None,
        starting_balances=[Objects.Money(1_000_000, currencies.USDT)],
    )  # fmt: skip
    for number, each in enumerate(ids):
        base = Objects.Currency(f"C{number:03}", 8, 0, f"C{number:03}", Enums.CurrencyType.CRYPTO)
        engine.add_instrument(
            _module("model.instruments").CurrencyPair(
                instrument_id=each, raw_symbol=each.symbol, base_currency=base, quote_currency=currencies.USDT,
                price_precision=_PRICE_DECIMALS, size_precision=_QTY_DECIMALS,
                price_increment=Objects.Price(10**-_PRICE_DECIMALS, _PRICE_DECIMALS),
                size_increment=Objects.Quantity(10**-_QTY_DECIMALS, _QTY_DECIMALS), ts_event=0, ts_init=0,
            )
        )  # fmt: skip
    return engine


def _compiled(rule: BenchmarkRule) -> Callable[[list[float]], bool]:
    """Return a rule as a function of the columns, as somebody would write it by hand."""
    clauses = ["(" + " or ".join(map(_written, clause)) + ")" for clause in rule.clauses]
    compiled: Callable[[list[float]], bool] = eval("lambda v: " + " and ".join(clauses), {})
    return compiled


def _written(comparison: Comparison) -> str:
    against = repr(comparison.factor)
    if comparison.right is not None:
        against += f" * v[{comparison.right}]"
    text = f"v[{comparison.left}] {'<' if comparison.below else '>'} {against}"
    return f"not {text}" if comparison.negated else text
