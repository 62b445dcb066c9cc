from pathlib import Path

import pytest

from tickfloor.board.host_memory import available_memory

MIB = 1 << 20


class Host:
    """The files in which a kernel tells about memory."""

    def __init__(self, root: Path, available_mib: int, membership: str) -> None:
        self.proc, self.cgroups = root / "proc", root / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {available_mib << 10} kB\n")
        (self.proc / "self/cgroup").write_text(membership)

    def group(self, path: str, **files: str) -> None:
        directory = self.cgroups / path
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name.replace("__", ".")).write_text(content)

    def available(self) -> int:
        return available_memory(self.proc, self.cgroups)


@pytest.fixture
def host_of(tmp_path: Path):
    return lambda available_mib, membership: Host(tmp_path, available_mib, membership)


def test_without_groups_the_host_decides(host_of) -> None:
    assert host_of(100, "0::/\n").available() == 100 * MIB


def test_a_group_without_limit_does_not_matter(host_of) -> None:
    host = host_of(100, "0::/a\n")
    host.group("a", memory__max="max\n", memory__current="5\n", memory__stat="")
    assert host.available() == 100 * MIB


def test_a_limited_group_gives_what_it_has_left(host_of) -> None:
    host = host_of(100, "0::/a\n")
    host.group("a", memory__max=f"{50 * MIB}", memory__current=f"{30 * MIB}", memory__stat="inactive_file 0\n")
    assert host.available() == 20 * MIB


def test_pages_of_files_that_the_kernel_would_drop_count_as_free(host_of) -> None:
    host = host_of(100, "0::/a\n")
    host.group(
        "a",
        memory__max=f"{50 * MIB}",
        memory__current=f"{45 * MIB}",
        memory__stat=f"anon 1\ninactive_file {40 * MIB}\n",
    )
    assert host.available() == 45 * MIB


def test_the_tightest_group_above_decides(host_of) -> None:
    host = host_of(100, "0::/slice/worker\n")
    host.group("slice/worker", memory__max=f"{90 * MIB}", memory__current="0", memory__stat="")
    host.group("slice", memory__max=f"{50 * MIB}", memory__current=f"{45 * MIB}", memory__stat="")
    assert host.available() == 5 * MIB


def test_the_containers_own_group_at_the_root_counts(host_of) -> None:
    host = host_of(100, "0::/docker/not-visible-inside\n")
    host.group(".", memory__max=f"{10 * MIB}", memory__current=f"{MIB}", memory__stat="")
    assert host.available() == 9 * MIB


def test_version_1_groups_count_too(host_of) -> None:
    host = host_of(100, "4:cpu,cpuacct:/\n3:memory:/box\n0::/\n")
    host.group(
        "memory/box",
        memory__limit_in_bytes=f"{20 * MIB}",
        memory__usage_in_bytes=f"{15 * MIB}",
        memory__stat=f"total_inactive_file {3 * MIB}\n",
    )
    assert host.available() == 8 * MIB


def test_a_kernel_without_groups_is_asked_only_once(tmp_path: Path) -> None:
    host = Host(tmp_path, 100, "")
    (host.proc / "self/cgroup").unlink()
    assert host.available() == 100 * MIB


def test_this_machine_can_give_something() -> None:
    assert available_memory() > MIB
