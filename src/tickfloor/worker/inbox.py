"""Commands as their worker takes them: each once, in the order of its lane, each with one answer kept for repeats."""

from collections.abc import Callable

import msgspec

from tickfloor.contracts.commands import CommandBody, Result
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import Applied, Command, Fenced, Lane, Missing, Received
from tickfloor.worker.fence import Fence

_decode = msgspec.msgpack.Decoder(CommandBody).decode

Reply = Received | Applied | Missing | Fenced


class Later(Exception):  # noqa: N818 - not an error: the command is applied, and answered, by a later step
    """Raised where a command is applied whose effect takes time; :meth:`Inbox.answer` says when it is there."""


class Inbox:
    """One lane.

    An answer is kept until a command says that the sender has it; the sender bounds how many that can be.

    Args:
        fence: of this worker, the same for all its lanes.
        apply: makes a command's effect and returns its result; a TickfloorError is the answer, too.
        reply: says something to the supervisor, with the command's correlation id.

    Attributes:
        applied: commands answered; repeated: commands that came again; fenced: commands refused for their origin.
    """

    def __init__(
        self,
        lane: Lane,
        *,
        fence: Fence,
        apply: Callable[[int, CommandBody], Result | None],
        reply: Callable[[Reply, str], object],
    ) -> None:
        self._lane = lane
        self._fence = fence
        self._apply = apply
        self._reply = reply
        self._due = 1
        self._under_way: dict[int, str] = {}
        self._answers: dict[int, Applied] = {}
        self._settled = 0
        self.applied = 0
        self.repeated = 0
        self.fenced = 0

    def take(self, command: Command, correlation_id: str) -> None:
        """Apply a command, or say why not, or repeat what was said of it before."""
        sequence = command.sequence
        fence = self._fence
        if not fence.admits(command):
            self.fenced += 1
            self._reply(
                Fenced(lane=self._lane, sequence=sequence, epoch=fence.epoch, incarnation=fence.incarnation),
                correlation_id,
            )
            return
        self._forget(command.settled)
        if sequence > self._due:
            self._reply(Missing(lane=self._lane, due=self._due), correlation_id)
        elif sequence < self._due:
            self._repeat(sequence, correlation_id)
        else:
            fence.epoch = command.epoch
            self._due += 1
            self._under_way[sequence] = correlation_id
            self._run(sequence, command.body, correlation_id)

    def answer(self, sequence: int, result: Result | None = None, error: str = "") -> None:
        """Say that a command's effect is there, or that it cannot be."""
        correlation_id = self._under_way.pop(sequence)
        answer = Applied(lane=self._lane, sequence=sequence, error=error, result=result)
        self._answers[sequence] = answer
        self.applied += 1
        self._reply(answer, correlation_id)

    @property
    def kept(self) -> int:
        """Answers that the sender may still ask for."""
        return len(self._answers)

    def _forget(self, settled: int) -> None:
        """Let go of answers that have come; copies of a command may be late, so this never goes back."""
        settled = min(settled, self._due - 1)
        while self._settled < settled:
            self._settled += 1
            self._answers.pop(self._settled, None)

    def _run(self, sequence: int, raw: msgspec.Raw, correlation_id: str) -> None:
        try:
            body = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.answer(sequence, error=f"unsupported: {error}; this worker speaks another version")
            return
        try:
            result = self._apply(sequence, body)
        except Later:
            self._reply(Received(lane=self._lane, through=sequence), correlation_id)
        except TickfloorError as error:
            self.answer(sequence, error=str(error))
        else:
            self.answer(sequence, result)

    def _repeat(self, sequence: int, correlation_id: str) -> None:
        """Answer a command that has come before, without applying it again."""
        self.repeated += 1
        answer = self._answers.get(sequence)
        if answer is not None:
            self._reply(answer, correlation_id)
        elif sequence in self._under_way:
            # The sender asks again while it runs; the answer will be that of the one that runs.
            self._reply(Received(lane=self._lane, through=sequence), correlation_id)
        # Otherwise the sender has its answer: this is a copy that was long on its way.
