"""The comparison of the data paths, as a person and as a program sees it."""

import signal

import pytest

from tests.floor.commands import Command, tickfloor
from tests.waiting import until

QUICK = ("--rounds", "1", "--seconds", "0.5", "--traders", "30", "--workers", "1")
MARKET = ("--rate", "500", "--instruments", "5")
MANY = (*QUICK, "--traders", "100", "--json")


def test_a_table_of_both_paths_and_a_sentence(tmp_path):
    finished = tickfloor(tmp_path, "bench", *QUICK, *MARKET)
    assert finished.code == 0, finished.err
    head, *lines = finished.out.splitlines()
    assert head.split() == ["pace", "figure", "shared-memory", "message-passing", "ratio"]
    for figure in ("records/s", "tick to signal p50 µs", "feed CPU s", "context switches", "own memory MiB"):
        assert any(figure in line for line in lines)
    serialising = [line.split() for line in lines if "serialising ms" in line]
    assert [each[-3] for each in serialising] == ["0.0", "0.0"]
    assert all(float(each[-2]) > 0 for each in serialising)
    assert lines[-1].startswith("With the same ")
    assert lines[-1].endswith("ms of serialising become 0.")
    assert [line.split()[0] for line in finished.err.splitlines()[1:]] == ["1/4", "2/4", "3/4", "4/4"]
    # Neither a database nor anything else is left.
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("tmp-")] == []


def test_the_same_figures_for_programs_and_of_a_capture(tmp_path, small_capture):
    finished = tickfloor(tmp_path, "bench", small_capture, *MANY, control_socket="somewhere")
    assert finished.code == 0, finished.err
    found = finished.json
    assert (found["workload"]["frames"], found["workload"]["records"]) == (4_716, 6_483)
    assert found["workload"]["signals"] > 0
    assert found["paths"].keys() == {"shared-memory", "message-passing"}
    for pace in ("flat out", "paced"):
        shared, messages = (found["paths"][path][pace] for path in ("shared-memory", "message-passing"))
        assert shared["messages"] == shared["serialising_ms"] == shared["records_from_tape"] == 0
        assert messages["messages"] > 0
        assert messages["serialising_ms"] > 0
        assert min(each["records_per_second"] for each in (shared, messages)) > 0
    assert len(found["runs"]) == 4
    assert not (tmp_path / "somewhere").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing.gz"], 3, "there is no capture nothing.gz"),
        (["empty"], 1, "empty:1: the file is empty"),
        (["torn"], 1, "torn:2: "),
        (["none"], 1, "the captures hold no frames"),
        (["--rounds", "0"], 2, "--rounds"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path, words, code, said):
    first = '# {"exchange": "binance", "market": "spot"}\n'
    (tmp_path / "empty").write_text("")
    (tmp_path / "torn").write_text(first + "what\n")
    (tmp_path / "none").write_text(first)
    finished = tickfloor(tmp_path, "bench", *words)
    assert (finished.code, finished.out) == (code, "")
    assert said in finished.err


def test_an_interrupt_ends_it_in_order(tmp_path):
    with Command(tmp_path, "bench", *QUICK, "--seconds", "600", *MARKET, "--rate", "5") as command:
        until(lambda: "feed-1" in command.processes().values(), "a floor runs")
        command.send(signal.SIGINT)
        finished = command.finish()
        assert (finished.code, finished.out) == (130, "")
        assert finished.err.splitlines()[-1] == "interrupted"
        command.until_nothing_is_left()
