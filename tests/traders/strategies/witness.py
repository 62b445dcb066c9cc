"""What sample strategies see and do, where a test can look: their own modules are out of its reach."""

from collections.abc import Callable

seen: list[object] = []
"""In order."""

do: dict[str, Callable[[object], None]] = {}
"""By name of a method: what it does, given its argument."""
