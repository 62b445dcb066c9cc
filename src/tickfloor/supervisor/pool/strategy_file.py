"""A strategy's file as the supervisor sees it: bytes with a digest, which it never runs."""

from pathlib import Path

import msgspec

from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.traders import TraderSpec, code_digest


class NoStrategyError(WorkerError):
    """A trader is a rule, and has no file."""


def renewed(spec: TraderSpec) -> TraderSpec:
    """Return a strategy with its file as it is now, which a worker is to load and nobody else.

    Raises:
        NoStrategyError: it is a rule.
        WorkerError: the file cannot be read.
    """
    if not spec.strategy:
        raise NoStrategyError(f"trader {spec.name} is a rule and has no file; update it")
    path = Path(spec.strategy.rpartition(":")[0])
    try:
        if not path.is_file():
            raise WorkerError(f"there is no strategy file {path}")
        source = path.read_bytes()
    except OSError as error:
        raise WorkerError(f"{path}: cannot be read: {error.strerror}") from error
    return msgspec.structs.replace(spec, strategy_digest=code_digest(source), revision=spec.revision + 1)
