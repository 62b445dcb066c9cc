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
