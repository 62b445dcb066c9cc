"""Runs cases against their baselines, taking turns in one run, and prints medians."""

import argparse
import gc
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict

Measure = Callable[[], float]
"""Measures once and returns the figure in the case's unit."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure, and what it is compared with.

    Attributes:
        unit: of all its figures.
        better: whether a higher or a lower figure is better.
        limit: what nobody can beat, if that can be measured.
        target: what the design promises, for the document.
    """

    name: str
    unit: str
    ours: Measure
    baselines: dict[str, Measure] = field(default_factory=dict)
    limit: Measure | None = None
    better: Literal["higher", "lower"] = "higher"
    target: float | None = None


class CaseResult(TypedDict):
    """One case's medians, as ``--json`` prints them."""

    case: str
    unit: str
    ours: float
    baselines: dict[str, float]
    limit: float | None
    better: Literal["higher", "lower"]
    target: NotRequired[float]
    """with ``--targets`` only, and where there is one"""


class Result(TypedDict):
    """One benchmark's medians, as ``--json`` prints them."""

    name: str
    cases: list[CaseResult]


def run_cases(name: str, cases: Sequence[Case], rounds: int) -> Result:
    """Measure every case; within one, ours and the baselines take turns, so that drift hits all alike."""
    results: list[CaseResult] = []
    for number, case in enumerate(cases, 1):
        print(f"{name} {number}/{len(cases)}: {case.name}", file=sys.stderr)
        measures = {"": case.ours, **case.baselines}
        if case.limit is not None:
            measures["limit"] = case.limit
        figures: dict[str, list[float]] = {what: [] for what in measures}
        for _ in range(rounds):
            for what, measure in measures.items():
                gc.collect()
                figures[what].append(measure())
        medians = {what: statistics.median(found) for what, found in figures.items()}
        results.append(
            {
                "case": case.name,
                "unit": case.unit,
                "ours": medians[""],
                "baselines": {what: medians[what] for what in case.baselines},
                "limit": medians.get("limit"),
                "better": case.better,
            }
        )
    return {"name": name, "cases": results}


def ratio(result: CaseResult, other: float) -> float:
    """Return how many times better ours is than another figure; below 1 for worse."""
    return result["ours"] / other if result["better"] == "higher" else other / result["ours"]


def number(figure: float) -> str:
    """Return a figure as people read it, to three digits or whole."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:,.3g}"


def as_table(result: Result) -> str:
    """Return the medians for people."""
    lines = [f"{result['name']}: medians, and how many times better ours is"]
    for case in result["cases"]:
        lines.append(f"\n  {case['case']} ({case['unit']}, {case['better']} is better)")
        rows = [("ours", case["ours"]), *case["baselines"].items()]
        if case["limit"] is not None:
            rows.append(("limit", case["limit"]))
        width = max(len(what) for what, _ in rows)
        for what, figure in rows:
            times = "" if what == "ours" else f"  {ratio(case, figure):8.2f} x"
            lines.append(f"    {what:<{width}}  {number(figure):>14}{times}")
    return "\n".join(lines)


def main(name: str, description: str | None, cases: Callable[[bool], Sequence[Case]]) -> None:
    """Run a benchmark from the command line.

    Args:
        name: of the benchmark.
        description: for ``--help``.
        cases: returns the cases, smaller ones if asked to be quick.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--rounds", type=int, default=3, help="rounds the medians are taken over (default %(default)s)")
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--targets", action="store_true", help="add the design's targets to the JSON")
    arguments = parser.parse_args()
    chosen = [case for case in cases(arguments.quick) if arguments.only in case.name]
    result = run_cases(name, chosen, 1 if arguments.quick else arguments.rounds)
    if arguments.targets:
        for case, measured in zip(chosen, result["cases"], strict=True):
            if case.target is not None:
                measured["target"] = case.target
    print(json.dumps(result) if arguments.json else as_table(result))
