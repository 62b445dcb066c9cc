import mmap
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tickfloor.board import fences


@pytest.fixture
def mapping() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 4096) as mapping:
        yield mapping


def test_a_word_reads_back_what_was_stored(backend: str, mapping: mmap.mmap) -> None:
    words = fences.Words(mapping)
    word = words.word(128)
    assert word.load() == 0
    word.store(2**64 - 1)
    assert word.load() == 2**64 - 1
    assert mapping[120:144] == bytes(8) + b"\xff" * 8 + bytes(8)
    words.close()


def test_two_views_see_the_same_word(backend: str, mapping: mmap.mmap) -> None:
    one, other = fences.Words(mapping), fences.Words(mapping)
    one.word(64).store(5)
    assert other.word(64).load() == 5
    one.close()
    other.close()


def test_the_mapping_can_be_closed_while_words_are_still_held(backend: str) -> None:
    mapping = mmap.mmap(-1, 4096)
    words = fences.Words(mapping)
    store = words.word(0).store
    words.close()
    mapping.close()
    with pytest.raises(ValueError, match=r"closed|released"):
        store(1)


def test_fences_can_be_called(backend: str) -> None:
    assert backend == fences.BACKEND
    assert fences.full() is None
    assert fences.acquire() is None


@pytest.mark.parametrize("name", ["atomicshm", "libatomic"])
def test_the_environment_chooses_the_backend(name: str) -> None:
    code = "from tickfloor.board import fences; print(fences.BACKEND)"
    environment = {**os.environ, "TICKFLOOR_FENCES": name}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == name


def test_an_unknown_backend_is_refused_by_name() -> None:
    with pytest.raises(ImportError, match="there are atomicshm, libatomic"):
        fences.use("hope")


def test_a_machine_without_atomicshm_falls_back_to_the_c_library() -> None:
    code = "import sys; sys.modules['atomicshm'] = None\nfrom tickfloor.board import fences\nprint(fences.BACKEND)"
    environment = {name: value for name, value in os.environ.items() if name != "TICKFLOOR_FENCES"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "libatomic"


def test_where_stores_are_no_barriers_a_fence_follows_the_store(
    monkeypatch: pytest.MonkeyPatch, mapping: mmap.mmap
) -> None:
    # What runs on ARM, run here: that it fences cannot be seen on x86, that it stores can.
    monkeypatch.setattr(fences, "STORES_ARE_BARRIERS", False)
    words = fences.BACKENDS["atomicshm"]().words(mapping)
    words.word(8).store(9)
    assert words.word(8).load() == 9
    words.close()
