"""Captures: whole, cut, damaged, foreign, and several at once."""

import gzip
import random
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickfloor.contracts.errors import CaptureError
from tickfloor.feeds.recording.capture import MAX_PROBLEMS, Capture
from tickfloor.feeds.replaying.merge import merge

HEADER = b'# {"name":"x","exchange":"binance","market":"usdm","more":[1]}\n'


def written(tmp_path, content: bytes, name="x.frames.gz"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def lines(count, start=1000):
    return [b'%d\tF\tws1\t{"n":%d}' % (start + number, number) for number in range(count)]


def test_a_whole_capture_is_read_with_venue_lines_and_progress(tmp_path):
    body = HEADER + b'5\tC\tws1\twss://x\n7\tH\thttps://y?a=1\t{}\n9\tF\tws1\t{"a":"tab\\there\tand here"}\n'
    capture = Capture(written(tmp_path, gzip.compress(body)))
    assert capture.venue == "binance-usdm"
    assert list(capture) == [
        (5, "C", "ws1", b"wss://x", 2), (7, "H", "https://y?a=1", b"{}", 3),
        (9, "F", "ws1", b'{"a":"tab\\there\tand here"}', 4),
    ]  # fmt: skip
    assert list(capture) == list(capture)
    assert (capture.problem_count, capture.bytes_read) == (0, capture.bytes_total)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_plain_text_is_read_too_whatever_its_last_end_of_line(tmp_path, end):
    capture = Capture(written(tmp_path, HEADER + b"\n".join(lines(3)) + end, "x.frames"))
    assert [frame[0] for frame in capture] == [1000, 1001, 1002]
    assert capture.problem_count == 0


def test_members_of_a_concatenated_gzip_are_all_read(tmp_path):
    content = gzip.compress(HEADER) + gzip.compress(b"\n".join(lines(2)) + b"\n")
    assert len(list(Capture(written(tmp_path, content)))) == 2


def test_a_cut_gzip_gives_what_can_be_read_and_one_problem(tmp_path):
    random.seed(1)
    text = HEADER + b"".join(line + b"%d\n" % random.getrandbits(200) for line in lines(2000))
    whole = gzip.compress(text)
    capture = Capture(written(tmp_path, whole[: len(whole) // 2]))
    frames = list(capture)
    assert 800 < len(frames) < 1200
    [problem] = capture.problems
    assert problem.line == frames[-1][4] + 1
    assert "cut off" in problem.reason


def test_damaged_gzip_data_ends_the_reading_with_a_problem(tmp_path):
    content = bytearray(gzip.compress(HEADER + b"\n".join(lines(2000)), 0))
    content[-4:] = b"\0\0\0\0"
    capture = Capture(written(tmp_path, bytes(content)))
    assert len(list(capture)) >= 1999
    assert "damaged" in capture.problems[0].reason


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "empty"), (b"\x1f\x8b", "cut off"), (gzip.compress(b"", mtime=0), "empty"), (b"hello\nworld\n", "provenance"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "provenance"), (b"# {nonsense\n", "cannot be read"),
    (b'# {"exchange":"binance"}\n1\tF\tx\ty\n', "market"), (gzip.compress(HEADER, mtime=0)[:15], "cut off"),
])  # fmt: skip
def test_what_is_no_capture_is_a_problem_and_yields_nothing(tmp_path, content, reason):
    capture = Capture(written(tmp_path, content))
    assert capture.venue is None
    assert list(capture) == []
    [problem] = capture.problems
    assert problem.line == 1
    assert reason in problem.reason


@pytest.mark.parametrize(("provenance", "venue"), [
    ('{"exchange":"kraken","market":"spot-ws-v2"}', "kraken"),
    ('{"exchange":"coinbase","market":"advanced-trade"}', "coinbase"),
    ('{"exchange":"binance","market":"coinm"}', "binance-coinm"),
    ('{"exchange":"whatever","market":"","venue":"binance-usdm"}', "binance-usdm"),
])  # fmt: skip
def test_the_venue_is_known_by_exchange_and_market_or_named(tmp_path, provenance, venue):
    assert Capture(written(tmp_path, f"# {provenance}\n".encode())).venue == venue


@pytest.mark.parametrize(("provenance", "named"), [
    ('{"exchange":"kraken","market":"spot-ws-v1"}', "kraken spot-ws-v1"),
    ('{"exchange":"coinbase","market":"exchange-feed"}', "coinbase exchange-feed"),
    ('{"exchange":"binance","market":"spot","venue":"mars"}', "mars"),
])  # fmt: skip
def test_a_capture_of_another_venue_is_refused_naming_ours(tmp_path, provenance, named):
    path = written(tmp_path, f"# {provenance}\n".encode())
    with pytest.raises(CaptureError, match=rf"is of {named}, which.*binance spot, .*kraken spot-ws-v2, coinbase adv"):
        Capture(path)


def test_a_wrapped_line_is_read_as_what_it_holds(tmp_path):
    body = HEADER + b'5\tB\t\t{"kind":"H","ref":"https://y?a=\\t1","payload":"ewp9DQo="}\n6\tF\tws1\t{}\n'
    assert list(Capture(written(tmp_path, body))) == [
        (5, "H", "https://y?a=\t1", b"{\n}\r\n", 2),
        (6, "F", "ws1", b"{}", 3),
    ]


@pytest.mark.parametrize("payload", [
    b"", b"{", b'{"kind":"B","ref":"","payload":""}', b'{"kind":"F","ref":"x"}', b'{"kind":"F","ref":"","payload":"?"}',
    b'{"kind":"F","ref":"","payload":"","more":1}',
])  # fmt: skip
def test_a_wrapped_line_that_cannot_be_read_is_named(tmp_path, payload):
    capture = Capture(written(tmp_path, HEADER + b"5\tB\t\t" + payload + b"\n6\tF\tws1\t{}\n"))
    assert [frame[0] for frame in capture] == [6]
    [problem] = capture.problems
    assert (problem.line, problem.reason[:32]) == (2, "the wrapped line cannot be read:")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(CaptureError, match=r"none\.gz cannot be read: No such file"):
        Capture(tmp_path / "none.gz")
    with pytest.raises(CaptureError, match="Is a directory"):
        Capture(tmp_path)


def test_malformed_lines_are_left_out_and_named(tmp_path):
    body = HEADER + b"\n".join([
        b"1\tF\tws1\t{}", b"one\tF\tws1\t{}", b"2\tX\tws1\t{}", b"3\tF\tws1", b"", b"4\tF\t\xff\t{}", b"-5\tF\tws1\t{}",
        b"9" * 30 + b"\tF\tws1\t{}", b"6\tF\tws1\t\xff",
    ])  # fmt: skip
    capture = Capture(written(tmp_path, body))
    assert [frame[0] for frame in capture] == [1, 6]
    assert [problem.line for problem in capture.problems] == [3, 4, 5, 7, 8, 9]
    assert [problem.reason for problem in capture.problems][:3] == [
        "receive time 'one' is not a number", "kind 'X' is not F, S, C or H",
        "3 of the 4 parts recv_ns, kind, ref, payload",
    ]  # fmt: skip


def test_problems_are_bounded_and_all_counted(tmp_path):
    capture = Capture(written(tmp_path, HEADER + b"bad\n" * 500))
    assert list(capture) == []
    assert (len(capture.problems), capture.problem_count) == (MAX_PROBLEMS, 500)


def test_a_line_without_end_is_not_swallowed_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("tickfloor.feeds.recording.capture.MAX_LINE_BYTES", 1 << 20)
    capture = Capture(written(tmp_path, gzip.compress(HEADER + b"1\tF\tws1\t{}\n" + b"x" * (50 << 20))))
    assert [frame[0] for frame in capture] == [1]
    assert "longer than 1 MiB" in capture.problems[0].reason


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 400), st.booleans(), st.booleans())
def test_damage_never_raises(tmp_path, noise, at, compressed, header):
    content = (HEADER if header else b"") + b"\n".join(lines(5)) + b"\n"
    content = gzip.compress(content) if compressed else content
    path = written(tmp_path, content[:at] + noise + content[at + len(noise) :])
    try:
        capture = Capture(path)
        frames = list(capture)
    except CaptureError:
        return
    assert all(isinstance(payload, bytes) for *_, payload, _ in frames)
    assert len(frames) >= 5 or capture.problem_count or not header or noise


def test_captures_are_merged_by_time_then_order_then_line(tmp_path):
    first = Capture(written(tmp_path, HEADER + b"1\tF\ta\t1\n5\tF\ta\t2\n5\tF\ta\t3\n9\tF\ta\t4\n", "a"))
    second = Capture(written(tmp_path, HEADER + b"1\tF\tb\t5\n2\tF\tb\t6\n5\tF\tb\t7\n8\tF\tb\t8\n", "b"))
    merged = list(merge([first, second]))
    assert [payload for *_, payload, _ in merged] == [b"1", b"5", b"6", b"2", b"3", b"7", b"8", b"4"]
    assert [frame[1] for frame in merged] == [0, 1, 1, 0, 0, 1, 1, 0]


@given(st.lists(st.lists(st.integers(1, 30), max_size=20), max_size=4))
def test_merging_keeps_each_capture_s_order_even_where_its_times_go_back(times):
    captures = [[(recv, "F", "x", b"", line) for line, recv in enumerate(each, 2)] for each in times]
    merged = list(merge(captures))
    assert [[(f[0], *f[2:]) for f in merged if f[1] == index] for index in range(len(times))] == captures
    if all(each == sorted(each) for each in times):
        assert all(one[:2] <= two[:2] for one, two in pairwise(merged))


def test_a_line_that_is_too_long_is_a_problem_and_the_others_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tickfloor.feeds.recording.capture.MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "long.frames"
    path.write_bytes(HEADER + b"1\tF\tw\t" + b"x" * (3 << 20) + b"\n2\tF\tw\t{}\n3\tF\tw\t" + b"y" * (2 << 20))
    capture = Capture(path)
    assert [frame[0] for frame in capture] == [2]
    assert [problem.line for problem in capture.problems] == [2, 4]


def test_zeros_after_the_gzip_data_and_a_byte_order_mark_are_read_over(tmp_path):
    path = tmp_path / "padded.frames.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + HEADER + b"1\tF\tw\t{}\n") + bytes(512))
    capture = Capture(path)
    assert [frame[0] for frame in capture] == [1]
    assert capture.venue == "binance-usdm"
    assert not capture.problem_count
