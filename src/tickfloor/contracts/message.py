"""What every message is: a frozen struct whose type is written with it."""

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages between the supervisor and a worker."""
