"""Kraken as it was recorded: frames byte for byte, snapshots and REST from what was played."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.face import Asked, Reply, WireLimits
from tickfloor.simulator.kraken import frames, rest
from tickfloor.simulator.kraken.session import KrakenSession
from tickfloor.simulator.played_book import PlayedBook
from tickfloor.simulator.played_face import PlayedFace
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Streams, Subscriber

SNAPSHOT_TRADES: Final = 50


class RecordedKraken(PlayedFace):
    """Serves what captures hold to whoever subscribes; see RecordedFace.

    A book has the depth that it was recorded with, whatever is asked for: the answer says so.
    """

    # A client that says too much is told so by its session; and REST is asked five times a second by others.
    limits = WireLimits(
        messages_per_second=0, connections=150, connections_seconds=600.0, ping_seconds=0.0, pong_seconds=0.0
    )
    weight_per_minute = 300

    def __init__(self, settings: SimulatorSettings, conditions: Conditions) -> None:
        super().__init__("kraken", settings, conditions, Streams())
        self._depths: dict[str, int] = {}
        self._tickers: dict[str, bytes] = {}
        self._pairs: bytes | None = None
        self._sessions = 0

    # Of the captures

    def name_of(self, payload: bytes) -> tuple[str, str] | None:
        """Return channel and symbol of a frame with data, or None for anything else."""
        return frames.name_of(payload)

    def know_answer(self, payload: bytes) -> None:
        """Note the depth of a book that was subscribed to."""
        if not payload.startswith(b'{"method":"subscribe"'):
            return
        result = frames.SUBSCRIBED.decode(payload).result
        if result is not None and result.channel == "book" and result.depth:
            self._depths[result.symbol] = result.depth

    def know_frame(self, channel: str, symbol: str, payload: bytes) -> None:
        """Note decimals of price and quantity, a depth that no answer named, and the first ticker."""
        if channel == "ticker":
            self._tickers.setdefault(symbol, payload)
        elif channel == "trade":
            for trade in frames.trades_of(payload)[1]:
                self.note_decimals(symbol, trade.price, trade.qty)
        elif channel == "book" and b'"type":"snapshot"' in payload[:64]:
            for item in frames.BOOKS.decode(payload).data:
                for level in (*item.bids, *item.asks):
                    self.note_decimals(item.symbol, str(level.price), str(level.qty))
                most = max(len(item.bids), len(item.asks))
                deep = next((depth for depth in frames.DEPTHS if depth >= most), frames.DEPTHS[-1])
                self._depths.setdefault(item.symbol, deep)

    def know_body(self, ref: str, body: bytes) -> None:
        """Note the list of pairs, or trades."""
        url = urlsplit(ref)
        if url.path.endswith("/public/AssetPairs"):
            rest.recorded_pairs(body, [])
            self._pairs = body
        elif url.path.endswith("/public/Trades"):
            pair = parse_qs(url.query).get("pair", [""])[0]
            symbol = self._symbol_of(pair)
            if symbol is not None:
                self.trades_of(symbol).know(rest.recorded_trades(body, symbol))

    def take(self, channel: str, symbol: str, payload: bytes) -> None:
        """Take in a frame as it is played."""
        if channel == "book":
            frame = frames.BOOKS.decode(payload)
            for item in frame.data:
                if frame.type == "snapshot":
                    self.books[item.symbol] = PlayedBook(self._depths.get(item.symbol, 0))
                if item.symbol in self.books:
                    frames.update(self.books[item.symbol], item)
        elif channel == "trade":
            live, trades = frames.trades_of(payload)
            self.trades_of(symbol).play(trades, live=live)
        else:
            self.last[f"{channel}:{symbol}"] = payload

    # Of clients

    def session(self, path: str, connection: Subscriber) -> KrakenSession | None:
        """Return a session for the path of version 2."""
        if urlsplit(path).path != "/v2":
            return None
        self._sessions += 1
        return KrakenSession(self, connection, self._sessions)

    def depth_of(self, symbol: str) -> int | None:
        """Return the depth that a book was recorded with."""
        return self._depths.get(symbol)

    def snapshot(self, channel: str, symbol: str) -> bytes | None:
        """Return how a stream stands, or None while nothing of it was played."""
        if channel == "book":
            book = self.books.get(symbol)
            return None if book is None else frames.book_snapshot(symbol, book)
        if channel == "trade":
            trades = self.trades_of(symbol).so_far()[-SNAPSHOT_TRADES:]
            return frames.trades_snapshot(trades) if trades else None
        last = self.last.get(f"{channel}:{symbol}")
        return None if last is None else frames.as_snapshot(last)

    def serves(self, path: str) -> bool:
        """Say whether a REST path is Kraken's."""
        return path.startswith(rest.PATH)

    def rest(self, asked: Asked) -> Reply:
        """Answer from what was played."""
        name = asked.path.removeprefix(rest.PATH)
        if name == "AssetPairs":
            return Reply(200, rest.answer(self._asset_pairs()))
        if name == "Ticker":
            return self._ticker(asked)
        if name == "Trades":
            return self._trades_answer(asked)
        return Reply(200, rest.error("EGeneral:Unknown method"))

    def too_many(self, *, banned: bool) -> bytes:
        """Return Kraken's words for it."""
        return rest.error("EGeneral:Temporary lockout" if banned else "EAPI:Rate limit exceeded")

    # Inside

    def _symbol_of(self, pair: str) -> str | None:
        """Return the symbol that a name of REST is for."""
        return next((each for each in self.symbols() if pair in (each, rest.old_name(each), rest.pair_of(each))), None)

    def _asset_pairs(self) -> dict[str, Any]:
        """Return the recorded list as far as there are frames, or what frames tell where none was recorded."""
        symbols = self.symbols()
        found: dict[str, Any] = {} if self._pairs is None else dict(rest.recorded_pairs(self._pairs, symbols))
        for symbol in [] if found else symbols:
            found[rest.pair_of(symbol)] = rest.asset_pair(symbol, *self.decimals_of(symbol))
        return found

    def _ticker(self, asked: Asked) -> Reply:
        pairs = asked.query.get("pair")
        chosen = self.symbols() if pairs is None else [self._symbol_of(pair) for pair in pairs.split(",")]
        found: dict[str, Any] = {}
        for symbol in chosen:
            if symbol is None:
                return Reply(200, rest.error("EQuery:Unknown asset pair"))
            payload = self.last.get(f"ticker:{symbol}", self._tickers.get(symbol))
            if payload is not None:
                name = symbol if asked.query.get("assetVersion") == "1" else rest.pair_of(symbol)
                found[name] = rest.ticker(frames.TICKERS.decode(payload).data[0])
        return Reply(200, rest.answer(found))

    def _trades_answer(self, asked: Asked) -> Reply:
        pair = asked.query.get("pair", "")
        symbol = self._symbol_of(pair)
        if symbol is None:
            return Reply(200, rest.error("EQuery:Unknown asset pair"))
        try:
            count = min(int(asked.query.get("count", rest.MOST_TRADES)), rest.MOST_TRADES)
            since_ns = int(asked.query.get("since", 0))
        except ValueError:
            return Reply(200, rest.error("EGeneral:Invalid arguments"))
        if count < 1:
            return Reply(200, rest.error("EGeneral:Invalid arguments:count"))
        known = self.trades_of(symbol).so_far()
        later = [trade for trade in known if trade.time_ns > since_ns]
        rows, last = rest.trade_rows(later[:count] if since_ns else later[-count:])
        return Reply(200, rest.answer({pair: rows, "last": last}))
