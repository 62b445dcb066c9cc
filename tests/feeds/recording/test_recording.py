"""Recordings that are read: in order, with what is missing, changed, overlapping or foreign named."""

import gzip
import json

import pytest

from tests.feeds import recorded
from tests.feeds.replaying import Replay
from tickfloor.contracts.errors import CaptureError
from tickfloor.feeds.recording.capture import Capture
from tickfloor.feeds.recording.recorder import Recorder
from tickfloor.feeds.recording.recording import Recording, files_of, opened, recordings_in
from tickfloor.feeds.replaying.merge import merge

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def record(folder, venue="binance", files=3, frames=10, start=T0):
    """Make so many files of so many frames, a second apart."""
    recorder = Recorder(folder, venue, rotate_bytes=1)
    for number in range(files * frames):
        recorder.frame(start + number * SECOND, "F", "ws1", b'{"n":%d}' % number)
        if number % frames == frames - 1:
            recorder.flush()
    recorder.close()
    return folder / venue


def change_index(folder, change):
    path = folder / "index.json"
    index = json.loads(path.read_bytes())
    change(index["files"])
    path.write_text(json.dumps(index))


def reasons(problems):
    return [(problem.file.rpartition("/")[2][:14], problem.reason) for problem in problems]


@pytest.fixture
def folder(tmp_path):
    return record(tmp_path)


def test_a_rotated_recording_is_one_capture_with_lines_and_progress_throughout(folder):
    recording = Recording(folder)
    frames = list(recording)
    assert [recv_ns for recv_ns, *_ in frames] == [T0 + number * SECOND for number in range(30)]
    assert [line for *_, line in frames] == [*range(2, 12), *range(13, 23), *range(24, 34)]
    assert recording.bytes_read == recording.bytes_total == sum(path.stat().st_size for path in folder.glob("*.gz"))
    assert list(recording) == frames
    assert (recording.problem_count, recording.verify(), recording.unfinished) == (0, [], ())


def test_a_problem_that_others_find_is_noted_in_its_file_and_line(folder):
    recording = Recording(folder)
    for *_, line in recording:
        if line in {2, 11, 13, 33}:
            recording.note(line, "not JSON")
    lines = [problem.line for problem in recording.problems]
    assert lines == [2, 11, 2, 11]
    names = [name for name, _ in reasons(recording.problems)]
    assert names == ["binance-000001", "binance-000001", "binance-000002", "binance-000003"]
    assert recording.problem_count == 4


def test_a_session_in_many_files_replays_as_the_capture_it_came_from(tmp_path, monkeypatch):
    path = recorded.capture_path("binance_spot_3sym_20210404")
    recorder = Recorder(tmp_path, "binance", rotate_bytes=100_000)
    for number, frame in enumerate(Capture(path)):
        recorder.frame(*frame[:4])
        if number % 200 == 0:
            recorder.flush()
    recorder.close()
    expected = Replay([path])
    monkeypatch.setattr("tests.feeds.replaying.Capture", Recording)
    found = Replay([recorder.folder])
    assert len(found.captures[0].entries) > 10
    assert found.figures() == expected.figures()
    # As text: two records that both say "unknown" are not equal as numbers.
    assert repr(found.tape.records) == repr(expected.tape.records)


def test_recordings_and_captures_are_merged_alike(tmp_path, folder):
    other = record(tmp_path, "kraken", start=T0 + SECOND // 2)
    merged = list(merge([Recording(folder), Recording(other)]))
    assert [frame[1] for frame in merged] == [0, 1] * 30


def test_a_missing_file_is_named_with_what_is_lost_and_the_others_are_read(folder):
    name = "binance-000002"
    [path] = folder.glob(f"{name}*")
    path.unlink()
    recording = Recording(folder)
    assert len(list(recording)) == 20
    assert reasons(recording.problems) == [(name, "it is missing, and 10 frames with it")]
    assert reasons(recording.verify()) == reasons(recording.problems)


@pytest.mark.parametrize("change", [
    lambda text: text.replace(b'"n":15', b'"n":16'), lambda text: text + b"1\tF\tws1\t{}\n", lambda text: text[:-30],
])  # fmt: skip
def test_a_changed_file_is_found_by_verifying_only(folder, change):
    [path] = folder.glob("binance-000002*")
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    recording = Recording(folder)
    list(recording)
    assert not [problem for problem in recording.problems if "changed" in problem.reason]
    [(name, reason)] = reasons(Recording(folder).verify())
    assert name == "binance-000002"
    assert reason.startswith("it was changed: ")
    assert "the index says 10 frames" in reason


def test_a_compression_of_one_s_own_changes_nothing(folder):
    [path] = folder.glob("binance-000002*")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    assert Recording(folder).verify() == []


@pytest.mark.parametrize(("damage", "reason"), [
    (lambda content: content[:-4], "cut off"), (lambda content: content[:40] + b"\xff" * 8 + content[48:], "damaged"),
    (lambda content: content + b"more", "damaged"), (lambda content: b"", "changed"),
])  # fmt: skip
def test_damage_is_found_by_verifying(folder, damage, reason):
    [path] = folder.glob("binance-000003*")
    path.write_bytes(damage(path.read_bytes()))
    found = [why for name, why in reasons(Recording(folder).verify()) if name == "binance-000003"]
    assert any(reason in why for why in found)


def test_an_index_that_says_other_figures_is_found_by_verifying(folder):
    change_index(folder, lambda files: files[1].update(frames=11))
    assert reasons(Recording(folder).verify()) == [
        ("binance-000002", "it is as it was recorded, and the index says something else of its frames or times")
    ]


def test_overlapping_files_are_named(tmp_path):
    record(tmp_path, files=2)
    folder = record(tmp_path, files=1, start=T0 + 15 * SECOND)
    expected = [("binance-000003", "it overlaps binance-000002-")]
    for problems in (Recording(folder).problems, Recording(folder).verify()):
        assert [(name, reason[:27]) for name, reason in reasons(problems)] == expected
        assert problems[0].reason.endswith(" by 4.000 s")


def test_a_small_step_back_of_the_clock_between_two_files_is_no_overlap(tmp_path):
    record(tmp_path, files=1)
    folder = record(tmp_path, files=1, start=T0 + 9 * SECOND - SECOND // 2)
    assert Recording(folder).problems == []


def test_a_file_beside_the_index_is_read_in_its_place_and_verifying_names_it(folder):
    change_index(folder, lambda files: files.pop(1))
    recording = Recording(folder)
    assert [recv_ns for recv_ns, *_ in recording] == [T0 + number * SECOND for number in range(30)]
    assert [name[:14] for name in recording.unfinished] == ["binance-000002"]
    assert recording.problem_count == 0
    assert [name for name, reason in reasons(recording.verify()) if "the index does not list it" in reason] == [
        "binance-000002"
    ]


@pytest.mark.parametrize("content", ["", "{", '{"venue":"binance","files":[{"file":"../x.frames.gz"}]}'])
def test_without_a_readable_index_the_files_are_read_in_order_and_that_is_said(folder, content):
    (folder / "index.json").write_text(content)
    recording = Recording(folder)
    assert len(list(recording)) == 30
    assert recording.venue == "binance"
    [problem] = recording.problems
    assert "is damaged" in problem.reason
    assert "the files are read in the order of their names, unverified" in problem.reason


@pytest.mark.parametrize("name", ["../binance-000001-20231114T221320Z.frames.gz", "/etc/x.frames.gz", "passwd"])
def test_an_index_names_only_files_beside_it(folder, name):
    change_index(folder, lambda files: files[0].update(file=name))
    assert "is no name of a file beside it" in Recording(folder).problems[0].reason


def test_a_file_of_another_venue_is_left_out(tmp_path, folder):
    other = record(tmp_path, "kraken", files=1)
    [path] = other.glob("*.gz")
    path.rename(folder / path.name)
    recording = Recording(folder)
    assert len(list(recording)) == 30
    assert recording.problems[0].reason == "it is of kraken, and the others are of binance; it is left out"


def test_a_path_is_a_file_a_venue_or_all_venues(tmp_path, folder):
    other = record(tmp_path, "kraken", files=1)
    [file] = other.glob("*.gz")
    assert [type(each) for each in opened(file)] == [Capture]
    assert [each.venue for each in opened(folder)] == ["binance"]
    assert [each.venue for each in opened(tmp_path)] == ["binance", "kraken"]
    assert recordings_in(tmp_path) == [folder, other]
    assert files_of(file) == [file]
    assert files_of(tmp_path) == [*sorted(folder.glob("*.gz")), file]


def test_a_folder_without_recordings_and_none_at_all_are_refused(tmp_path):
    with pytest.raises(CaptureError, match=r"holds no recording: no index\.json and no file"):
        opened(tmp_path)
    with pytest.raises(CaptureError, match="cannot be read: No such file"):
        opened(tmp_path / "none")
    with pytest.raises(CaptureError, match="cannot be read: No such file"):
        Recording(tmp_path / "none")


def test_a_folder_with_an_index_of_nothing_says_so(tmp_path):
    (tmp_path / "index.json").write_text('{"venue":"binance","files":[]}')
    recording = Recording(tmp_path)
    assert list(recording) == []
    assert [problem.reason for problem in recording.problems] == ["there is no file of frames"]
