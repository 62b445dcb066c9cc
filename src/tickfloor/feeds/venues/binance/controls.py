"""What Binance says about our own requests and about its servers."""

import msgspec
from msgspec.json import Decoder

from tickfloor.feeds.venue import Acked, Control, GoingAway, Listed, Refused
from tickfloor.feeds.venues.binance import streams
from tickfloor.feeds.venues.binance.frames import Envelope, Fault

_ABSENT = msgspec.Raw()
_NAMES = Decoder(list[str])
_FAULTS: Decoder[Fault | str] = Decoder(Fault | str)
_ACCEPTED = (b"null", b"true", b"false")
"""Results of requests that ask for no list: true and false answer GET_PROPERTY."""


def control_of(envelope: Envelope) -> Control | None:
    """Return what a frame says that is of no stream; None where it is no answer that can be used.

    Raises:
        FrameError: a listed stream cannot be one.
        msgspec.MsgspecError: a list or a fault is none.
    """
    request_id = envelope.id if isinstance(envelope.id, int) else None
    if envelope.e == streams.SHUTDOWN_EVENT or envelope.stream == streams.SHUTDOWN_STREAM:
        return GoingAway()
    if envelope.error != _ABSENT:
        fault = _FAULTS.decode(envelope.error)
        return Refused(request_id, None, fault if isinstance(fault, str) else _reason(fault.code, fault.msg))
    if envelope.code is not None:
        return Refused(request_id, None, _reason(envelope.code, envelope.msg))
    result = bytes(envelope.result)
    if result.startswith(b"["):
        keys = (streams.key_of(streams.stream_of(name)) for name in _NAMES.decode(result))
        return Listed(frozenset(key for key in keys if key is not None))
    if result in _ACCEPTED and request_id is not None:
        return Acked(request_id, None)
    return None


def _reason(code: int | None, message: str) -> str:
    text = message[:200] or "no reason given"
    return text if code is None else f"{text} (code {code})"
