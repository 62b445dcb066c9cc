"""Columns that begin while the floor runs, computed from the bars that closed before."""

from array import array
from collections.abc import Callable, Collection, Sequence

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.traders.columns.frames import Frames
from tickfloor.traders.columns.lane import Lane
from tickfloor.traders.engine.layout import Layout
from tickfloor.traders.state.checkpoint import LaneState
from tickfloor.traders.state.merge import merged_lanes

History = Callable[[int, Interval], Sequence[Bar]]
"""Gives the closed bars of a row's instrument that are kept, oldest first."""


def no_history(row: int, interval: Interval) -> Sequence[Bar]:  # noqa: ARG001
    """Return that there are none."""
    return ()


def warmed(
    layout: Layout, state: LaneState, young: Collection[str], bars: Sequence[Bar], interval: Interval
) -> LaneState:
    """Return the state of a lane with the columns that have just begun computed from closed bars.

    The others are not touched.

    Args:
        layout: what has to be computed.
        state: the lane's.
        young: keys of the columns that have just begun.
        bars: those that closed up to the last one of the lane.
        interval: of the lane.
    """
    program = layout.programs[interval]
    aside = Frames()
    aside.widen(layout.width)
    needed = {slot for key, slot in zip(program.keys, program.slots, strict=True) if key in young}
    needed.update(computed for slot in tuple(needed) for computed in layout.chains_of_slots[slot])
    before = Lane(program.only(needed), aside)
    before.replay(bars, trimmed=True, taken_for={})
    return merged_lanes([state, _only(before.state(), young)])


def _only(state: LaneState, keys: Collection[str]) -> LaneState:
    places = [place for place, key in enumerate(state.keys) if key in keys]
    state.rows = [array("d", [row[place] for place in places]).tobytes() for row in _unpacked(state.rows)]
    state.since = [state.since[place] for place in places]
    state.indicators = {key: packed for key, packed in state.indicators.items() if key in keys}
    state.keys = [state.keys[place] for place in places]
    return state


def _unpacked(rows: Sequence[bytes]) -> "list[array[float]]":
    return [array("d", row) for row in rows]
