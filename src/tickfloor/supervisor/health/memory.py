"""What a process costs in memory."""

from pathlib import Path


def proportional_share(pid: int) -> int:
    """Return a process's proportional set size, bytes; 0 when it is gone.

    Proportional: a page shared by n processes counts as 1/n in each, so the sum over workers is what they use.
    """
    return _rollup(pid).get("Pss:", 0)


def private_memory(pid: int) -> int:
    """Return the memory that is a process's own doing, bytes, in RAM or swapped out; 0 when it is gone.

    This is what ends with the process, and what grows when it leaks. Board, tape and checkpoints are memfd pages,
    which the kernel counts as shmem: they are in the resident set, in the unique set as long as nobody else maps
    them, and in the plain proportional share, and fill up as the market runs. ``Pss_Anon`` leaves them out, and the
    code that all workers map; a page still shared with the template after the fork counts as a share. ``SwapPss`` is
    the same pages once they are swapped out, again without shmem: a leak does not stop where swapping begins.
    """
    rollup = _rollup(pid)
    return rollup["Pss_Anon:"] + rollup["SwapPss:"] if rollup else 0


def _rollup(pid: int) -> dict[str, int]:
    """Return the kernel's sums over all mappings of a process, bytes by field; nothing when it is gone."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open() as lines:
            return {words[0]: int(words[1]) << 10 for words in map(str.split, lines) if words[-1] == "kB"}
    except (ProcessLookupError, FileNotFoundError):
        return {}
