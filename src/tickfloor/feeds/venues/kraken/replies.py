"""What Kraken answers to our own messages, as controls.

There is one answer for each symbol of a request. It repeats the request's number, yet a refusal does not name the
channel; so the channel that is asked for goes along in the number.
"""

from typing import Final

from tickfloor.feeds.venue import Acked, Channel, Refused, StreamKey, TooManyMessages
from tickfloor.feeds.venues.kraken.frames import Envelope, Result

_CHANNELS: Final = tuple(Channel)
_BITS: Final = 3

RATE: Final = "msg rate"
"""Part of what the venue says when it had too many messages."""
_OURS: Final = {
    "trade": (Channel.TRADES,),
    "book": (Channel.BOOK,),
    "ohlc": (Channel.BARS,),
    "ticker": (Channel.QUOTES, Channel.TICKERS),
}
_BY_TRIGGER: Final = {"bbo": Channel.QUOTES, "trades": Channel.TICKERS}


def numbered(request_id: int, channel: Channel) -> int:
    """Return the number to send with a request about a channel."""
    return request_id << _BITS | _CHANNELS.index(channel)


def request_of(number: int | None) -> tuple[int | None, Channel | None]:
    """Return the request and the channel that a repeated number stands for."""
    if number is None:
        return None, None
    place = number & (1 << _BITS) - 1
    return number >> _BITS, _CHANNELS[place] if place < len(_CHANNELS) else None


def channels_of(result: Result, number: int | None) -> tuple[Channel, ...]:
    """Return which of our channels an answer is about.

    One channel of theirs, ``ticker``, is two of ours: what triggers it tells which, or the number; both of them where
    neither does.
    """
    ours = _OURS.get(result.channel, ())
    if len(ours) > 1:
        said = _BY_TRIGGER.get(result.event_trigger or "") or request_of(number)[1]
        if said in ours:
            return (said,)
    return ours


def answer_of(envelope: Envelope) -> Acked | Refused | TooManyMessages:
    """Return what the answer to a subscribe or unsubscribe message says."""
    request_id, _ = request_of(envelope.req_id)
    said = envelope.error or "refused without a reason"
    # It is there when a request was repeated because its answer was lost.
    if envelope.success or "already subscribed" in said.lower():
        return Acked(request_id, _keys_of(envelope, said))
    if RATE in said.lower():
        return TooManyMessages()
    return Refused(request_id, _keys_of(envelope, said), said[:200])


def error_of(envelope: Envelope) -> Refused | TooManyMessages:
    """Return what an error says that is no answer to a subscribe or unsubscribe message."""
    said = envelope.rate_error or envelope.error or ""
    if RATE in said.lower():
        return TooManyMessages()
    return Refused(request_of(envelope.req_id)[0], None, said[:200])


def _keys_of(envelope: Envelope, said: str) -> tuple[StreamKey, ...] | None:
    """Return what an answer is about, or None where that is all that it is known to be an answer to."""
    result = envelope.result
    if result is not None and result.symbol is not None:
        symbol = result.symbol
        return tuple(StreamKey(channel, symbol) for channel in channels_of(result, envelope.req_id))
    _, channel = request_of(envelope.req_id)
    # A refusal names its symbol, sometimes only in its text: "Currency pair not supported XBT/USD".
    named = envelope.symbol or next((word for word in reversed(said.split()) if "/" in word[1:-1]), None)
    return None if channel is None or named is None else (StreamKey(channel, named),)
