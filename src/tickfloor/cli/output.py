"""Where words go: data to stdout, everything else to stderr."""

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


def data(text: str) -> None:
    """Give the person, or the next program, what was asked for."""
    print(text)
