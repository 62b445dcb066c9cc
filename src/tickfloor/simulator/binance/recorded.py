"""Binance as it was recorded: frames byte for byte, and REST from the recorded bodies and trades."""

import re
from typing import Any, Final

from tickfloor.simulator.binance.exchange_info import exchange_info_of, symbol_info
from tickfloor.simulator.binance.face import too_many
from tickfloor.simulator.binance.query import Query, RequestError
from tickfloor.simulator.binance.recorded_bodies import RecordedBodies, endpoint_of
from tickfloor.simulator.binance.recorded_trades import RecordedTrades
from tickfloor.simulator.binance.rest import MOST_ROWS
from tickfloor.simulator.binance.rules import BinanceRules
from tickfloor.simulator.binance.session import BinanceSession, place_of
from tickfloor.simulator.captured_face import CapturedFace
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.face import Asked, Reply
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Stream, Streams, Subscriber

_HEAD: Final = b'{"stream":"'
_DATA: Final = b'","data":'
_DIFF_DEPTH: Final = re.compile(r"depth(@\d+ms)?")
_QUOTES: Final = ("USDT", "USDC", "BUSD", "FDUSD", "EUR", "BTC", "ETH", "BNB", "USD_PERP", "USD")


class RecordedBinance(CapturedFace):
    """Serves what captures hold to whoever subscribes, whichever route it uses; see RecordedFace.

    A stream that was recorded under another name of the same kind (``depth@0ms`` for ``depth@100ms``, trades for
    aggregated trades) is sent under the recorded name.
    """

    def __init__(self, rules: BinanceRules, settings: SimulatorSettings, conditions: Conditions) -> None:
        super().__init__(rules.venue, conditions, Streams())
        self.rules = rules
        self.limits = rules.limits
        self.weight_per_minute = rules.weight_per_minute
        self._settings = settings
        self._bodies = RecordedBodies()
        self._trades: dict[str, RecordedTrades] = {}

    # Of the captures

    def know(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> None:
        """Note a stream's name, or a body."""
        self.now_ns = self.now_ns or recv_ns
        if kind == "F":
            name = _name_of(payload)
            # Answers to requests name no stream: whoever asks now gets answers of their own.
            if name is not None and not name.startswith("!"):
                self._names[name] = None
        elif kind == "H":
            self._bodies.add(recv_ns, ref, payload)
            name, symbol = endpoint_of(ref)
            if name in ("aggTrades", "trades", "historicalTrades") and symbol:
                self._of(symbol).take_rows(payload, orders=name == "aggTrades")

    def play(self, recv_ns: int, payload: bytes) -> None:
        """Send a frame as it was."""
        self.now_ns = max(self.now_ns, recv_ns)
        name = _name_of(payload)
        if name is None:
            return
        data = payload[len(_HEAD) + len(name) + len(_DATA) : -1]
        if name.endswith(("@trade", "@aggTrade")):
            self._of(self.symbol_of(name)).take_event(data)
        self.send(name, data)

    def symbol_of(self, stream: str) -> str:
        """Return the symbol that a stream's name names."""
        return stream.partition("@")[0].upper()

    def figures(self, symbol: str) -> dict[str, Any]:
        """Return the sums of the trades played so far."""
        return self._of(symbol).figures()

    # Of clients

    def session(self, path: str, connection: Subscriber) -> BinanceSession | None:
        """Return a session for one of Binance's paths."""
        place = place_of(self.rules, path)
        return None if place is None else BinanceSession(self, connection, place)

    def subscribe(self, name: str, route: str | None) -> Stream | None:
        """Return the recorded stream that comes nearest, or None."""
        del route
        if name in self._names:
            return self.streams.open(name)
        symbol, _, kind = name.partition("@")
        for other in self._names:
            of, _, what = other.partition("@")
            if of == symbol and _family(what) == _family(kind):
                return self.streams.open(other)
        return None

    def stamp_ms(self) -> int:
        """Return the time of the newest frame, ms UTC."""
        return self.now_ns // 1_000_000

    def serves(self, path: str) -> bool:
        """Say whether a REST path is one of this market's."""
        return path.startswith(self.rules.rest)

    def rest(self, asked: Asked) -> Reply:
        """Answer from what was recorded."""
        name = asked.path.removeprefix(self.rules.rest)
        try:
            return Reply(200, self._answer(name, Query(asked.query, asked.headers)), snapshot=name == "depth")
        except RequestError as error:
            return Reply(error.status, error.body)

    def too_many(self, *, banned: bool) -> bytes:
        """Return Binance's words for it."""
        return too_many(banned=banned)

    def weight_header(self, used: int) -> tuple[str, str]:
        """Return ``X-MBX-USED-WEIGHT-1M``."""
        return "X-MBX-USED-WEIGHT-1M", str(used)

    # Inside

    def _answer(self, name: str, query: Query) -> bytes:
        if name == "ping":
            return b"{}"
        if name == "time":
            return b'{"serverTime":%d}' % self.stamp_ms()
        if name == "exchangeInfo":
            return self._bodies.newest(name, "", self.now_ns) or self._exchange_info()
        if name == "ticker/24hr" and not query.has("symbol"):
            recorded = self._bodies.newest(name, "", self.now_ns)
            return recorded or b"[" + b",".join(self._of(symbol).day_row(symbol) for symbol in self.symbols()) + b"]"
        symbol = query.text("symbol")
        if symbol not in self.symbols():
            raise RequestError(-1121, "Invalid symbol.")
        if name in ("trades", "historicalTrades", "aggTrades"):
            limit = query.limit(500, MOST_ROWS)
            return self._of(symbol).rows(query.number("fromId"), limit, orders=name == "aggTrades")
        recorded = self._bodies.newest(name, symbol, self.now_ns)
        if recorded is None and name == "ticker/24hr":
            return self._of(symbol).day_row(symbol)
        if recorded is None:
            raise RequestError(-5000, f"the capture holds no {name} of {symbol}", status=404)
        return recorded

    def _exchange_info(self) -> bytes:
        """Return a list made of what the frames tell."""
        entries = []
        for symbol in self.symbols():
            quote = next((quote for quote in _QUOTES if symbol.endswith(quote)), "")
            decimals = self._bodies.decimals(symbol)
            entries.append(symbol_info(self.rules, symbol.removesuffix(quote), quote, *decimals, symbol=symbol))
        return exchange_info_of(self.rules, entries, self.stamp_ms())

    def _of(self, symbol: str) -> RecordedTrades:
        found = self._trades.get(symbol)
        if found is None:
            found = self._trades[symbol] = RecordedTrades(self._settings.kept_trades)
        return found


def _name_of(payload: bytes) -> str | None:
    """Return the stream of a combined frame, or None for anything else."""
    end = payload.find(b'"', len(_HEAD)) if payload.startswith(_HEAD) else -1
    if end < 0 or not payload.startswith(_DATA, end):
        return None
    return payload[len(_HEAD) : end].decode("latin-1")


def _family(kind: str) -> str:
    if kind in ("trade", "aggTrade"):
        return "trades"
    return "diff" if _DIFF_DEPTH.fullmatch(kind) else kind
