"""A floor as lines of text, for logs and pipes: one a second, and one per signal."""

from collections.abc import Callable
from typing import IO, Literal

from tickfloor.contracts.events import FloorStatus
from tickfloor.contracts.signals import Signal

_LINE_SECONDS = 1.0


class PlainLines:
    """Writes what changed."""

    def __init__(self, stream: IO[str], view: Literal["floor", "replay"]) -> None:
        self._stream = stream
        self._line: Callable[[FloorStatus], str] = _floor_line if view == "floor" else _replay_line
        self._signals = view == "floor"
        self._next = 0.0
        self._shown = 0
        self._whole = False

    def show(self, status: FloorStatus) -> None:
        """Write the signals that are new and, once a second, how the floor is."""
        fresh = min(status.signals - self._shown, len(status.recent))
        self._shown = status.signals
        if self._signals and fresh:
            for signal in status.recent[-fresh:]:
                print(_signal_line(signal), file=self._stream)
        whole = status.feed is not None and status.feed.progress >= 1.0
        if status.uptime >= self._next or (whole and not self._whole):
            self._whole = whole
            self._next = status.uptime + _LINE_SECONDS
            print(self._line(status), file=self._stream)
        self._stream.flush()


def _floor_line(status: FloorStatus) -> str:
    feed = status.feed
    memory = sum(worker.memory for worker in status.workers) / (1 << 20)
    ready = sum(worker.state == "ready" for worker in status.workers)
    instruments, records = (0, 0) if feed is None else (feed.instruments, feed.records)
    return (
        f"{status.uptime:7.1f} s  instruments {instruments}  records {records:,} ({records / status.uptime:,.0f}/s)  "
        f"signals {status.signals:,}  latency p50 {_us(status.latency_p50_us)} p99 {_us(status.latency_p99_us)}  "
        f"workers {ready}/{len(status.workers)}  memory {memory:.0f} MiB  lost {status.lost}"
        f"{'' if status.effects_allowed else '  EFFECTS STOPPED'}"
    )


def _replay_line(status: FloorStatus) -> str:
    feed = status.feed
    frames, done = (0, 0.0) if feed is None else (feed.frames, feed.progress)
    return f"replay {done:4.0%}  frames {frames:,}  signals {status.signals:,}  lost {status.lost}"


def _signal_line(signal: Signal) -> str:
    values = " ".join(
        f"{name}={'unknown' if value is None else f'{value:.8g}'}" for name, value in signal.values.items()
    )
    return f"signal {signal.trader}  {signal.instrument}  {values}  [{signal.correlation_id}]"


def _us(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} µs"
