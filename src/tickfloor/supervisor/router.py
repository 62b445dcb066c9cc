"""Who hears which message: handlers registered by type, and a count of every message."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from tickfloor.contracts.messages import FromWorker
from tickfloor.supervisor.process import WorkerProcess


class Router:
    """Passes each message to the handler of its type.

    Attributes:
        counts: messages routed, by the name of their type.
        unrouted: messages nobody had registered for; they harm nothing and are counted.
    """

    def __init__(self) -> None:
        self._handlers: dict[type, Callable[[WorkerProcess, Any], None]] = {}
        self.counts: Counter[str] = Counter()
        self.unrouted = 0

    def register(self, kind: type, handler: Callable[[WorkerProcess, Any], None]) -> None:
        """Let a handler hear all messages of a type.

        Raises:
            ValueError: the type has a handler.
        """
        if kind in self._handlers:
            raise ValueError(f"{kind.__name__} has a handler already")
        self._handlers[kind] = handler

    def route(self, process: WorkerProcess, message: FromWorker) -> None:
        """Pass a message on."""
        kind = type(message)
        self.counts[kind.__name__] += 1
        handler = self._handlers.get(kind)
        if handler is None:
            self.unrouted += 1
        else:
            handler(process, message)
