"""What a process costs in memory."""

from pathlib import Path


def proportional_share(pid: int) -> int:
    """Return a process's proportional set size, bytes; 0 when it is gone.

    Proportional: a page shared by n processes counts as 1/n in each, so the sum over workers is what they use.
    """
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open() as lines:
            return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)
    except (ProcessLookupError, FileNotFoundError):
        return 0
