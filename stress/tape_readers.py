"""Every record is read once, in order and right, or reported lost: unlimited writer, fast and slow readers.

The writer never waits, publishes groups of random size and is killed at random; its successor goes on at the head.
"""

import os
import random
import time

import numpy as np

from stress import numbered_records
from stress.children import Child, all_killed
from stress.command import main
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.contracts.errors import TapeOverrunError

RUN_ID = 1
CAPACITY = 4096
GROUP = 200
"""Most records between two publications."""
PAUSES = (0.0, 0.0, 0.001, 0.01)
"""Longest pause of each reader between two reads, seconds. One more reader keeps to the edge of being lapped."""
EDGE = len(PAUSES)
READERS = len(PAUSES) + 1

OUTCOMES = (
    Outcome("read in order", Verdict.ACCEPTABLE, "the right record at the right place"),
    Outcome("reported lost", Verdict.ACCEPTABLE, "in the range of a TapeOverrunError"),
    Outcome("overrun", Verdict.INTERESTING, "the writer lapped a reader"),
    Outcome("writer killed", Verdict.INTERESTING, "SIGKILL at a random moment, then a successor at the head"),
    Outcome("out of order", Verdict.FORBIDDEN, "another record than the next: skipped, repeated or overwritten"),
    Outcome("wrong content", Verdict.FORBIDDEN, "a record that mixes two"),
    Outcome("wrong report", Verdict.FORBIDDEN, "an overrun that does not begin where the reader is"),
    Outcome("neither", Verdict.FORBIDDEN, "at the end, neither read nor reported"),
    Outcome("both", Verdict.FORBIDDEN, "at the end, read and reported"),
)


def write(tape: int, readers: int, incarnation: int) -> None:
    """Append for ever, from where the writer before had published."""
    writer = TapeWriter(tape, readers, run_id=RUN_ID, incarnation=incarnation, doorbells={})
    writer.sequence = writer.resumed_at
    rng = random.Random(incarnation)
    if writer.resumed_at:
        # So that readers look at what the writer before had begun to overwrite.
        numbered_records.append(writer)
        writer.publish()
        time.sleep(0.005)
    while True:
        for _ in range(rng.randrange(1, GROUP)):
            numbered_records.append(writer)
        writer.publish()


def read(tape: int, readers: int, index: int, stop: int, tally: Tally) -> None:
    """Read to the head that stands when the writer has been stopped."""
    reader = TapeReader(tape, readers, run_id=RUN_ID, index=index)
    rng = random.Random(index)
    taken = 0
    stopped = False
    head = 0
    while True:
        position = reader.position
        limit = rng.randrange(1, 2 * CAPACITY)
        if index == EDGE and not stopped:
            # Looks only when the head has moved, so that the first look after a writer's death is at its successor's
            # tape, and goes no further than to where the next group would lap it.
            while reader.head() == head and not stopped:
                stopped = _rung(stop)
            head = reader.head()
            limit = max(1, head + rng.randrange(GROUP) - CAPACITY - position)
        try:
            copy = reader.read(limit)
        except TapeOverrunError as error:
            tally.add(index, "overrun")
            tally.add(index, "reported lost", error.resume_at - error.first_lost)
            if error.first_lost != position or error.resume_at <= position:
                tally.add(index, "wrong report")
            reader.resume(error.resume_at)
            continue
        if copy:
            records = numbered_records.parse(copy)
            expected = np.arange(position, position + len(records), dtype=np.uint64)
            strangers = int(np.count_nonzero(records["sequence"] != expected))
            tally.add(index, "out of order", strangers)
            tally.add(index, "wrong content", numbered_records.wrong(records))
            tally.add(index, "read in order", len(records) - strangers)
            taken += len(records)
        elif stopped:
            break
        else:
            stopped = _rung(stop)
        if not stopped and index != EDGE and PAUSES[index]:
            time.sleep(rng.uniform(0, PAUSES[index]))
    difference = reader.head() - taken - reader.lost
    tally.add(index, "neither", max(0, difference))
    tally.add(index, "both", max(0, -difference))


def _rung(stop: int) -> bool:
    """Return whether the event has been set, and leave it so for the others."""
    try:
        os.eventfd_read(stop)
    except BlockingIOError:
        return False
    os.eventfd_write(stop, 1)
    return True


def run(seconds: float, rng: random.Random) -> Tally:
    """Kill the writer now and then while readers read, then let them finish."""
    tally = Tally("tape_readers", OUTCOMES)
    tape, table = create_tape("stress", CAPACITY, RUN_ID)
    eyes = read_only(tape)
    stop = os.eventfd(0, os.EFD_NONBLOCK)
    until = time.monotonic() + seconds
    incarnation = 1
    with all_killed([]) as children:
        readers = [Child(lambda k=k: read(eyes, table, k, stop, tally)) for k in range(READERS)]  # type: ignore[misc]
        children += readers
        while time.monotonic() < until:
            number = incarnation
            writer = Child(lambda number=number: write(tape, table, number))  # type: ignore[misc]
            children.append(writer)
            time.sleep(rng.uniform(0.02, 0.2))
            writer.kill()
            children.remove(writer)
            tally.add(READERS, "writer killed")
            incarnation += 1
        os.eventfd_write(stop, 1)
        for reader in readers:
            if reader.join():
                raise RuntimeError("a reader failed; its traceback is above")
    return tally


if __name__ == "__main__":
    main(__doc__, run)
