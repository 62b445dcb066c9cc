"""How much memory this process can still be given: by the host, and by every control group it is in."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class _Files(NamedTuple):
    limit: str
    used: str
    reclaimable: str
    """line of ``memory.stat``: file pages that the kernel drops before it refuses anybody"""


_V2 = _Files("memory.max", "memory.current", "inactive_file")
_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that this host, and this container if it is one, can still give."""
    host = _field(proc / "meminfo", "MemAvailable:") << 10
    return min([host, *_left_in_groups(proc, cgroups)])


def _left_in_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield what is left in this process's groups and in all groups above them, versions 1 and 2."""
    try:
        memberships = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if not controllers:
            root, files = cgroups, _V2
        elif "memory" in controllers.split(","):
            root, files = cgroups / "memory", _V1
        else:
            continue
        # In a container the path may be the host's and not exist here; the root is then the container's own group.
        group = root / path.lstrip("/")
        for directory in (group, *group.parents):
            left = _left(directory, files)
            if left is not None:
                yield left
            if directory == root:
                break


def _left(directory: Path, files: _Files) -> int | None:
    try:
        limit = (directory / files.limit).read_text().strip()
        if limit == "max":
            return None
        used = int((directory / files.used).read_text())
        return int(limit) - used + _field(directory / "memory.stat", files.reclaimable)
    except OSError:
        return None


def _field(path: Path, name: str) -> int:
    with path.open() as lines:
        return next((int(words[1]) for words in map(str.split, lines) if words[0] == name), 0)
