"""Runs every benchmark and renders its table into docs/performance.md, between the markers that stand there."""

import argparse
import json
import os
import pkgutil
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import benchmarks
from benchmarks.harness import CaseResult, Result, number, ratio

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/performance.md"


def names() -> list[str]:
    """Return the names of all benchmarks: the modules that have cases."""
    folder = Path(benchmarks.__path__[0])
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in modules if "\ndef cases(" in (folder / f"{name}.py").read_text())


def run(name: str, *, quick: bool) -> Result:
    """Run one benchmark in a process of its own, which inherits nothing from the others.

    Raises:
        subprocess.CalledProcessError: it failed; its traceback is on stderr.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--targets", *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: Result = json.loads(done.stdout)
    return result


def machine() -> str:
    """Return the line that says where and when the numbers were measured."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}."
    )


def table(result: Result) -> str:
    """Return one benchmark's medians as a table, each baseline with how many times better ours is."""
    peers = list(dict.fromkeys(peer for case in result["cases"] for peer in case["baselines"]))
    has_limit = any(case["limit"] is not None for case in result["cases"])
    header = ["case", "unit", "target", "ours", *peers, *(["limit"] if has_limit else [])]
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(_cells(case, peers, has_limit))} |" for case in result["cases"]]
    return "\n".join(lines)


def _cells(case: CaseResult, peers: list[str], has_limit: bool) -> Iterator[str]:
    yield case["case"]
    yield case["unit"]
    target = case.get("target")
    sign = "≥" if case["better"] == "higher" else "≤"
    yield "–" if target is None else f"{sign} {number(target)}"
    yield f"**{number(case['ours'])}**"
    for peer in peers:
        yield _compared(case, case["baselines"].get(peer))
    if has_limit:
        yield _compared(case, case["limit"])


def _compared(case: CaseResult, figure: float | None) -> str:
    if figure is None:
        return "–"
    times = ratio(case, figure)
    return f"{number(figure)} ({times:.0f} ×)" if times >= 10 else f"{number(figure)} ({times:.2g} ×)"


def render(document: str, marker: str, content: str) -> str:
    """Replace what stands between a marker's two comments; add the section at the end if it is not there.

    ``(2.1 ×)`` beside a baseline means that ours is 2.1 times better.
    """
    begin, end = f"<!-- {marker} begin -->", f"<!-- {marker} end -->"
    block = f"{begin}\n{content}\n{end}"
    if begin in document:
        return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, document, flags=re.DOTALL)
    return f"{document.rstrip()}\n\n## {marker}\n\n{block}\n"


def main() -> None:
    """Run the benchmarks named, or all, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(names())} (default all)")
    parser.add_argument("--quick", action="store_true", help="show that all work; the document stays as it is")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    failed = []
    document = DOCUMENT.read_text()
    for name in arguments.names or names():
        try:
            result = run(name, quick=arguments.quick)
        except subprocess.CalledProcessError:
            failed.append(name)
            continue
        print(table(result))
        document = render(document, name, f"Measured {machine()}\n\n{table(result)}")
    if not arguments.quick:
        DOCUMENT.write_text(document)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
