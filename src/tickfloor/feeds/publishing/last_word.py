"""What a feed says when it ends."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from tickfloor.contracts.events import FeedFinished, FeedProblem
from tickfloor.feeds.publishing.output import FeedOutput


class Accountable(Protocol):
    """What is asked of each venue's adapter; see :class:`~tickfloor.feeds.venue.Adapter`."""

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason."""

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the report's exact figures of every instrument, by ``venue:symbol``."""


def last_word(
    output: FeedOutput,
    adapters: Mapping[str, Accountable],
    *,
    frames: int,
    malformed: int,
    complete: bool,
    problems: tuple[FeedProblem, ...] = (),
    problem_count: int = 0,
    error: str = "",
) -> FeedFinished:
    """Return a feed's last word.

    Args:
        adapters: by venue.
        frames, malformed: taken in, and refused of those.
        complete: whether the source has ended by itself.
        problems: what could not be used, the first of them; problem_count: all of them.
        error: why it cannot go on, and no successor could.
    """
    refused = [f"{venue}:{symbol}" for venue, adapter in adapters.items() for symbol in adapter.refused()]
    if refused:
        shown = ", ".join(refused[:10]) + (" …" if len(refused) > 10 else "")
        reason = f"no row on the board for {shown}: raise board_instruments"
        problems = (FeedProblem(file="board", line=0, reason=reason), *problems)
        problem_count += 1
    return FeedFinished(
        head=max(output.tape.sequence, output.tape.resumed_at),
        frames=frames,
        malformed=malformed,
        complete=complete,
        problems=problems,
        problem_count=problem_count,
        left_out={why: times for adapter in adapters.values() for why, times in adapter.left_out().items()},
        figures=_figures(output, adapters),
        error=error,
    )


def _figures(output: FeedOutput, adapters: Mapping[str, Accountable]) -> bytes:
    if output.audit is None:
        return b""
    found = {key: figures for adapter in adapters.values() for key, figures in adapter.figures().items()}
    # An instrument that the board had no row for has no figures.
    ordered = [instrument.key for instrument in output.instruments if instrument.key in found]
    return msgspec.json.encode({key: found[key] for key in ordered})
