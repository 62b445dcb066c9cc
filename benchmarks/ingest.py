"""Trade frames a second on one core: bytes of a frame in, board and tape written and published.

The frames are the recorded ones of Binance spot and USD-M when they are at hand, else generated ones of 100
instruments. Ours is the real adapter with the real tape and board, published every 16 frames as after a socket read.
"""

import json
import mmap
import os
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.harness import Case, main
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.contracts.instruments import Instrument
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.recording.capture import Capture
from tickfloor.feeds.venue import NoRepairs
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter

CAPTURES = Path(os.environ.get("TICKFLOOR_DATA", Path(__file__).parents[2] / "shared" / "data")) / "raw"
"""Beside the repository, as the tests have it."""

NAMES = {
    "binance": "binance_spot_btcusdt_20240808.frames.gz",
    "binance-usdm": "binance_usdm_btcusdt_20240808.frames.gz",
}
GENERATED_INSTRUMENTS, GENERATED_FRAMES = 100, 20_000
AT_ONCE = 16
RUN_ID = 1
RING = 1 << 16

Frame = tuple[int, bytes]
"""Receive time, ns UTC, and the frame."""


class _Data(msgspec.Struct):
    """A trade as somebody declares it who only wants it fast; an aggregate's own id is ``a``."""

    s: str
    p: str
    q: str
    T: int
    m: bool
    t: int = 0
    a: int = 0


class _Wrapped(msgspec.Struct):
    data: _Data


def frames() -> dict[str, list[Frame]]:
    """Return the trade frames of each venue."""
    found = {}
    for venue, name in NAMES.items():
        path = CAPTURES / name
        if path.exists():
            found[venue] = [
                (recv_ns, payload)
                for recv_ns, kind, _, payload, _ in Capture(path)
                if kind == "F" and (b'"e":"trade"' in payload or b'"e":"aggTrade"' in payload)
            ]
    return found or {"binance": [_generated(number) for number in range(GENERATED_FRAMES)]}


def _generated(number: int) -> Frame:
    symbol = f"COIN{number % GENERATED_INSTRUMENTS}USDT"
    ms = 1_723_075_200_000 + number * 3
    text = (
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":{ms},"s":"{symbol}","t":{number + 1},'
        f'"p":"{100 + number % 7}.25000000","q":"0.0{number % 9 + 1}000000","T":{ms},'
        f'"m":{str(number % 2 == 0).lower()},"M":true}}}}'
    )
    return ms * 1_000_000, text.encode()


def ours(venues: dict[str, list[Frame]]) -> float:
    """Send every frame through the adapter of its venue; time everything but making the segments."""
    tape_fds = create_tape("benchmark", RING, RUN_ID)
    board_fd = create_board("benchmark", BoardLayout(2 * GENERATED_INSTRUMENTS, 500), RUN_ID)
    tape = TapeWriter(*tape_fds, run_id=RUN_ID, incarnation=1, doorbells={})
    board = BoardWriter(board_fd, run_id=RUN_ID, incarnation=1)
    catalogue: dict[tuple[str, str], Instrument] = {}

    def assign(venue: str, symbol: str) -> Instrument:
        return catalogue.setdefault((venue, symbol), Instrument(len(catalogue), venue, symbol))

    began = time.perf_counter()
    for venue, its_frames in venues.items():
        publisher = MarketPublisher(tape, board, assign, venue)
        nobody = NoRepairs()
        adapter = BinanceAdapter(venue, publisher, joins=TradeJoins(nobody, hold_ns=0), repairs=nobody)
        on_frame, flush = adapter.reader("benchmark"), publisher.flush
        for first in range(0, len(its_frames), AT_ONCE):
            for recv_ns, payload in its_frames[first : first + AT_ONCE]:
                on_frame(recv_ns, payload)
            flush()
    seconds = time.perf_counter() - began
    count = sum(map(len, venues.values()))
    if tape.sequence < count:
        raise AssertionError(f"{count} trades made {tape.sequence} records")
    tape.close()
    board.close()
    for fd in (*tape_fds, board_fd):
        os.close(fd)
    return count / seconds


def into_ring(venues: dict[str, list[Frame]], decode: Callable[[bytes], _Data]) -> float:
    """Decode every frame and pack it into a ring and a row: no bars, no checks, no publication."""
    record = struct.Struct("<QqqIBBHdddd")
    row = struct.Struct("<Qqqdd")
    ring = mmap.mmap(-1, RING * record.size)
    rows = mmap.mmap(-1, 4096)
    instruments: dict[str, int] = {}
    sequence = 0
    began = time.perf_counter()
    for its_frames in venues.values():
        for recv_ns, payload in its_frames:
            trade = decode(payload)
            instrument = instruments.setdefault(trade.s, len(instruments) % 64)
            price, quantity, ts_event = float(trade.p), float(trade.q), trade.T * 1_000_000
            side = 2 if trade.m else 1
            record.pack_into(
                ring, sequence % RING * 64, sequence, ts_event, recv_ns, instrument, 1, side, 0,
                price, quantity, trade.t or trade.a, 1.0,
            )  # fmt: skip
            row.pack_into(rows, instrument * 64, sequence, ts_event, recv_ns, price, quantity)
            sequence += 1
    return sequence / (time.perf_counter() - began)


def _decode_with_json(payload: bytes) -> _Data:
    data = json.loads(payload)["data"]
    return _Data(data["s"], data["p"], data["q"], data["T"], data["m"], data.get("t", 0), data.get("a", 0))


def decoding_alone(venues: dict[str, list[Frame]]) -> float:
    """Decode every frame and drop it."""
    decode = msgspec.json.Decoder(_Wrapped).decode
    began = time.perf_counter()
    for its_frames in venues.values():
        for _, payload in its_frames:
            decode(payload)
    return sum(map(len, venues.values())) / (time.perf_counter() - began)


def cases(quick: bool) -> Sequence[Case]:
    """Return the one case."""
    venues = frames()
    if quick:
        venues = {venue: its_frames[:2000] for venue, its_frames in venues.items()}
    decode = msgspec.json.Decoder(_Wrapped).decode
    return [
        Case(
            name="trade frames/s, decode to board and tape",
            unit="frames/s",
            ours=lambda: ours(venues),
            baselines={
                "msgspec decode, then struct.pack_into ring": lambda: into_ring(venues, lambda p: decode(p).data),
                "json.loads, then struct.pack_into ring": lambda: into_ring(venues, _decode_with_json),
            },
            limit=lambda: decoding_alone(venues),
            target=200_000.0,
        )
    ]


if __name__ == "__main__":
    main("ingest", __doc__, cases)
