"""What is being worked at, for whoever says something meanwhile without naming it."""

from contextvars import ContextVar

current: ContextVar[str] = ContextVar("correlation_id", default="")
"""The correlation id that messages and log lines get which are given none; empty outside of any work."""
