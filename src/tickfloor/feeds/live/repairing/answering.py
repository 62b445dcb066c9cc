"""Says in the log when a venue stops answering requests, when it does so again, and what it forbids."""

from typing import Final

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.live.retry_after import BANNED

MOST_REASON: Final = 200
SOON_SECONDS: Final = 0.05


def reason_of(answer: Answer) -> str:
    """Return why an answer is none, in words."""
    said = answer.body[:MOST_REASON].decode(errors="replace")
    return f"status {answer.status}: {said}" if answer.status else said


class Answering:
    """Whether one venue answers requests; each change is said once.

    Attributes:
        unanswered: why the newest request has no answer; empty: it has one.
    """

    def __init__(self, venue: str, log: LogPort | None) -> None:
        self._venue = venue
        self._log = log
        self.unanswered = ""

    def failed(self, answer: Answer, again_seconds: float) -> None:
        """Note that a request failed in a way that may pass, and when it is tried again."""
        if not self.unanswered and self._log is not None:
            when = "at once" if again_seconds < SOON_SECONDS else f"in {again_seconds:.1f} s"
            self._log.warning(
                "the venue does not answer", venue=self._venue, reason=reason_of(answer),
                then=f"asked again {when}, and ever later until it does",
            )  # fmt: skip
        self.unanswered = reason_of(answer) or "no reason is known"

    def answered(self) -> None:
        """Note that it has answered a request."""
        if self.unanswered and self._log is not None:
            self._log.warning("the venue answers again", venue=self._venue)
        self.unanswered = ""

    def barred(self, status: int, seconds: float) -> None:
        """Note that it wants to hear nothing for so long."""
        if self._log is not None:
            what = "bans this address" if status == BANNED else "had too many requests"
            then = f"nothing is asked of it for {seconds:,.0f} s"
            self._log.warning(f"the venue {what}", venue=self._venue, status=status, then=then)
