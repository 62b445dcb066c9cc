"""No wake is missed between a reader that goes to sleep and a writer that publishes.

Two parts. The handshake alone: both sides meet at a point and then publish and announce at once, without a kernel
sleep in the way, a few hundred thousand times a second. The whole: a reader that sleeps in the kernel until rung.
A missed wake is a reader asleep though the head has moved and nobody rings.
"""

import mmap
import os
import random
import time

from stress.children import Child, all_killed
from stress.command import main
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.board.waiting import Doorbell

RUN_ID = 1
CAPACITY = 4096
PATIENCE = 5.0
"""Seconds after which a sleeper counts as forgotten, far beyond any delay of a loaded machine."""

_PUBLISHER, _SLEEPER, _PUBLISHED, _DECIDED, _RANG, _STOP = range(0, 48, 8)
"""Words of the meeting point, each on a cache line of its own."""

OUTCOMES = (
    Outcome("handshake: saw the record", Verdict.ACCEPTABLE, "the reader looked after the record and stayed awake"),
    Outcome("handshake: slept, rung", Verdict.ACCEPTABLE, "the writer looked after the request and rang"),
    Outcome("handshake: awake and rung", Verdict.ACCEPTABLE, "both saw the other; the reader looks once for nothing"),
    Outcome("woken", Verdict.ACCEPTABLE, "a reader asleep in the kernel was rung"),
    Outcome("did not sleep", Verdict.ACCEPTABLE, "the record was there before the reader slept"),
    Outcome("handshake: missed wake", Verdict.FORBIDDEN, "the reader slept and the writer did not ring"),
    Outcome("missed wake", Verdict.FORBIDDEN, "a reader slept on although the head had moved"),
)


def publish_in_step(tape: int, table: int, bell: int, meeting: memoryview) -> None:
    """Publish one record a round, at the moment the reader announces its sleep."""
    writer = TapeWriter(tape, table, run_id=RUN_ID, incarnation=1, doorbells={0: bell})
    round_ = 0
    while not meeting[_STOP]:
        round_ += 1
        writer.append(0, 0, 0, 1, 0, 0, 0.0, 0.0, 0.0, 0.0)
        rings = writer.rings
        meeting[_PUBLISHER] = round_
        if not _reached(meeting, _SLEEPER, round_):
            return
        writer.publish()
        meeting[_RANG] = writer.rings - rings
        meeting[_PUBLISHED] = round_
        if not _reached(meeting, _DECIDED, round_):
            return


def sleep_in_step(tape: int, table: int, bell: int, meeting: memoryview, until: float, tally: Tally) -> None:
    """Announce a sleep every round and compare what both sides decided."""
    reader = TapeReader(tape, table, run_id=RUN_ID, index=0)
    rng = random.Random(2)
    delay = 0
    round_ = 0
    while time.monotonic() < until:
        round_ += 1
        _reached(meeting, _PUBLISHER, round_)
        meeting[_SLEEPER] = round_
        for _ in range(delay + rng.randrange(3)):
            pass
        asleep = reader.announce_sleep()
        # Kept where it is undecided who comes first: that is where a wake can be missed.
        delay = delay + 1 if asleep else max(0, delay - 1)
        _reached(meeting, _PUBLISHED, round_)
        rang = meeting[_RANG]
        if not asleep:
            tally.add(0, "handshake: awake and rung" if rang else "handshake: saw the record")
        else:
            tally.add(0, "handshake: slept, rung" if rang else "handshake: missed wake")
        if rang:
            os.eventfd_read(bell)
        reader.announce_wake()
        reader.read()
        meeting[_DECIDED] = round_
    meeting[_STOP] = 1


def _reached(meeting: memoryview, word: int, round_: int) -> bool:
    """Spin until the other side has reached a round; say whether it will at all."""
    turns = 0
    while meeting[word] < round_:
        turns += 1
        if turns % 1000 == 0:
            # The other side may be waiting for this very core.
            os.sched_yield()
            if meeting[_STOP]:
                return False
    return True


def publish_at_random(tape: int, table: int, bell: int) -> None:
    """Publish for ever, with pauses from none to longer than a wake takes."""
    writer = TapeWriter(tape, table, run_id=RUN_ID, incarnation=1, doorbells={0: bell})
    rng = random.Random(3)
    while True:
        writer.append(0, 0, 0, 1, 0, 0, 0.0, 0.0, 0.0, 0.0)
        writer.publish()
        pause = time.perf_counter() + rng.choice((0.0, 0.0, 0.00001, 0.00005, 0.0003))
        while time.perf_counter() < pause:
            pass


def sleep_until_rung(tape: int, table: int, bell: int, until: float, tally: Tally) -> None:
    """Sleep in the kernel whenever there is nothing to read."""
    reader = TapeReader(tape, table, run_id=RUN_ID, index=0)
    doorbell = Doorbell(bell, ())
    while time.monotonic() < until:
        while reader.read():
            pass
        began = time.monotonic()
        moved = reader.head() > reader.position
        doorbell.wait(reader, PATIENCE)
        if time.monotonic() - began >= PATIENCE and reader.head() > reader.position:
            tally.add(1, "missed wake")
        else:
            tally.add(1, "did not sleep" if moved else "woken")


def run(seconds: float, _rng: random.Random) -> Tally:
    """Half the time for each part."""
    tally = Tally("doorbell", OUTCOMES)
    for part in ("handshake", "kernel"):
        tape, table = create_tape("stress", CAPACITY, RUN_ID)
        eyes = read_only(tape)
        bell = os.eventfd(0)
        until = time.monotonic() + seconds / 2
        with all_killed([]) as children:
            if part == "handshake":
                meeting = memoryview(mmap.mmap(-1, 4096)).cast("Q")
                children.append(Child(lambda: publish_in_step(tape, table, bell, meeting)))  # noqa: B023
                children.append(Child(lambda: sleep_in_step(eyes, table, bell, meeting, until, tally)))  # noqa: B023
            else:
                children.append(Child(lambda: publish_at_random(tape, table, bell)))  # noqa: B023
                children.append(Child(lambda: sleep_until_rung(eyes, table, bell, until, tally)))  # noqa: B023
            if children[1].join():
                raise RuntimeError("the reader failed; its traceback is above")
        for fd in (tape, table, eyes, bell):
            os.close(fd)
    return tally


if __name__ == "__main__":
    main(__doc__, run)
