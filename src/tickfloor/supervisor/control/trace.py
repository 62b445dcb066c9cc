"""One step of a trace in words."""

import msgspec

from tickfloor.contracts.events import LogLine, SignalsAccepted, SignalsRaised, SignalsStored, StoreSignals
from tickfloor.contracts.messages import Applied, Command, Received
from tickfloor.contracts.signals import Signal
from tickfloor.supervisor.control.replies import TraceStep
from tickfloor.supervisor.services.message_flow import FlowEntry

_SHOWN = 3
_LONGEST = 400


class _Typed(msgspec.Struct):
    type: str


def step_of(entry: FlowEntry, identity: str) -> TraceStep:
    """Return an entry as it is shown to whoever asked for ``identity``."""
    return TraceStep(
        ts=entry.ts,
        slot=entry.slot,
        incarnation=entry.incarnation,
        direction=entry.direction,
        message=type(entry.message).__name__,
        correlation_id=entry.correlation_id,
        text=_text(entry, identity)[:_LONGEST],
    )


def _text(entry: FlowEntry, identity: str) -> str:
    match entry.message:
        case Command() as command:
            # Its settings may hold a password: the name of the command is all that is shown.
            return f"{msgspec.msgpack.decode(command.body, type=_Typed).type} {command.lane}:{command.sequence}"
        case Applied() as applied:
            number = f"{applied.lane}:{applied.sequence}"
            return f"{number} failed: {applied.error}" if applied.error else number
        case Received() as received:
            return f"{received.lane}:{received.through}"
        case SignalsRaised(signals=signals) | StoreSignals(signals=signals):
            asked = [signal for signal in signals if identity in (signal.id, signal.correlation_id)]
            return _signals(asked or list(signals), len(signals))
        case SignalsStored(ids=ids) | SignalsAccepted(ids=ids):
            return f"{len(ids):,} signals" if len(ids) != 1 else f"signal {ids[0]}"
        case LogLine() as line:
            fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
            return f"{line.level}: {line.event} {fields}".rstrip()
        case _:
            return ""


def _signals(asked: list[Signal], among: int) -> str:
    shown = ", ".join(f"{signal.trader} {signal.instrument} ({signal.correlation_id})" for signal in asked[:_SHOWN])
    more = f" and {len(asked) - _SHOWN:,} more" if len(asked) > _SHOWN else ""
    return f"{shown}{more}, among {among:,}" if among > len(asked) else f"{shown}{more}"
