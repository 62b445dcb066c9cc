"""``tickfloor record``: what it starts, what it says of a recording, and how it ends."""

import json

import pytest
import typer

from tickfloor.cli import record
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.record import run_record, show_recording, verify_recording
from tickfloor.cli.run_floor import Outcome
from tickfloor.contracts.events import FeedFinished, FeedProblem
from tickfloor.contracts.settings import LiveSource
from tickfloor.feeds.recording.recorder import Recorder

T0 = 1_700_000_000_000_000_000


def write(folder, venue="binance", frames=3, start=T0):
    recorder = Recorder(folder, venue, max_waiting_bytes=1000)
    for number in range(frames):
        recorder.frame(start + number * 1_000_000, "F", "ws1", b'{"n":%d}' % number)
    recorder.close()
    return recorder.folder


def code_of(act, *args) -> int:
    try:
        act(*args)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


@pytest.fixture
def settings_file(tmp_path):
    path = tmp_path / "live.toml"
    path.write_text('[[venues]]\nvenue = "binance"\nsymbols = ["BTCUSDT"]\n')
    return path


class RecordedFloor:
    """A floor that records what it is told to, and ends at once.

    Attributes:
        asked: plan, database and seconds of each run.
        frames: to be recorded; problems: of the feed; interrupted: how it is to end.
    """

    def __init__(self) -> None:
        self.asked = []
        self.frames = 3
        self.problems = ()
        self.interrupted = False

    def run(self, config, plan, rules, seconds):
        assert rules is None
        self.asked.append((plan, config.database, seconds))
        if self.frames:
            write(plan.source.record, frames=self.frames)
        feed = FeedFinished(
            head=0, frames=self.frames, malformed=0, complete=True, problems=self.problems,
            problem_count=len(self.problems), left_out={}, figures=b"",
        )  # fmt: skip
        return Outcome(feed=feed, signals=[], status=None, instruments=(), lost=0, interrupted=self.interrupted)


@pytest.fixture
def floor(monkeypatch):
    floor = RecordedFloor()
    monkeypatch.setattr(record, "run_floor", floor.run)
    return floor


def test_the_venues_of_the_settings_are_recorded_without_traders(tmp_path, settings_file, floor, capsys):
    into = tmp_path / "new" / "session"
    assert code_of(run_record, into, 5.0, settings_file) == 0
    [(plan, database, seconds)] = floor.asked
    assert isinstance(plan.source, LiveSource)
    assert ([venue.venue for venue in plan.source.venues], plan.source.record) == (["binance"], str(into))
    assert (plan.traders, plan.replay, plan.console.view, seconds) == ((), False, "floor", 5.0)
    assert "record.db" in database
    out, err = capsys.readouterr()
    assert out == "binance          3 frames, 1 file, 0.0 MiB, 0 not recorded\n"
    assert err == (
        f"recording binance into {into}\nconnecting to binance at stream.binance.com:9443 and api.binance.com\n"
    )
    assert not list(tmp_path.glob("*.db"))


def test_only_what_this_session_recorded_is_summed_up(tmp_path, settings_file, floor, capsys):
    write(tmp_path, frames=20)
    floor.interrupted = True
    assert code_of(run_record, tmp_path, 0.0, settings_file) == ExitCode.INTERRUPTED
    assert floor.asked[0][2] is None
    assert "binance          3 frames, 1 file," in capsys.readouterr().out


def test_what_is_not_recorded_is_a_failure(tmp_path, settings_file, floor, capsys):
    floor.frames = 1000
    floor.interrupted = True
    assert code_of(run_record, tmp_path, 0.0, settings_file) == ExitCode.FAILURE
    assert ", 0 not recorded" not in capsys.readouterr().out


def test_a_session_that_records_nothing_is_a_failure_and_its_problems_are_said(tmp_path, settings_file, floor, capsys):
    floor.frames = 0
    floor.problems = (FeedProblem(file="binance", line=0, reason="refused"),)
    assert code_of(run_record, tmp_path, 0.0, settings_file) == ExitCode.FAILURE
    assert capsys.readouterr().err.endswith("nothing was recorded\nbinance: refused\n")


def test_without_venues_nothing_starts(tmp_path, floor, capsys):
    (tmp_path / "empty.toml").write_text("")
    assert code_of(run_record, tmp_path / "into", 0.0, tmp_path / "empty.toml") == ExitCode.INVALID
    assert "names no venue" in capsys.readouterr().err
    assert (floor.asked, (tmp_path / "into").exists()) == ([], False)


def test_a_folder_that_cannot_be_made_ends_it_before_anything_starts(tmp_path, settings_file, floor, capsys):
    assert code_of(run_record, settings_file / "into", 0.0, settings_file) == ExitCode.FAILURE
    assert "cannot be recorded into: Not a directory" in capsys.readouterr().err
    assert floor.asked == []


# show


def test_every_file_is_shown_with_times_figures_and_state(tmp_path, capsys):
    write(tmp_path)
    gone = write(tmp_path, start=T0 + 5_000_000_000)
    write(tmp_path, "kraken", frames=1)
    (gone / "binance-000009-20231114T221320Z.frames.gz").write_bytes(next(gone.glob("*000001*")).read_bytes())
    next(gone.glob("*000002*")).unlink()
    show_recording(tmp_path, False)
    out, err = capsys.readouterr()
    rows = [[cell for cell in line.split("  ") if cell] for line in out.splitlines()]
    assert [cell.strip() for cell in rows[0]] == [
        "venue", "file", "from", "to", "frames", "MiB", "not recorded", "state",
    ]  # fmt: skip
    assert [(row[0].strip(), row[1].split("-")[1], row[-1].strip()) for row in rows[1:]] == [
        ("binance", "000001", "whole"), ("binance", "000002", "missing"),
        ("binance", "000009", "unfinished"), ("kraken", "000001", "whole"),
    ]  # fmt: skip
    assert "2023-11-14 22:13:20  2023-11-14 22:13:20.002" in out
    assert err.endswith("it is missing, and 3 frames with it\n")


def test_a_recovered_file_says_so(tmp_path, capsys):
    folder = write(tmp_path)
    (folder / "index.json").unlink()
    recorder = Recorder(tmp_path, "binance")
    recorder.flush()
    recorder.close()
    show_recording(tmp_path, False)
    assert "recovered" in capsys.readouterr().out


def test_all_that_the_index_says_is_there_as_json(tmp_path, capsys):
    write(tmp_path)
    show_recording(tmp_path, True)
    [shown] = json.loads(capsys.readouterr().out)
    assert (shown["venue"], shown["unfinished"], shown["problems"]) == ("binance", [], [])
    [file] = shown["files"]
    assert (file["frames"], file["first_recv_ns"], file["last_recv_ns"], len(file["sha256"])) == (
        3, T0, T0 + 2_000_000, 64,
    )  # fmt: skip


# verify


def test_a_whole_recording_is_verified(tmp_path, capsys):
    write(tmp_path)
    write(tmp_path, "kraken", frames=1)
    assert code_of(verify_recording, tmp_path, False) == 0
    assert capsys.readouterr().out == "2 files, 4 frames, 0 problems\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_missing_file_fails_and_is_named(tmp_path, capsys, as_json):
    folder = write(tmp_path)
    next(folder.glob("*.gz")).unlink()
    write(tmp_path)
    assert code_of(verify_recording, tmp_path, as_json) == ExitCode.FAILURE
    out, err = capsys.readouterr()
    said = json.loads(out)["problems"] if as_json else err
    assert "it is missing, and 3 frames with it" in str(said)


@pytest.mark.parametrize("act", [show_recording, verify_recording])
def test_a_folder_that_is_none_or_holds_no_recording_is_refused(tmp_path, act, capsys):
    assert code_of(act, tmp_path / "none", False) == ExitCode.NOT_FOUND
    assert code_of(act, tmp_path, False) == ExitCode.FAILURE
    assert "holds no recording" in capsys.readouterr().err
