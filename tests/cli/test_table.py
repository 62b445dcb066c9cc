"""Tables: plain for programs, fitted to a terminal for people."""

import os
import pty
import re
import select
import subprocess
import sys

import pytest

PROGRAM = """
from tickfloor.cli.table import Cell, Column, show_table
columns = Column("name"), Column("n", right=True), Column("state"), Column("rule", gives_way=True)
rows = [["one", "1", Cell("well", "green"), "[red]close > 1[/red]"], ["trader two", "12,345", "ill\\x1b", "x" * 100]]
show_table(columns, rows)
show_table(columns[:2], [])
"""


def drawn(columns):
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    said = bytearray()
    while select.select([ours], [], [])[0]:
        try:
            said += os.read(ours, 1 << 16)
        except OSError:
            break
    os.close(ours)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).splitlines()


def test_for_a_program_nothing_is_cut_and_nothing_is_coloured():
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines() == [
        "name             n  state    rule",
        "one              1  well     [red]close > 1[/red]",
        f"trader two  12,345  ill\\x1b  {'x' * 100}",
        "name  n",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_lines_fit_and_what_gives_way_is_cut(columns):
    lines = drawn(columns)
    assert all(len(text) <= columns for text in lines)
    assert lines[1].split()[:3] == ["one", "1", "well"]
    assert lines[2].startswith("trader two  12,345  ill\\x1b  xxx")
    assert ("…" in lines[2]) == (columns < 130)


def test_on_a_very_narrow_terminal_all_give_way():
    assert all(len(text) <= 24 for text in drawn(24))
