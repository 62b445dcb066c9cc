"""Recorders: what they take down is what is read again, whatever ends them and whatever the disk does."""

import errno
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tickfloor
from tests.feeds import recorded
from tickfloor.feeds.recording.capture import Capture
from tickfloor.feeds.recording.capture_lines import MAX_PAYLOAD_BYTES, frame_line, text_of, unwrapped
from tickfloor.feeds.recording.folder_lock import RecordingError
from tickfloor.feeds.recording.frame_file import open_new
from tickfloor.feeds.recording.index import read_index
from tickfloor.feeds.recording.recorder import Recorder
from tickfloor.feeds.recording.recording import Recording
from tickfloor.feeds.recording.secrets import without_secrets

T0 = 1_700_000_000_000_000_000
KINDS = st.sampled_from("FSCH")
AWKWARD = st.lists(st.sampled_from([b"\n", b"\r", b"\t", b"\r\n", b"{", b"\xff", b"#"]), max_size=6).map(b"".join)
FRAMES = st.lists(
    st.tuples(
        st.integers(1, (1 << 63) - 1),
        KINDS,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        | st.sampled_from(["ws1", "a\tb", "a\nb", "a\r"]),
        st.binary(max_size=60) | AWKWARD,
    ),
    min_size=1,
    max_size=20,
)


class Disk:
    """Opens files that refuse to be written while ``room`` is 0, after a part of what is to be written."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.error = errno.ENOSPC

    def open(self, path: Path):
        return Refusing(open_new(path), self)


class Refusing:
    def __init__(self, file, disk: Disk) -> None:
        self._file = file
        self._disk = disk

    def write(self, content) -> int:
        room = self._disk.room
        if room is None:
            return self._file.write(content)
        if not room:
            raise OSError(self._disk.error, os.strerror(self._disk.error))
        written = self._file.write(content[:room])
        self._disk.room -= written
        return written

    def __getattr__(self, name):
        return getattr(self._file, name)


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def recorders():
    """Makes recorders that are closed, whatever happens."""
    made = []

    def make(*args, **options) -> Recorder:
        made.append(Recorder(*args, **options))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("record-")]


def lines_of(recording) -> list[tuple[int, str, str, bytes]]:
    return [frame[:4] for frame in recording]


def test_frames_are_read_as_they_were_taken_down_and_the_index_says_what_is_there(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance-usdm", clock=Clock())
    taken = [
        (T0 + 1, "C", "ws1", b"wss://fstream.binance.com/market/stream"),
        (T0 + 2, "S", "ws1", b'{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}'),
        (T0 + 3, "F", "ws1", b'{"result":null,"id":1}'),
        (T0 + 4, "H", "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000", b'{"lastUpdateId":5}'),
        (T0 + 5, "F", "ws1", b'{"a":"tab\there"}'),
    ]
    for frame in taken:
        recorder.frame(*frame)
    statistics = recorder.close()
    recording = Recording(tmp_path / "binance-usdm")
    assert lines_of(recording) == taken
    assert (recording.venue, recording.problems, recording.verify()) == ("binance-usdm", [], [])
    [entry] = recording.entries
    text = gzip.decompress((tmp_path / "binance-usdm" / entry.file).read_bytes())
    assert (entry.frames, entry.first_recv_ns, entry.last_recv_ns, entry.bytes) == (5, T0 + 1, T0 + 5, len(text))
    assert entry.file == "binance-usdm-000001-20231114T221320Z.frames.gz"
    assert json.loads(text.split(b"\n")[0][1:]) == {
        "name": "binance-usdm-000001-20231114T221320Z",
        "exchange": "binance",
        "market": "usdm",
        "venue": "binance-usdm",
        "software": f"tickfloor {tickfloor.__version__}",
        "started": "2023-11-14T22:13:20+00:00",
    }
    assert (statistics.files, statistics.frames, statistics.not_recorded, statistics.waiting_bytes) == (1, 5, 0, 0)
    assert recorder.news() == []


@pytest.mark.parametrize(
    "name",
    [*recorded.CAPTURES, "kraken_v2derived_10sym_20210417", "coinbase_advanced_2sym_20260809_first12s"],
)
def test_a_capture_recorded_again_is_the_same_text(tmp_path, recorders, name):
    path = recorded.capture_path(name)
    capture = Capture(path)
    # So many bytes at once wait nowhere else: a socket gives time between them.
    recorder = recorders(tmp_path, capture.venue, rotate_bytes=4 << 20, max_waiting_bytes=1 << 30)
    for recv_ns, kind, ref, payload, _ in capture:
        recorder.frame(recv_ns, kind, ref, payload)
    recorder.close(60.0)
    folder = tmp_path / capture.venue
    entries = read_index(folder).files
    texts = [gzip.decompress((folder / entry.file).read_bytes()) for entry in entries]
    assert b"".join(text.split(b"\n", 1)[1] for text in texts) == gzip.decompress(path.read_bytes()).split(b"\n", 1)[1]
    assert all(entry.bytes == len(text) for entry, text in zip(entries, texts, strict=True))


@settings(max_examples=60, deadline=None)
@given(FRAMES)
def test_any_payload_and_any_ref_come_back(frames):
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(folder, "kraken")
        for frame in frames:
            recorder.frame(*frame)
        assert recorder.close().not_recorded == 0
        recording = Recording(Path(folder) / "kraken")
        found = lines_of(recording)
        assert found == [(recv, kind, *without_secrets(kind, ref, payload)) for recv, kind, ref, payload in frames]
        assert (recording.problem_count, recording.verify()) == (0, [])


@given(FRAMES)
def test_lines_have_one_end_each_and_tell_what_they_hold(frames):
    lines = [frame_line(*frame) for frame in frames]
    text = text_of(lines)
    assert text.count(b"\n") == len(frames)
    assert text.endswith(b"\n")
    for line, frame in zip(text[:-1].split(b"\n"), frames, strict=True):
        recv, kind, ref, payload = line.split(b"\t", 3)
        held = unwrapped(payload) if kind == b"B" else (kind.decode(), ref.decode(), payload)
        assert (int(recv), *held) == frame
        assert not line.endswith(b"\r")


def test_an_unknown_kind_is_refused(tmp_path, recorders):
    with pytest.raises(ValueError, match="kind 'X' is not F, S, C or H"):
        recorders(tmp_path, "kraken").frame(T0, "X", "ws1", b"{}")


@pytest.mark.parametrize(("kind", "ref", "payload", "written"), [
    ("C", "ws1", b"wss://me:pa%40ss@host:443/ws?streams=a@trade", (b"ws1", b"wss://***@host:443/ws?streams=a@trade")),
    ("C", "ws1", b"wss://h/private/ws?listenKey=abc&x=1", (b"ws1", b"wss://h/private/ws?listenKey=***&x=1")),
    ("H", "/api/v3/depth?symbol=A&signature=f00&timestamp=1", b"{}",
     (b"/api/v3/depth?symbol=A&signature=***&timestamp=1", b"{}")),
    ("H", "https://u@h/x?apiKey=1;token=2", b"{}", (b"https://***@h/x?apiKey=***;token=***", b"{}")),
    ("S", "ws1", b'{"type":"subscribe","jwt":"ab\\"c","channel":"user"}',
     (b"ws1", b'{"type":"subscribe","jwt":"***","channel":"user"}')),
    ("S", "ws1", b'{"params":{"token": 17,"channel":"level3"}}',
     (b"ws1", b'{"params":{"token": "***","channel":"level3"}}')),
    ("F", "ws1", b'{"token":"their word"}', (b"ws1", b'{"token":"their word"}')),
    ("H", "https://h/klines?symbol=KEYUSDT&startTime=1&fromId=2", b"x",
     (b"https://h/klines?symbol=KEYUSDT&startTime=1&fromId=2", b"x")),
])  # fmt: skip
def test_no_password_or_key_is_written(tmp_path, recorders, kind, ref, payload, written):
    recorder = recorders(tmp_path, "coinbase")
    recorder.frame(T0, kind, ref, payload)
    recorder.close()
    [path] = (tmp_path / "coinbase").glob("*.frames.gz")
    [_, line] = gzip.decompress(path.read_bytes()).splitlines()
    assert tuple(line.split(b"\t", 3)[2:]) == written


def test_files_are_rotated_by_size_in_the_middle_and_read_as_one(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance", rotate_bytes=1000)
    taken = [(T0 + number, "F", "ws1", b"%d" % number * 20) for number in range(200)]
    for number, frame in enumerate(taken):
        recorder.frame(*frame)
        if number % 10 == 9:
            assert recorder.flush()
    recorder.close()
    recording = Recording(tmp_path / "binance")
    assert lines_of(recording) == taken
    assert len(recording.entries) > 5
    assert sum(entry.frames for entry in recording.entries) == 200
    assert all(entry.bytes < 2500 for entry in recording.entries)
    assert recording.verify() == []


def test_files_are_rotated_by_age_even_if_nothing_comes(tmp_path, recorders):
    clock = Clock()
    recorder = recorders(tmp_path, "binance", rotate_seconds=60.0, clock=clock)
    recorder.frame(T0, "F", "ws1", b"1")
    recorder.flush()
    assert (recorder.statistics().file, read_index(tmp_path / "binance")) == (
        "binance-000001-20231114T221320Z.frames.gz",
        None,
    )
    clock.now += 60_000_000_000
    recorder.flush()
    assert (recorder.statistics().file, recorder.statistics().files) == ("", 1)
    assert len(read_index(tmp_path / "binance").files) == 1
    recorder.frame(clock.now, "F", "ws1", b"2")
    recorder.close()
    assert [entry.file[8:14] for entry in read_index(tmp_path / "binance").files] == ["000001", "000002"]


def test_without_frames_there_is_no_file_and_no_index(tmp_path, recorders):
    recorders(tmp_path, "binance").close()
    assert list((tmp_path / "binance").iterdir()) == []


def test_a_recorder_goes_on_where_another_ended(tmp_path, recorders):
    for number in range(3):
        recorder = recorders(tmp_path, "binance")
        recorder.frame(T0 + number, "F", "ws1", b"%d" % number)
        recorder.close()
    recording = Recording(tmp_path / "binance")
    assert [payload for *_, payload in lines_of(recording)] == [b"0", b"1", b"2"]
    assert recording.verify() == []


def test_two_recorders_do_not_write_one_folder(tmp_path, recorders):
    first = recorders(tmp_path, "binance")
    with pytest.raises(RecordingError, match=r"something is recorded into .* already; choose another folder"):
        Recorder(tmp_path, "binance")
    recorders(tmp_path, "kraken").close()
    first.close()
    recorders(tmp_path, "binance").close()


@pytest.mark.parametrize("venue", ["", "../x", "a/b", ".hidden", "A b"])
def test_a_venue_that_is_no_folder_s_name_is_refused(tmp_path, venue):
    with pytest.raises(RecordingError, match="cannot be recorded"):
        Recorder(tmp_path, venue)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be recorded into: Not a directory"):
        Recorder(tmp_path / "file", "binance")


# The disk


@pytest.mark.parametrize("room", [0, 1, 11, 40])
def test_a_full_disk_keeps_frames_waiting_and_loses_none_if_there_is_room_in_time(tmp_path, recorders, room):
    disk = Disk()
    recorder = recorders(tmp_path, "binance", opener=disk.open)
    recorder.frame(T0, "F", "ws1", b"before")
    assert recorder.flush()
    disk.room = room
    recorder.frame(T0 + 1, "F", "ws1", b"meanwhile")
    assert not recorder.flush()
    recorder.frame(T0 + 2, "F", "ws1", b"later")
    assert not recorder.flush()
    [path] = (tmp_path / "binance").glob("*.frames.gz")
    assert [payload for _, _, _, payload, _ in Capture(path)] == [b"before"]
    assert recorder.statistics().trouble == "No space left on device"
    assert recorder.statistics().waiting_bytes > 0
    disk.room = None
    assert recorder.flush()
    statistics = recorder.close()
    assert (statistics.trouble, statistics.not_recorded, statistics.waiting_bytes) == ("", 0, 0)
    assert recorder.news() == [
        f"{tmp_path / 'binance'} cannot be written: No space left on device; it is tried again each second",
        f"{tmp_path / 'binance'} can be written again; 0 frames are not recorded",
    ]
    recording = Recording(tmp_path / "binance")
    assert [payload for *_, payload in lines_of(recording)] == [b"before", b"meanwhile", b"later"]
    assert recording.verify() == []


def test_what_does_not_fit_while_the_disk_is_full_is_counted_said_and_in_the_index(tmp_path, recorders):
    disk = Disk(0)
    recorder = recorders(tmp_path, "binance", opener=disk.open, max_waiting_bytes=300)
    for number in range(100):
        recorder.frame(T0 + number, "F", "ws1", b"%02d" % number * 10)
    assert not recorder.flush()
    missing = recorder.statistics().not_recorded
    assert 90 < missing < 100
    disk.room = None
    assert recorder.flush()
    recorder.frame(T0 + 100, "F", "ws1", b"again")
    recorder.close()
    recording = Recording(tmp_path / "binance")
    found = [recv_ns - T0 for recv_ns, *_ in lines_of(recording)]
    assert found == [*range(100 - missing), 100]
    assert [entry.not_recorded for entry in recording.entries] == [missing]
    assert recorder.news()[-1].endswith(f"can be written again; {missing} frames are not recorded")


def test_what_the_disk_refuses_to_the_end_is_counted(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance", opener=Disk(0).open)
    recorder.frame(T0, "F", "ws1", b"1")
    recorder.frame(T0, "F", "ws1", b"2")
    statistics = recorder.close()
    assert (statistics.frames, statistics.not_recorded, statistics.trouble) == (0, 2, "No space left on device")
    assert recorder.news()[-1].endswith("the last 2 frames are not recorded")
    recorder.frame(T0, "F", "ws1", b"3")
    assert recorder.statistics().not_recorded == 3


def test_what_is_removed_with_its_folder_while_it_is_written_is_not_said_to_be_recorded(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance")
    for number in range(3):
        recorder.frame(T0 + number, "F", "ws1", b"before")
    assert recorder.flush()
    [path] = recorder.folder.glob("*.frames.gz")
    shutil.rmtree(recorder.folder)
    assert not recorder.flush()
    assert (recorder.statistics().frames, recorder.statistics().not_recorded) == (0, 3)
    assert recorder.news() == [f"{path} was removed while it was written: its 3 frames are lost"]
    recorder.frame(T0 + 3, "F", "ws1", b"after")
    assert not recorder.flush()
    assert recorder.statistics().trouble == "No such file or directory"
    statistics = recorder.close()
    assert (statistics.frames, statistics.bytes, statistics.compressed_bytes) == (0, 0, 0)
    assert statistics.not_recorded == 4


def test_a_file_that_is_removed_alone_is_followed_by_another_that_says_what_is_lost(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance")
    recorder.frame(T0, "F", "ws1", b"before")
    assert recorder.flush()
    [path] = recorder.folder.glob("*.frames.gz")
    path.unlink()
    recorder.frame(T0 + 1, "F", "ws1", b"after")
    assert not recorder.flush()
    statistics = recorder.close()
    assert (statistics.frames, statistics.not_recorded, statistics.trouble) == (1, 1, "")
    recording = Recording(recorder.folder)
    assert [payload for *_, payload in lines_of(recording)] == [b"after"]
    assert [entry.not_recorded for entry in recording.entries] == [1]


def test_a_file_that_is_removed_before_the_end_is_not_in_the_index(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance")
    recorder.frame(T0, "F", "ws1", b"1")
    assert recorder.flush()
    [path] = recorder.folder.glob("*.frames.gz")
    path.unlink()
    statistics = recorder.close()
    assert (statistics.files, statistics.frames, statistics.not_recorded) == (0, 0, 1)
    assert list(recorder.folder.glob("index.json")) == []


def test_frames_that_come_too_fast_are_counted_and_said(tmp_path, recorders):
    recorder = recorders(tmp_path, "binance", max_waiting_bytes=100)
    recorder.frame(T0, "F", "ws1", b"x" * 101)
    recorder.frame(T0, "F", "ws1", b"1")
    assert recorder.flush()
    assert recorder.news() == [
        f"{recorder.folder}: 1 frames are not recorded: they came faster than they could be written, or were too long"
    ]
    recorder.close()
    assert [entry.not_recorded for entry in Recording(recorder.folder).entries] == [1]


def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path, recorders):
    refusals = [OSError(errno.EACCES, os.strerror(errno.EACCES))]

    def opener(path):
        if refusals:
            raise refusals[0]
        return open_new(path)

    recorder = recorders(tmp_path, "binance", opener=opener)
    recorder.frame(T0, "F", "ws1", b"1")
    assert not recorder.flush()
    refusals.clear()
    assert recorder.flush()
    recorder.close()
    assert len(lines_of(Recording(tmp_path / "binance"))) == 1


def test_an_index_that_cannot_be_written_stops_no_frame_and_is_written_later(tmp_path, recorders, monkeypatch):
    real, broken = os.fsync, [True]

    def fsync(descriptor):
        if broken and "index" in Path(f"/proc/self/fd/{descriptor}").readlink().name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    recorder = recorders(tmp_path, "binance", rotate_bytes=1)
    recorder.frame(T0, "F", "ws1", b"1")
    recorder.flush()
    assert not recorder.flush()
    recorder.frame(T0 + 1, "F", "ws1", b"2")
    assert not recorder.flush()
    assert read_index(tmp_path / "binance") is None
    assert len(lines_of(Recording(tmp_path / "binance"))) == 2
    broken.clear()
    recorder.close()
    assert [entry.frames for entry in read_index(tmp_path / "binance").files] == [1, 1]


def test_a_payload_too_long_for_a_line_is_counted_and_the_others_are_recorded(tmp_path, recorders, monkeypatch):
    assert MAX_PAYLOAD_BYTES * 4 // 3 < 64 << 20
    monkeypatch.setattr("tickfloor.feeds.recording.recorder.MAX_PAYLOAD_BYTES", 10)
    recorder = recorders(tmp_path, "binance")
    for payload in (b"x" * 11, b"x" * 10):
        recorder.frame(T0, "F", "ws1", payload)
    assert recorder.close().not_recorded == 1
    assert [payload for *_, payload in lines_of(Recording(tmp_path / "binance"))] == [b"x" * 10]


# Ends that nobody announces

_RECORDING = """
import sys
from tickfloor.feeds.recording.recorder import Recorder
recorder = Recorder(sys.argv[1], "binance", rotate_bytes=20_000)
number = 0
while True:
    for _ in range(50):
        number += 1
        recorder.frame(number, "F", "ws1", b'{"n":%d,"more":"%x"}' % (number, hash(number * 7919.1)))
    if number % 1000 == 0:
        recorder.flush()
        print(number, flush=True)
"""


def test_a_recorder_killed_at_any_moment_leaves_whole_lines_and_the_next_finishes_its_files(tmp_path, recorders):
    folder = tmp_path / "binance"
    before = 0
    chance = random.Random(5)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", _RECORDING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with process:
            said = 0
            for _ in range(chance.randrange(1, 6)):
                said = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        left = Recording(folder)
        numbers = [recv_ns for recv_ns, *_ in left][before:]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= said
        assert all("cut off" in problem.reason for problem in left.problems)
        successor = recorders(tmp_path, "binance")
        successor.flush()
        successor.close()
        finished = Recording(folder)
        assert finished.unfinished == ()
        assert len(list(finished)) == before + len(numbers)
        assert finished.verify() == []
        before += len(numbers)


@pytest.mark.parametrize("kept", [0.1, 0.6, 0.9, 0.999])
def test_a_file_cut_within_a_member_is_read_to_its_last_whole_line_and_then_cut_to_whole_members(
    tmp_path, recorders, kept
):
    folder = tmp_path / "binance"
    recorder = recorders(tmp_path, "binance")
    for number in range(400):
        recorder.frame(number + 1, "F", "ws1", b"%x" % random.Random(number).getrandbits(300))
        if number % 100 == 99:
            recorder.flush()
    recorder.close()
    (folder / "index.json").unlink()
    [path] = folder.glob("*.frames.gz")
    os.truncate(path, int(path.stat().st_size * kept))
    capture = Capture(path)
    read = [recv_ns for recv_ns, *_ in capture]
    assert read == list(range(1, len(read) + 1))
    assert ["cut off" in problem.reason for problem in capture.problems] == [True]
    again = recorders(tmp_path, "binance")
    again.flush()
    again.close()
    whole = 100 * int(4 * kept)
    assert len(read) >= whole
    assert len(again.news()) == 1
    if whole:
        recording = Recording(folder)
        assert [recv_ns for recv_ns, *_ in recording] == list(range(1, whole + 1))
        assert [(entry.recovered, entry.frames) for entry in recording.entries] == [(True, whole)]
        assert recording.verify() == []
    else:
        assert not path.exists()


def test_a_recorder_that_ends_at_once_leaves_the_recovery_to_the_next(tmp_path, recorders, monkeypatch):
    recorder = recorders(tmp_path, "binance")
    recorder.frame(T0, "F", "ws1", b"1")
    recorder.close()
    (tmp_path / "binance" / "index.json").unlink()
    monkeypatch.setattr("tickfloor.feeds.recording.recorder._FLUSH_SECONDS", 60.0)
    recorders(tmp_path, "binance").close()
    assert len(Recording(tmp_path / "binance").unfinished) == 1
    recorders(tmp_path, "binance").flush()
    assert Recording(tmp_path / "binance").unfinished == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"venue":1}', b"\xff\xfe", b'{"venue":"binance","files":[],"format":9}']
)
def test_a_damaged_index_is_kept_aside_and_made_anew(tmp_path, recorders, content):
    folder = tmp_path / "binance"
    for number in range(2):
        recorder = recorders(tmp_path, "binance")
        recorder.frame(T0 + number, "F", "ws1", b"%d" % number)
        recorder.close()
    before = read_index(folder).files
    (folder / "index.json").write_bytes(content)
    recorder = recorders(tmp_path, "binance")
    recorder.frame(T0 + 2, "F", "ws1", b"2")
    recorder.flush()
    recorder.close()
    after = read_index(folder).files
    assert [(entry.file, entry.sha256, entry.frames) for entry in after[:2]] == [
        (entry.file, entry.sha256, entry.frames) for entry in before
    ]
    assert (folder / "index.json.damaged").read_bytes() == content
    assert "is kept as index.json.damaged and made anew" in recorder.news()[0]
    assert [recv_ns - T0 for recv_ns, *_ in Recording(folder)] == [0, 1, 2]
    assert Recording(folder).verify() == []
