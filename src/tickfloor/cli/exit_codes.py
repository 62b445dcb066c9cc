"""What a command's exit code means; the same for every command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in docs/cli.md."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    INVALID = 4
    """the configuration or a rules file is not valid"""
    TIMEOUT = 5
    UNHEALTHY = 6
    REFUSED = 7
    """a running floor does not do that"""
    BUSY = 8
    """a running floor is doing something else; the same command may work later"""
    INTERRUPTED = 130
