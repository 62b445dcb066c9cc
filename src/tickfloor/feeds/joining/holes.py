"""Which ids of an instrument's trades are missing, and when each range of them is asked for (again)."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from tickfloor.feeds.venue import Missing

AGAIN_NS: Final = 5_000_000_000
"""Between the first and the second question; it doubles from question to question."""
LONGEST_AGAIN_NS: Final = 300_000_000_000
MOST_QUESTIONS: Final = 8
"""After which a hole is given up: about ten minutes."""
ANSWER_IDS: Final = 1_000
"""An answer holds so many trades, and costs the same for one."""
NEAR_IDS: Final = 500
"""Holes closer together than this are one question, if an answer can fill them all."""


class Hole:
    """Missing ids, both included.

    Attributes:
        first, last: its ids.
        since_ns, until_ns: as in :class:`~tickfloor.feeds.venue.Missing`.
        opened_ns: when a later id was received.
        due_ns: when it is asked for next.
        questions: times it was asked for since the last answer that brought some of it.
        given_up: it is not asked for any more; what comes after all is taken.
    """

    __slots__ = ("due_ns", "first", "given_up", "last", "opened_ns", "questions", "since_ns", "until_ns")

    def __init__(self, missing: Missing, opened_ns: int, due_ns: int, questions: int = 0) -> None:
        self.first, self.last, self.since_ns, self.until_ns = missing
        self.opened_ns = opened_ns
        self.due_ns = due_ns
        self.questions = questions
        self.given_up = False

    @property
    def ids(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1

    @property
    def asked(self) -> bool:
        """Whether an answer is hoped for."""
        return self.questions > 0 and not self.given_up


class Holes:
    """The holes of one instrument, in order of their ids. Times are receive times, ns UTC."""

    __slots__ = ("_holes",)

    def __init__(self) -> None:
        self._holes: list[Hole] = []

    def __len__(self) -> int:
        return len(self._holes)

    def __iter__(self) -> Iterator[Hole]:
        return iter(self._holes)

    @property
    def ids(self) -> int:
        """How many ids are missing."""
        return sum(hole.ids for hole in self._holes)

    def open(self, missing: Missing, now_ns: int, due_ns: int) -> None:
        """Note missing ids, none of which is in a hole already."""
        self._holes.insert(self._place(missing.first_id), Hole(missing, now_ns, due_ns))

    def at(self, number: int) -> Hole | None:
        """Return the hole that an id is in."""
        place = self._place(number) - 1
        if place >= 0 and self._holes[place].last >= number:
            return self._holes[place]
        return None

    def first_from(self, number: int) -> int | None:
        """Return the first missing id that is not below a number."""
        place = self._place(number) - 1
        if place >= 0 and self._holes[place].last >= number:
            return number
        return self._holes[place + 1].first if place + 1 < len(self._holes) else None

    def close(self, first: int, last: int, *, made_ns: int = 0, ask_rest_at_ns: int | None = None) -> int:
        """Take ids out of the holes they are in.

        Args:
            made_ns: venue time of the trade that has come, ns UTC; 0: there is none, or it is not known.
            ask_rest_at_ns: what is left of a hole is asked for then, as if for the first time; None: when it was due.

        Returns:
            How many were missing.
        """
        place = self._place(first) - 1
        if place < 0 or self._holes[place].last < first:
            place += 1
        closed = 0
        while place < len(self._holes) and self._holes[place].first <= last:
            hole = self._holes.pop(place)
            closed += min(hole.last, last) - max(hole.first, first) + 1
            if ask_rest_at_ns is not None and not hole.given_up:
                hole.due_ns, hole.questions = ask_rest_at_ns, 0
            if hole.last > last:
                missing = Missing(last + 1, hole.last, made_ns or hole.since_ns, hole.until_ns)
                rest = Hole(missing, hole.opened_ns, hole.due_ns, hole.questions)
                rest.given_up = hole.given_up
                self._holes.insert(place, rest)
            if hole.first < first:
                hole.last, hole.until_ns = first - 1, made_ns or hole.until_ns
                self._holes.insert(place, hole)
                place += 1
        return closed

    def drop_oldest(self) -> int:
        """Forget the hole with the lowest ids and return how many they were."""
        return self._holes.pop(0).ids

    def clear(self) -> int:
        """Forget all and return how many ids were missing."""
        ids = self.ids
        self._holes.clear()
        return ids

    def give_up(self, now_ns: int) -> int:
        """Give up every hole that has been asked for often enough and return how many ids are missing in them."""
        ids = 0
        for hole in self._holes:
            if not hole.given_up and hole.questions >= MOST_QUESTIONS and hole.due_ns <= now_ns:
                hole.given_up = True
                ids += hole.ids
        return ids

    def questions(self, now_ns: int) -> list[Missing]:
        """Return what to ask for now, and note that it is asked for."""
        found: list[Missing] = []
        for hole in self._holes:
            if hole.given_up or hole.due_ns > now_ns:
                continue
            hole.due_ns = now_ns + min(AGAIN_NS << hole.questions, LONGEST_AGAIN_NS)
            hole.questions += 1
            if found and hole.first - found[-1].last_id <= NEAR_IDS and hole.last - found[-1].first_id < ANSWER_IDS:
                found[-1] = found[-1]._replace(last_id=hole.last, until_ns=hole.until_ns)
            else:
                found.append(Missing(hole.first, hole.last, hole.since_ns, hole.until_ns))
        return found

    def _place(self, number: int) -> int:
        """Return how many holes begin at or below an id."""
        return bisect_right(self._holes, number, key=_first)


def _first(hole: Hole) -> int:
    return hole.first
