"""A worker as the supervisor's services see it: somebody to say things to."""


class FakeProcess:
    """Keeps what it is told."""

    def __init__(self, slot: str = "worker-1", backlog: int = 0, incarnation: int = 1) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.backlog = backlog
        self.heard: list = []

    def send(self, message) -> None:
        self.heard.append(message)
