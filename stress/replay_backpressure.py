"""In a replay nothing is overwritten that an attached reader still needs, even while that reader is dead.

The writer waits for the slowest hold. Readers are killed at random and succeeded from their checkpoints; the writer
is killed too, and its successor runs the same source from the beginning and goes on at the head.
"""

import mmap
import random
import time

import numpy as np

from stress import numbered_records
from stress.children import Child, all_killed
from stress.command import main
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import TapeReader, attach_reader
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.contracts.errors import TapeOverrunError

RUN_ID = 1
CAPACITY = 1024
READERS = 3
BEHIND = 100
"""Records that a reader holds on to behind its checkpoint, as one that must replay a window would."""

_END = 8 * READERS
"""Word, after a checkpoint a reader on lines of their own, that says where the source ends."""

OUTCOMES = (
    Outcome("read in order", Verdict.ACCEPTABLE, "the right record at the right place"),
    Outcome("read again", Verdict.ACCEPTABLE, "by a successor, from its checkpoint on"),
    Outcome("reader killed", Verdict.INTERESTING, "SIGKILL at a random moment, then a successor"),
    Outcome("writer killed", Verdict.INTERESTING, "SIGKILL at a random moment, then a successor"),
    Outcome("writer waited", Verdict.INTERESTING, "looks at holds that were too far behind"),
    Outcome("overrun", Verdict.FORBIDDEN, "the writer lapped an attached reader"),
    Outcome("out of order", Verdict.FORBIDDEN, "another record than the next"),
    Outcome("wrong content", Verdict.FORBIDDEN, "a record that mixes two"),
    Outcome("hold lost", Verdict.FORBIDDEN, "a held record could not be read again"),
    Outcome("never read", Verdict.FORBIDDEN, "a published record that a reader did not get by the end"),
)


def write(tape: int, table: int, incarnation: int, words: memoryview, tally: Tally) -> None:
    """Run the source from its beginning to its end, which is set when time is up."""
    lane = READERS + 1
    writer = TapeWriter(tape, table, run_id=RUN_ID, incarnation=incarnation, doorbells={}, wait_for_readers=True)
    waits = 0
    while not words[_END] or writer.sequence < words[_END]:
        numbered_records.append(writer)
        if writer.sequence % 16 == 0:
            writer.publish()
            if writer.waits > waits:
                tally.add(lane, "writer waited", writer.waits - waits)
                waits = writer.waits
    writer.publish()


def read(tape: int, table: int, index: int, words: memoryview, tally: Tally) -> None:
    """Read from the checkpoint to the end of the source."""
    reader = TapeReader(tape, table, run_id=RUN_ID, index=index)
    checkpoint = words[8 * index]
    rng = random.Random(checkpoint)
    reader.resume(max(0, checkpoint - BEHIND))
    held = True
    while not words[_END] or reader.position < words[_END]:
        position = reader.position
        try:
            copy = reader.read(rng.randrange(1, CAPACITY))
        except TapeOverrunError as error:
            tally.add(index, "hold lost" if held else "overrun")
            reader.resume(error.resume_at)
            reader.commit(error.resume_at)
            continue
        if not copy:
            time.sleep(0.0002)
            continue
        held = False
        records = numbered_records.parse(copy)
        expected = np.arange(position, position + len(records), dtype=np.uint64)
        tally.add(index, "out of order", int(np.count_nonzero(records["sequence"] != expected)))
        tally.add(index, "wrong content", numbered_records.wrong(records))
        again = min(len(records), max(0, words[8 * index] - position))
        tally.add(index, "read again", again)
        tally.add(index, "read in order", len(records) - again)
        if reader.position > words[8 * index]:
            words[8 * index] = reader.position
            reader.commit(max(0, reader.position - BEHIND))


def run(seconds: float, rng: random.Random) -> Tally:
    """Kill somebody every few hundredths of a second; then end the source and let everybody finish."""
    tally = Tally("replay_backpressure", OUTCOMES)
    tape, table = create_tape("stress", CAPACITY, RUN_ID)
    eyes = read_only(tape)
    words = memoryview(mmap.mmap(-1, 4096)).cast("Q")
    incarnation = 1

    def start(place: int) -> Child:
        if place < READERS:
            return Child(lambda: read(eyes, table, place, words, tally))
        return Child(lambda: write(tape, table, incarnation, words, tally))

    for index in range(READERS):
        attach_reader(table, index)
    until = time.monotonic() + seconds
    with all_killed([start(place) for place in range(READERS + 1)]) as children:
        while time.monotonic() < until:
            time.sleep(rng.uniform(0.005, 0.05))
            # The writer less often: its successor spends its time on what is there already.
            place = rng.randrange(READERS) if rng.random() < 0.95 else READERS
            children[place].kill()
            time.sleep(rng.choice((0.0, 0.0, 0.02)))
            if place == READERS:
                incarnation += 1
            children[place] = start(place)
            tally.add(READERS, "writer killed" if place == READERS else "reader killed")
        words[_END] = max(words[8 * index] for index in range(READERS)) + 4 * CAPACITY
        for child in children:
            if child.join():
                raise RuntimeError("a process failed; its traceback is above")
    for index in range(READERS):
        tally.add(READERS, "never read", max(0, words[_END] - words[8 * index]))
    return tally


if __name__ == "__main__":
    main(__doc__, run)
