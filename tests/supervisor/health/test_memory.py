import mmap
import os
import subprocess
import sys

import pytest

from tickfloor.supervisor.health.memory import private_memory, proportional_share

MIB = 1 << 20
CHILD = f"""
import mmap, sys
board = mmap.mmap(int(sys.argv[1]), 64 * {MIB})
own = mmap.mmap(-1, 32 * {MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
print(flush=True)
for line in sys.stdin:
    pages = own if line == "own\\n" else board
    for at in range(0, len(pages), mmap.PAGESIZE):
        pages[at] = 1
    print(flush=True)
"""


@pytest.fixture
def child():
    fd = os.memfd_create("board")
    os.truncate(fd, 64 * MIB)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(fd)], pass_fds=(fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()
    os.close(fd)


def tell(process, word):
    process.stdin.write(word + b"\n")
    process.stdin.flush()
    process.stdout.readline()


def test_what_a_process_allocates_is_its_own(child):
    before = private_memory(child.pid)
    tell(child, b"own")
    assert private_memory(child.pid) - before == pytest.approx(32 * MIB, abs=MIB)


def test_shared_segments_are_nobodys_own_though_nobody_else_maps_them(child):
    before, shares = private_memory(child.pid), proportional_share(child.pid)
    tell(child, b"board")
    assert proportional_share(child.pid) - shares >= 60 * MIB
    assert private_memory(child.pid) - before < MIB


def test_what_is_gone_has_none(child):
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert private_memory(child.pid) == proportional_share(child.pid) == 0
    child.wait()
    assert private_memory(child.pid) == proportional_share(child.pid) == 0


def test_this_process_has_some():
    kept = mmap.mmap(-1, MIB)
    assert 0 < private_memory(os.getpid()) <= proportional_share(os.getpid())
    kept.close()
