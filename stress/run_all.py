"""Runs every stress test, one after the other; exit code 1 if one of them saw a FORBIDDEN outcome."""

import argparse
import pkgutil
import subprocess
import sys
from pathlib import Path

import stress

ROOT = Path(__file__).parents[1]
FRAMEWORK = {
    "children",
    "command",
    "counting_worker",
    "exchange_floor",
    "exchange_memory",
    "exchange_troubles",
    "faulty_channel",
    "floor_command",
    "numbered_records",
    "outcomes",
    "run_all",
    "tape_witness",
}


def names() -> list[str]:
    """Return the names of all stress tests."""
    return sorted(module.name for module in pkgutil.iter_modules(stress.__path__) if module.name not in FRAMEWORK)


def main() -> int:
    """Run them as long as each is by itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only stress tests whose name holds this text")
    only = parser.parse_args().only
    chosen = [name for name in names() if only in name]
    codes = {
        name: subprocess.run([sys.executable, "-m", f"stress.{name}"], cwd=ROOT, check=False).returncode
        for name in chosen
    }
    failed = [name for name, code in codes.items() if code]
    print(f"{len(codes) - len(failed)} passed, {len(failed)} failed" + "".join(f"  {name}" for name in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
