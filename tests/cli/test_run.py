"""``tickfloor run``: what it says of its end."""

import pytest
import typer

from tests.cli.test_feeds import venue
from tickfloor.cli import run
from tickfloor.cli.run import run_live
from tickfloor.cli.run_floor import Outcome
from tickfloor.contracts.events import FeedFinished, FloorStatus


class EndedFloor:
    """A floor that has ended after so many frames, with its venues as they are."""

    def __init__(self) -> None:
        self.frames = 9
        self.venues = ()

    def run(self, config, plan, rules, seconds):
        feed = FeedFinished(
            head=3, frames=self.frames, malformed=0, complete=False, problems=(), problem_count=0, left_out={},
            figures=b"",
        )  # fmt: skip
        status = FloorStatus(
            uptime=1.0, workers=(), feed=None, signals=0, stored=0, recent=(), latency_p50_us=None,
            latency_p99_us=None, lost=0,
        )  # fmt: skip
        return Outcome(
            feed=feed, signals=[], status=status, instruments=(), lost=0, interrupted=False, venues=self.venues
        )


@pytest.fixture
def ended(monkeypatch, tmp_path):
    ended = EndedFloor()
    monkeypatch.setattr(run, "run_floor", ended.run)
    path = tmp_path / "live.toml"
    path.write_text('[[venues]]\nvenue = "binance"\n')
    ended.code = lambda: _code(path)
    return ended


def _code(path) -> int:
    try:
        run_live(path, None, 1.0, None, None, None, None)
    except typer.Exit as end:
        return end.exit_code
    return 0


def test_the_summary_says_how_far_each_venue_could_be_trusted_and_what_is_missing(ended, capsys):
    ended.venues = (venue(),)
    assert ended.code() == 0
    said = capsys.readouterr().out
    assert "quality      binance-usdm: 18 live, 1 repairing, 1 gap; 31 trades missing, 1,207 repaired\n" in said


def test_a_run_in_which_nothing_came_has_failed_and_says_why(ended, capsys):
    ended.frames = 0
    ended.venues = (venue(instruments={}, not_live=(), waits_for="the venue has not said yet what it trades"),)
    assert ended.code() == 1
    said = capsys.readouterr()
    assert "quality      binance-usdm: no instrument; " in said.out
    assert "binance-usdm: the venue has not said yet what it trades" in said.err
    assert "nothing was received from any venue" in said.err
