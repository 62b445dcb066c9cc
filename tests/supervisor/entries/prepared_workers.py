"""Workers whose template can prepare something for all of them; loaded in worker processes only."""

import os
import signal

from odd_workers import Plain

from tickfloor.contracts.commands import Inspected

prepared: list[bytes] = []


def prepare(payload):
    """Keep the payload; one that is told to does not succeed."""
    if payload == b"fail":
        raise ValueError("nothing can be made of this")
    if payload == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if payload == b"hang":
        signal.pause()
    prepared.append(payload)


class Prepared(Plain):
    """Answers any command with what was prepared, and dies by SIGKILL of StopFeed."""

    def apply(self, sequence, body):
        super().apply(sequence, body)
        return Inspected(modules=tuple(payload.decode()[:20] for payload in prepared))
