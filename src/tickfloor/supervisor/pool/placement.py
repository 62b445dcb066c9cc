"""Which worker a trader lives in: the one where it adds the fewest new columns, within an even share.

A column costs a worker the same for one trader or for hundreds, so traders that share columns belong together.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Worker = TypeVar("Worker", int, str)


def place(columns: Mapping[str, Sequence[str]], workers: int) -> dict[str, int]:
    """Return the worker index of every trader, in the order given.

    Args:
        columns: per trader, the distinct columns that its rule needs.
        workers: how many there are, at least 1.
    """
    shares = _Shares(range(workers), len(columns))
    return {trader: shares.put(needed) for trader, needed in columns.items()}


def spread(
    present: Mapping[str, Sequence[str]], columns: Mapping[str, Sequence[str]], workers: Sequence[str]
) -> dict[str, str]:
    """Return the worker of every trader when they are spread over these workers, moving as few as will do.

    Args:
        present: per worker, its traders now; a worker that is not among ``workers`` loses all of them.
        columns: per trader, the distinct columns that its rule needs.
        workers: names, at least one.
    """
    shares = _Shares(workers, sum(map(len, present.values())))
    placed: dict[str, str] = {}
    moving: list[str] = []
    # Those that leave a worker are its last: who came first has been there the longest.
    for name, traders in present.items():
        for trader in traders:
            if name in workers and shares.has_room(name):
                shares.put_into(name, columns.get(trader, ()))
                placed[trader] = name
            else:
                moving.append(trader)
    return placed | {trader: shares.put(columns.get(trader, ())) for trader in moving}


class _Shares(Generic[Worker]):
    """How full workers are: none has two traders more than another in the end."""

    def __init__(self, workers: Iterable[Worker], traders: int) -> None:
        self._columns: dict[Worker, set[str]] = {worker: set() for worker in workers}
        self._counts: dict[Worker, int] = dict.fromkeys(self._columns, 0)
        self._share, self._larger = divmod(traders, len(self._counts))

    def has_room(self, worker: Worker) -> bool:
        """Return whether a worker may have another trader; so many may have one above the even share."""
        count = self._counts[worker]
        return count < self._share or (count == self._share and self._larger > 0)

    def put_into(self, worker: Worker, needed: Iterable[str]) -> None:
        """Count a trader in, with the columns that it needs."""
        self._larger -= self._counts[worker] == self._share
        self._counts[worker] += 1
        self._columns[worker].update(needed)

    def put(self, needed: Sequence[str]) -> Worker:
        """Count a trader in where it adds the fewest columns, the emptier worker first; return where."""
        wanted = set(needed)
        open_ones = [worker for worker in self._counts if self.has_room(worker)]
        best: Worker = min(open_ones, key=lambda worker: (len(wanted - self._columns[worker]), self._counts[worker]))
        self.put_into(best, wanted)
        return best
