"""No reader ever gets a torn row, book or bar: one writer, killed at random and succeeded, and readers that check.

Every publication repeats one ever-growing number in all its fields, so a copy that mixes two publications
shows. Bars carry their own number as well, so a bar in another's place shows.
"""

import random
import time

from stress.children import Child, all_killed
from stress.command import main
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader, Book
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import ROW, ROW_WORDS
from tickfloor.board.segment import map_read_only, read_only
from tickfloor.board.two_slot import LINE, size_of
from tickfloor.contracts.bars import BAR_WORDS
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

RUN_ID = 1
INSTRUMENTS = 2
READERS = 2
DEPTH = 24
LAYOUT = BoardLayout(INSTRUMENTS, DEPTH)

OUTCOMES = (
    Outcome("whole row", Verdict.ACCEPTABLE, "all 32 fields of one publication"),
    Outcome("whole book", Verdict.ACCEPTABLE, "all levels of one publication"),
    Outcome("whole bars", Verdict.ACCEPTABLE, "every bar whole and in its place"),
    Outcome("writer killed", Verdict.INTERESTING, "SIGKILL at a random moment, then a successor"),
    Outcome(
        "torn slot (control)", Verdict.INTERESTING, "a copy without the check; 0 would mean that nothing was tried"
    ),
    Outcome("torn row", Verdict.FORBIDDEN, "fields of two publications, accepted"),
    Outcome("torn book", Verdict.FORBIDDEN, "levels of two publications, accepted"),
    Outcome("torn bar", Verdict.FORBIDDEN, "numbers of two bars in one, accepted"),
    Outcome("bar out of place", Verdict.FORBIDDEN, "another bar than the one of that number"),
    Outcome("row went back", Verdict.FORBIDDEN, "an older publication after a newer one"),
    Outcome("row vanished", Verdict.FORBIDDEN, "nothing, after something had been published"),
)


def write(board: int, incarnation: int) -> None:
    """Write for ever. Numbers grow from one incarnation to the next."""
    writer = BoardWriter(board, run_id=RUN_ID, incarnation=incarnation)
    for index in range(INSTRUMENTS):
        writer.add_instrument(Instrument(index, "binance", f"PAIR{index}"))
    n = incarnation << 32
    while True:
        for index in range(INSTRUMENTS):
            n += 1
            writer.write_row(index, [n] * ROW_WORDS)
            writer.write_book(index, n, _levels(n, n % 21), _levels(n, n % 19))
            writer.write_forming(index, Interval.M1, [float(n)] * BAR_WORDS)
            closed = writer.closed_bars(index, Interval.M1)
            if n % 3 == 0:
                writer.append_bar(index, Interval.M1, _bar(closed, n))
            elif n % 37 == 0 and closed > 20:
                first = closed - n % 20
                # One more than there were, as when a late trade makes the bar of an empty minute.
                writer.rewrite_bars(index, Interval.M1, first, [_bar(k, n) for k in range(first, closed + 1)])


def read(board: int, lane: int, tally: Tally) -> None:
    """Read and check for ever."""
    reader = BoardReader(board, run_id=RUN_ID)
    mapping = map_read_only(board)
    newest = [0] * INSTRUMENTS
    while True:
        for index in range(INSTRUMENTS):
            newest[index] = _check_row(reader.row(index), newest[index], lane, tally)
            book = reader.book(index)
            if book is not None:
                tally.add(lane, "whole book" if _is_whole(book) else "torn book")
            _check_bars(reader, index, lane, tally)
            version = reader.row_version(index)
            start = LAYOUT.row(index) + LINE + (version + 1 & 1) * (size_of(ROW) - LINE) // 2
            if len(set(ROW.unpack_from(mapping, start))) > 1:
                tally.add(lane, "torn slot (control)")


def _check_row(row: tuple[float, ...] | None, newest: int, lane: int, tally: Tally) -> int:
    if row is None:
        if newest:
            tally.add(lane, "row vanished")
        return newest
    tally.add(lane, "whole row" if len(set(row)) == 1 else "torn row")
    if row[0] < newest:
        tally.add(lane, "row went back")
    return int(row[0])


def _check_bars(reader: BoardReader, index: int, lane: int, tally: Tally) -> None:
    closed, forming, count = reader.bars(index, Interval.M1, DEPTH)
    good = forming is None or len(set(forming)) == 1
    if not good:
        tally.add(lane, "torn bar")
    for number, bar in enumerate(closed, count - len(closed)):
        if len(set(bar[1:])) != 1:
            tally.add(lane, "torn bar")
            good = False
        elif bar[0] != number:
            tally.add(lane, "bar out of place")
            good = False
    if good:
        tally.add(lane, "whole bars")


def _bar(number: int, n: int) -> list[float]:
    return [float(number), *[float(n)] * (BAR_WORDS - 1)]


def _levels(n: int, count: int) -> list[tuple[float, float]]:
    return [(float(n), float(n + level)) for level in range(count)]


def _is_whole(book: Book) -> bool:
    n = book.update_id
    return book.bids == _levels(n, n % 21) and book.asks == _levels(n, n % 19)


def run(seconds: float, rng: random.Random) -> Tally:
    """Kill the writer every few hundredths of a second while readers check."""
    tally = Tally("torn_rows", OUTCOMES)
    board = create_board("stress", LAYOUT, RUN_ID)
    eyes = read_only(board)
    until = time.monotonic() + seconds
    incarnation = 1
    with all_killed([]) as children:
        children += [Child(lambda lane=lane: read(eyes, lane, tally)) for lane in range(1, READERS + 1)]  # type: ignore[misc]
        while time.monotonic() < until:
            number = incarnation
            writer = Child(lambda number=number: write(board, number))  # type: ignore[misc]
            children.append(writer)
            time.sleep(rng.uniform(0.005, 0.08))
            writer.kill()
            children.remove(writer)
            tally.add(0, "writer killed")
            # Now and then longer than a reader waits for a writer that died while it rewrote bars.
            time.sleep(rng.choice((0.0, 0.0, 0.05)))
            incarnation += 1
    return tally


if __name__ == "__main__":
    main(__doc__, run)
