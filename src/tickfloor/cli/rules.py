"""``tickfloor rules``."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.rules_file import RulesFile
from tickfloor.contracts.commands import RuleProblem
from tickfloor.contracts.errors import ConfigError


def read_rules(path: Path) -> RulesFile:
    """Return a rules file, or end the command with what is wrong with it."""
    try:
        return RulesFile(path)
    except FileNotFoundError:
        fail(f"there is no rules file {path}", ExitCode.NOT_FOUND)
    except ConfigError as error:
        fail(str(error), ExitCode.INVALID)


def check_rules(path: Path, as_json: bool) -> None:
    """Check every rule of a file and say which are wrong, where and why."""
    from tickfloor.traders.check import check_traders

    file = read_rules(path)
    problems = check_traders(file.specs).problems
    if as_json:
        found = [describe(file, problem) for problem in problems]
        data(msgspec.json.encode({"file": str(path), "traders": len(file.specs), "problems": found}).decode())
    elif not problems:
        data(f"{path}: {counted(len(file.specs), 'trader')}, all of them can run")
    if problems:
        if not as_json:
            say_problems(file, problems)
        fail(f"{path}: {len(problems)} of {counted(len(file.specs), 'rule')} cannot run", ExitCode.INVALID)


def say_problems(file: RulesFile, problems: Sequence[RuleProblem]) -> None:
    """Show each problem with its place in the file, and of a rule the text with a caret under its column.

    What is wrong with a strategy's code names the Python file and the line of it.
    """
    from tickfloor.traders.language.errors import excerpt

    strategies = {spec.strategy for spec in file.specs if spec.strategy}
    for problem in problems:
        place = file.place_of(problem.trader, problem.column)
        say(f"{file.path}:{place.line}:{place.column}: trader {problem.trader!r}: {problem.message}")
        if problem.text not in strategies:
            line, caret = excerpt(problem.text, problem.column)
            say(f"    {line}\n    {caret}")
        if problem.hint:
            say(f"    {problem.hint}")


def describe(file: RulesFile, problem: RuleProblem) -> dict[str, str | int]:
    """Return a problem for a program."""
    place = file.place_of(problem.trader, problem.column)
    return {
        "trader": problem.trader,
        "line": place.line,
        "column": place.column,
        "rule": problem.text,
        "rule_column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }
