"""Processes of a floor are killed at random moments of a replay: its report is that of the undisturbed one.

Where the supervisor is killed, nothing may live on, the database must be sound and hold nothing but signals of the
replay, and the same replay after it must complete it. The recorded data is looked for in ``shared/data`` beside the
repository, or where TICKFLOOR_DATA says.
"""

import argparse
import json
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stress.floor_command import FloorCommand
from stress.outcomes import Outcome, Tally, Verdict

OUTCOMES = (
    Outcome("same report", Verdict.ACCEPTABLE, "as the undisturbed replay's, timings aside"),
    Outcome("database sound", Verdict.ACCEPTABLE, "after the supervisor's death: only signals of the replay"),
    Outcome("replay completed", Verdict.ACCEPTABLE, "by the next one into the same database"),
    Outcome("trader killed", Verdict.INTERESTING, "SIGKILL at a random moment"),
    Outcome("feed killed", Verdict.INTERESTING, ""),
    Outcome("storage killed", Verdict.INTERESTING, ""),
    Outcome("logger killed", Verdict.INTERESTING, ""),
    Outcome("console killed", Verdict.INTERESTING, ""),
    Outcome("zygote killed", Verdict.INTERESTING, "or one of its templates"),
    Outcome("supervisor killed", Verdict.INTERESTING, ""),
    Outcome("too early", Verdict.INTERESTING, "there was nobody to kill yet"),
    Outcome("too late", Verdict.INTERESTING, "there was nobody left to kill"),
    Outcome("given up", Verdict.INTERESTING, "three deaths in a row before it was ready end a floor, with a message"),
    Outcome("another report", Verdict.FORBIDDEN, "figures or signals are not the undisturbed ones"),
    Outcome("failed", Verdict.FORBIDDEN, "a replay whose workers were killed did not end with exit code 0"),
    Outcome("hung", Verdict.FORBIDDEN, "a replay did not end"),
    Outcome("process left", Verdict.FORBIDDEN, "alive after the supervisor's end"),
    Outcome("file left", Verdict.FORBIDDEN, "a temporary file after the supervisor's end"),
    Outcome("database damaged", Verdict.FORBIDDEN, "or with a signal that the replay does not give"),
)

RULES = """
[[trader]]
name = "above the open"
rule = "close > open"

[[trader]]
name = "below the open, cooled"
rule = "close < open"
cooldown = "500ms"

[[trader]]
name = "bid heavy"
rule = 'bid_size > 3 * ask_size and quality == "live"'
cooldown = "1s"

[[trader]]
name = "ask heavy"
rule = "ask_size > 5 * bid_size"

[[trader]]
name = "above ema"
rule = "close > ema(close, 2)"

[[trader]]
name = "delta turns"
rule = "cumulative_delta > 0 and delta < 0"

[[trader]]
name = "minute up"
rule = "close > open"
when = "close"
"""

CAPTURE = "raw/binance_spot_3sym_20210404.frames.gz"
PATIENCE = 30.0
"""Seconds within which a replay ends, however often its workers are killed."""
_MARKET_SECONDS = 91.0
_BOOT_FAILURES = 3
_GIVEN_UP = re.compile(
    r"did not start: killed by SIGKILL|keeps dying, last by killed by SIGKILL|the zygote (did|does|has)|while it forked"
)
_WORKERS = ("feed", "trader", "storage", "logger", "console")
_SETTINGS: dict[str, object] = {
    "restart_intensity": 100_000,
    "restart_period": 0.01,
    "log_file": "floor.log",
    "log_level": "info",
}


class Kills:
    """One test: the undisturbed replay, and rounds that are disturbed."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.tally = Tally("kills", OUTCOMES)
        self._rng = rng
        self._folder = folder
        self._capture = data_directory() / CAPTURE
        self._rules = folder / "rules.toml"
        self._rules.write_text(RULES)
        first = folder / "undisturbed"
        first.mkdir()
        began = time.monotonic()
        command = self._start(first, "max", _SETTINGS)
        code = command.finish(PATIENCE)
        if code != 0:
            raise RuntimeError(f"the undisturbed replay ended with {code}: {command.errors()}")
        command.close()
        self._seconds = time.monotonic() - began
        self._report = _report_of(first)
        self._signals = _signals_of(first)

    def round(self, number: int) -> None:
        """Play one replay and kill some of it."""
        folder = self._folder / str(number)
        folder.mkdir()
        rng = self._rng
        speed = rng.choice(("max", "200", "100", "50"))
        longest = self._seconds + (0.0 if speed == "max" else _MARKET_SECONDS / float(speed))
        memory: dict[str, object] = {"tape_records": rng.choice((256, 1024, 65_536))}
        settings = _SETTINGS | memory | {"trader_workers": rng.choice((1, 2, 4))}
        command = self._start(folder, speed, settings)
        try:
            if rng.random() < 0.25:
                self._kill_supervisor(command, longest)
                command.finish(PATIENCE)
                self._check_what_is_left(command)
                self._check_database(folder)
                again = self._start(folder, "max", settings)
                self._check_report(again, folder, "replay completed")
                again.close()
            else:
                moments = sorted(rng.uniform(0.0, longest) for _ in range(rng.randrange(1, 8)))
                self._kill_workers(command, moments)
                self._check_report(command, folder, "same report", len(moments))
        finally:
            command.close()

    def _start(self, folder: Path, speed: str, settings: dict[str, object]) -> FloorCommand:
        words = ["replay", str(self._capture), "--rules", str(self._rules), "--speed", speed]
        return FloorCommand(folder, [*words, "--db", "floor.db", "--report", "report.json"], settings)

    def _kill_workers(self, command: FloorCommand, moments: list[float]) -> None:
        began = time.monotonic()
        for moment in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            by_kind: dict[str, list[int]] = {}
            for pid, name in command.processes().items():
                kind = name.partition("-")[0]
                if pid != command.pid:
                    by_kind.setdefault(kind if kind in _WORKERS else "zygote", []).append(pid)
            if not by_kind:
                self.tally.add(0, "too late" if not command.running else "too early")
                continue
            kind = self._rng.choice(sorted(by_kind))
            command.kill(self._rng.choice(by_kind[kind]))
            self.tally.add(0, f"{kind} killed")

    def _kill_supervisor(self, command: FloorCommand, longest: float) -> None:
        time.sleep(self._rng.uniform(0.0, longest))
        if command.running:
            command.kill(command.pid)
            self.tally.add(0, "supervisor killed")
        else:
            self.tally.add(0, "too late")

    def _check_report(self, command: FloorCommand, folder: Path, good: str, disturbed: int = 0) -> None:
        code = command.finish(PATIENCE)
        if code is None:
            self._forbidden("hung", command, f"processes: {command.processes()}")
        elif code == 1 and disturbed >= _BOOT_FAILURES and _GIVEN_UP.search(command.errors()):
            self.tally.add(0, "given up")
        elif code != 0:
            self._forbidden("failed", command, f"exit code {code}")
        elif _report_of(folder) != self._report or _signals_of(folder) != self._signals:
            self._forbidden("another report", command, f"see {folder}/report.json")
        else:
            self.tally.add(0, good)
        if code is not None:
            self._check_what_is_left(command)

    def _check_what_is_left(self, command: FloorCommand) -> None:
        left = command.left_alive(5.0)
        if left:
            self._forbidden("process left", command, str(left))
        files = list(command.temporary.iterdir())
        if files:
            self._forbidden("file left", command, str(files))

    def _check_database(self, folder: Path) -> None:
        try:
            found = _signals_of(folder) if (folder / "floor.db").exists() else {}
        except sqlite3.DatabaseError as error:
            self.tally.add(0, "database damaged")
            print(f"{folder}: {error}", file=sys.stderr)
            return
        self.tally.add(0, "database sound" if found.items() <= self._signals.items() else "database damaged")

    def _forbidden(self, outcome: str, command: FloorCommand, what: str) -> None:
        self.tally.add(0, outcome)
        print(f"FORBIDDEN {outcome}: {what}\n{command.errors()}\n{command.log()}", file=sys.stderr, flush=True)


def data_directory() -> Path:
    """Return where the recorded data is.

    Raises:
        FileNotFoundError: it is not there.
    """
    named = os.environ.get("TICKFLOOR_DATA")
    places = [Path(named)] if named else [parent / "shared" / "data" for parent in Path(__file__).parents]
    for place in places:
        if (place / CAPTURE).exists():
            return place
    raise FileNotFoundError("no recorded data: set TICKFLOOR_DATA to the folder that holds raw/")


def _report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    del report["latency_us"]
    return report


def _signals_of(folder: Path) -> dict[str, tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "floor.db")
    try:
        [(sound,)] = connection.execute("PRAGMA integrity_check")
        if sound != "ok":
            raise sqlite3.DatabaseError(sound)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'signals'").fetchall():
            return {}
        rows = connection.execute('SELECT id, trader, instrument, tape_sequence, ts_event, "values" FROM signals')
        return {row[0]: row[1:] for row in rows}
    finally:
        connection.close()


def main() -> None:
    """Run from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="replays to disturb (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the deaths and pauses")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tickfloor-kills-") as folder:
        kills = Kills(Path(folder), random.Random(arguments.seed))
        for number in range(arguments.rounds):
            kills.round(number)
    print(kills.tally.as_json() if arguments.json else kills.tally.as_table())
    sys.exit(0 if kills.tally.passed else 1)


if __name__ == "__main__":
    main()
