"""Where words go: data to stdout, everything else to stderr."""

import re
import sys
from typing import NoReturn

import typer

from tickfloor.cli.exit_codes import ExitCode


def say(text: str) -> None:
    """Tell the person something that is not data."""
    print(text, file=sys.stderr)


def fail(text: str, code: ExitCode = ExitCode.FAILURE) -> NoReturn:
    """End the command with a message and an exit code."""
    print(f"tickfloor: {text}", file=sys.stderr)
    raise typer.Exit(code)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def figure(value: float) -> str:
    """Return a figure as people read it: whole, or with three decimals."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


def without_password(database: str) -> str:
    """Return a database's path or URL as it may be shown."""
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", database)


def data(text: str) -> None:
    """Give the person, or the next program, what was asked for."""
    print(text)
