"""A seeded market's frames without a socket, as a client of all its streams would receive them."""

from collections.abc import Iterator, Sequence
from typing import Final

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.face import Asked
from tickfloor.simulator.seeded import SeededSource
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.venues import SEEDED

STEP_NS: Final = 1_000_000
"""What happens within so long is received at one moment."""


class _Client:
    """Collects what is sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def send(self, payload: bytes) -> None:
        self.received.append(payload)

    def send_frame(self, frame: bytes) -> None:
        size = frame[1]
        self.received.append(frame[2 if size < 126 else 4 if size == 126 else 10 :])


def seeded_frames(settings: SimulatorSettings, streams: Sequence[str]) -> Iterator[tuple[int, str, bytes]]:
    """Yield receive time in ns UTC, kind as in a capture, and payload, without end: the instruments, then frames.

    Args:
        settings: of one venue, with its start.
        streams: of every instrument, as the venue names them after the ``@``.

    Raises:
        SimulatorError: not one venue, or one that is not seeded.
    """
    if len(settings.venues) != 1 or settings.venues[0] not in SEEDED:
        raise SimulatorError(f"one of {', '.join(SEEDED)} can be received offline, not {list(settings.venues)}")
    face = SEEDED[settings.venues[0]](settings, Conditions(), settings.start_ns)
    yield settings.start_ns, "H", face.rest(Asked("/api/v3/exchangeInfo", {}, {})).body
    client = _Client()
    names = [f"{each.symbol.lower()}@{stream}" for each in face.market.instruments for stream in streams]
    session = face.session("/stream", client)
    assert session is not None
    session.opened()
    for first in range(0, len(names), 100):
        asked = ",".join(f'"{name}"' for name in names[first : first + 100])
        session.message(b'{"method":"SUBSCRIBE","params":[%b],"id":1}' % asked.encode())
    client.received.clear()
    source = SeededSource([face], settings.start_ns, settings.rate)
    while True:
        due_ns = source.now_ns + STEP_NS
        while source.advance(due_ns):
            pass
        for payload in client.received:
            yield due_ns, "F", payload
        client.received.clear()
