"""Which worker a trader lives in: the one where it adds the fewest new columns, within an even share."""

from collections.abc import Mapping, Sequence


def place(columns: Mapping[str, Sequence[str]], workers: int) -> dict[str, int]:
    """Return the worker index of every trader, in the order given.

    A column costs a worker the same for one trader or for hundreds, so traders that share columns belong
    together; no worker takes more than its even share of traders, rounded up.

    Args:
        columns: per trader, the distinct columns that its rule needs.
        workers: how many there are, at least 1.
    """
    share = -(-len(columns) // workers)
    present: list[set[str]] = [set() for _ in range(workers)]
    counts = [0] * workers
    placed = {}
    for trader, needed in columns.items():
        open_workers = [index for index in range(workers) if counts[index] < share]
        best = min(open_workers, key=lambda index: (len(set(needed) - present[index]), counts[index], index))
        present[best].update(needed)
        counts[best] += 1
        placed[trader] = best
    return placed


def spread(
    present: Mapping[str, Sequence[str]], columns: Mapping[str, Sequence[str]], workers: Sequence[str]
) -> dict[str, str]:
    """Return the worker of every trader when they are spread over these workers, moving as few as will do.

    Args:
        present: per worker, its traders now; a worker that is not among ``workers`` loses all of them.
        columns: per trader, the distinct columns that its rule needs.
        workers: names, at least one.
    """
    total = sum(map(len, present.values()))
    share = -(-total // len(workers))
    staying = {name: list(present.get(name, ()))[:share] for name in workers}
    placed = {trader: name for name, traders in staying.items() for trader in traders}
    there = {name: {column for trader in staying[name] for column in columns.get(trader, ())} for name in workers}
    counts = {name: len(staying[name]) for name in workers}
    # Those that leave a worker are its last: who came first has been there the longest.
    for trader in (trader for traders in present.values() for trader in traders if trader not in placed):
        needed = set(columns.get(trader, ()))
        open_ones = [name for name in workers if counts[name] < share]
        best = min(open_ones, key=lambda name: (len(needed - there[name]), counts[name]))
        there[best].update(needed)
        counts[best] += 1
        placed[trader] = best
    return placed
