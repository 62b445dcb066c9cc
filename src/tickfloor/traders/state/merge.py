"""Several engines' states of one instrument at one moment, as one state.

What the records alone decide is the same in all of them as far back as they know, so the one that knows most is
taken; columns and traders are put together.
"""

from array import array
from collections.abc import Collection, Sequence
from operator import itemgetter

from tickfloor.contracts.errors import CheckpointError
from tickfloor.indicators.protocol import NAN
from tickfloor.traders.state.checkpoint import ENCODER, LANE_DECODER, InstrumentCheckpoint, InstrumentHead, LaneState


def limit(state: InstrumentCheckpoint, known: Collection[str]) -> None:
    """Take from a state, in place, what it says of other traders than these."""
    state.matched = [name for name in state.matched if name in known]
    state.silent = [name for name in state.silent if name in known]
    state.signalled = {name: at for name, at in state.signalled.items() if name in known}
    state.waiting = [name for name in state.waiting if name in known]


def check(heads: Sequence[InstrumentHead], position: int) -> None:
    """Check that states at one position of the tape are of one instrument at one moment.

    Raises:
        CheckpointError: they are not: some are of another instrument, or ahead of the position as the board was.
    """
    keys = sorted({head.key for head in heads})
    if len(keys) > 1:
        raise CheckpointError(f"checkpoints of one row are of {' and '.join(keys)}; start without them")
    if len({max(head.skip_through, position - 1) for head in heads}) > 1:
        raise CheckpointError(
            f"one of the checkpoints of {keys[0]} at position {position} knows later records from the board; "
            "take them at a later position"
        )


def merged(states: Sequence[InstrumentCheckpoint]) -> InstrumentCheckpoint:
    """Return one state for several of one instrument at one moment; they may be changed.

    Each trader may be in one of them only.
    """
    if len(states) == 1:
        return states[0]
    fullest = min(states, key=lambda state: (state.since, state.skip_through))
    labels = dict.fromkeys(label for state in states for label in state.lanes)
    fullest.lanes = {
        label: _merged_lane([state.lanes[label] for state in states if label in state.lanes]) for label in labels
    }
    replayed = dict.fromkeys(label for state in states for label in state.replay)
    fullest.replay = {
        label: max(
            (state.replay[label] for state in states if label in state.replay), key=lambda bars: len(bars.numbers)
        )
        for label in replayed
    }
    fullest.matched = sorted(name for state in states for name in state.matched)
    fullest.silent = sorted(name for state in states for name in state.silent)
    fullest.signalled = {name: at for state in states for name, at in state.signalled.items()}
    return fullest


def _merged_lane(packed: Sequence[bytes]) -> bytes:
    if len(set(packed)) == 1:
        return packed[0]
    return ENCODER.encode(merged_lanes([LANE_DECODER.decode(lane) for lane in packed]))


def merged_lanes(states: Sequence[LaneState]) -> LaneState:
    """Return one state for several of one interval; of a column that several have, the one with the longest history."""
    closes = max(state.closes for state in states)
    deepest = max(states, key=lambda state: (len(state.bars), state.closes))
    ages: dict[str, int] = {}
    owners: dict[str, int] = {}
    for number, state in enumerate(states):
        for key, since in zip(state.keys, state.since, strict=True):
            age = state.closes - since
            if key not in owners or age > ages[key]:
                owners[key], ages[key] = number, age
    keys: list[str] = []
    indicators: dict[str, bytes] = {}
    count = max(len(state.rows) for state in states)
    rows = [array("d") for _ in range(count)]
    for number, state in enumerate(states):
        places = [place for place, key in enumerate(state.keys) if owners[key] == number]
        if not places:
            continue
        own = [state.keys[place] for place in places]
        keys += own
        indicators |= {key: state.indicators[key] for key in own if key in state.indicators}
        _extend(rows, state, places)
    return LaneState(
        bars=deepest.bars,
        trimmed=deepest.trimmed or deepest.closes < closes,
        closes=closes,
        keys=keys,
        since=[closes - ages[key] for key in keys],
        rows=[row.tobytes() for row in rows],
        indicators=indicators,
    )


def _extend(rows: "list[array[float]]", state: LaneState, places: list[int]) -> None:
    """Add columns of a state to the rows, aligned at their ends; what it does not reach back to is unknown."""
    unknown = [NAN] * len(places)
    missing = len(rows) - len(state.rows)
    # With a single place itemgetter gives no tuple.
    pick = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
    for index, row in enumerate(rows):
        row.extend(unknown if index < missing else pick(array("d", state.rows[index - missing]).tolist()))
