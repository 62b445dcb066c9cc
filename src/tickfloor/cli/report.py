"""The replay's report."""

from typing import Any

import msgspec

from tickfloor.cli.run_floor import Outcome


def build_report(captures: list[str], outcome: Outcome) -> bytes:
    """Return the report as JSON.

    Instruments are in the order of their first event and signals in the order of tape sequence, trader,
    instrument, so two replays of the same captures and rules differ in nothing but ``latency_us``.
    """
    feed = outcome.feed
    report: dict[str, Any] = {
        "captures": captures,
        "frames": feed.frames,
        "instruments": msgspec.Raw(feed.figures or b"{}"),
        "signals": [
            {
                "trader": signal.trader,
                "instrument": signal.instrument,
                "ts_event": signal.ts_event,
                "tape_sequence": signal.tape_sequence,
                "values": signal.values,
            }
            for signal in outcome.signals
        ],
        "latency_us": {"p50": outcome.status.latency_p50_us, "p99": outcome.status.latency_p99_us},
        "lost": outcome.lost,
        "left_out": feed.left_out,
        "problems": [msgspec.structs.asdict(problem) for problem in feed.problems],
        "complete": feed.complete,
    }
    return msgspec.json.encode(report)
