"""A worker's channel that loses, repeats and delays commands and their answers, or kills the worker over one."""

import signal
from collections.abc import Callable
from enum import Enum
from typing import Any

from tickfloor.contracts.messages import Applied, Command, Fenced, Missing, Received
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.worker.channel import Channel

Answer = Applied | Received | Missing | Fenced


class Fate(Enum):
    """What becomes of a message."""

    PASS = "pass"
    LOSE = "lose"
    REPEAT = "repeat"
    DELAY = "delay"
    """until after the next one of the same direction"""
    KILL = "kill"
    """the worker, and lose it and all that follow"""


class FaultyChannel:
    """Stands before a process' own channel from now on; events pass undisturbed.

    Args:
        outward: decides on each copy of each command; inward: on each answer.
    """

    def __init__(
        self, process: WorkerProcess, outward: Callable[[Command], Fate], inward: Callable[[Answer], Fate]
    ) -> None:
        self._process = process
        self._channel: Channel[Any, Any] = process._channel
        self._outward = outward
        self._inward = inward
        self._late: list[tuple[Command, str]] = []
        self._late_answers: list[tuple[str, Answer]] = []
        self._killed = False
        process._channel = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a channel has
        return getattr(self._channel, name)

    def send(self, message: object, correlation_id: str = "") -> str:
        """As a channel does, or not."""
        if not isinstance(message, Command):
            return self._channel.send(message, correlation_id)
        fate = Fate.LOSE if self._killed else self._outward(message)
        match fate:
            case Fate.LOSE:
                return correlation_id
            case Fate.KILL:
                self._kill()
                return correlation_id
            case Fate.DELAY:
                self._late.append((message, correlation_id))
                return correlation_id
            case Fate.REPEAT:
                self._channel.send(message, correlation_id)
        self._channel.send(message, correlation_id)
        late, self._late = self._late, []
        for each, its_id in late:
            self._channel.send(each, its_id)
        return correlation_id

    def receive(self) -> list[tuple[str, Any]]:
        """As a channel does, or not."""
        heard: list[tuple[str, Any]] = []
        for correlation_id, message in self._channel.receive():
            if not isinstance(message, Answer):
                heard.append((correlation_id, message))
                continue
            match Fate.LOSE if self._killed else self._inward(message):
                case Fate.LOSE:
                    continue
                case Fate.KILL:
                    self._kill()
                    continue
                case Fate.DELAY:
                    self._late_answers.append((correlation_id, message))
                    continue
                case Fate.REPEAT:
                    heard.append((correlation_id, message))
            heard.append((correlation_id, message))
            heard += self._late_answers
            self._late_answers.clear()
        return heard

    def _kill(self) -> None:
        self._killed = True
        self._process.kill(signal.SIGKILL)
