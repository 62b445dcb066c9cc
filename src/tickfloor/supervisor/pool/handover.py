"""Trader workers that change places make-before-break: not one signal is missed or doubled.

The new workers start with the traders spread over them as they shall be. The old ones save at one position of the
tape and go on; the new ones begin there, and keep what they raise to themselves. When they have caught up, the old
ones stop, all at one position, and the new ones raise from exactly there.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickfloor.contracts.commands import (
    Begin,
    CommandBody,
    FreezeCheckpoint,
    ReadThrough,
    Result,
    Resume,
    TakeOver,
    Yield,
    Yielded,
)
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.contracts.traders import TraderSet, TraderSpec
from tickfloor.supervisor.pool.trader_pool import Member, TraderPool
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.seats import Seat

_SECONDS = 10.0
"""What each step may take; a step that takes longer ends the attempt, and the old workers go on."""
_READING_SECONDS = 60.0
"""The same for those in which the tape is read: an overloaded pool is slow, and scaling it up is what helps."""
_NEAR = 4096
"""Records behind the head at which a new worker has caught up."""
_ROUNDS = 20
_MOST_UNSTORED = 10_000
"""Signals that may wait when workers change places: new ones may each raise as many again."""


class HandoverError(WorkerError):
    """The traders could not change places; they go on where they were."""


@dataclass(frozen=True, slots=True)
class _Successor:
    """A new worker that fills no slot yet; ``restore``: what it calls the checkpoints to go on from."""

    seat: Seat
    traders: TraderSet
    process: WorkerProcess
    restore: tuple[str, ...]


async def replace(pool: TraderPool, name: str, reason: str) -> None:
    """Put a successor in the place of one worker.

    Raises:
        WorkerError: it could not be; the old worker goes on, or is started again.
    """
    async with pool.changing:
        member = pool.members.get(name)
        if member is None:
            raise HandoverError(f"there is no trader worker {name} any more; there are {', '.join(pool.members)}")
        await _hand_over(pool, [member], {name: member.wanted.specs()}, reason)


async def spread(pool: TraderPool, wanted: Mapping[str, Sequence[TraderSpec]], reason: str) -> None:
    """Have exactly these workers run exactly these traders, each trader where it goes without a gap.

    Args:
        wanted: per slot, what shall run there; the pool holds all of these traders now. Called while
            ``pool.changing`` is held.

    Raises:
        WorkerError: it could not be; the traders stay where they are.
    """
    await _hand_over(pool, list(pool.members.values()), wanted, reason)


async def _hand_over(
    pool: TraderPool, old: list[Member], wanted: Mapping[str, Sequence[TraderSpec]], reason: str
) -> None:
    supervisor = pool.supervisor
    began = time.monotonic()
    if pool.unstored() >= _MOST_UNSTORED:
        raise HandoverError(f"{pool.unstored():,} signals wait to be stored; try again when fewer do")
    with supervisor.handing_over([member.slot for member in old], reason):
        leaving = [_working(member) for member in old]
        coming: dict[str, _Successor] = {}
        try:
            stop = await _prepare(pool, old, leaving, wanted, coming)
        except BaseException:
            await _give_up(pool, leaving, coming)
            raise
        # In the order of their names again, and not in that in which they happened to start.
        coming = {name: coming[name] for name in wanted}
        left = _switch(pool, old, coming)
        taking_over = [each.process.command(TakeOver(at=stop)) for each in coming.values()]
    try:
        # One that dies from here on is started again from what it saved first.
        await asyncio.gather(*taking_over, return_exceptions=True)
        took = time.monotonic() - began
        for name, each in coming.items():
            supervisor.lifecycle.replaced(name, reason, took, len(each.traders))
    finally:
        # Though whoever asked for it may have gone away: a place that is not left holds up a replay for ever.
        await supervisor.tasks.see_through(_part_with(pool, old, leaving, left))


async def _part_with(pool: TraderPool, old: list[Member], leaving: list[WorkerProcess], left: list[Seat]) -> None:
    """End the old workers and give their places back, whatever comes between."""
    try:
        ended = await asyncio.gather(
            *(pool.supervisor.retire(member.slot, process) for member, process in zip(old, leaving, strict=True)),
            return_exceptions=True,
        )
        for failure in ended:
            if failure is not None:
                raise failure
    finally:
        # Those that are left had no time to clean up; what they raised has been heard.
        await asyncio.gather(*(process.destroy() for process in leaving), return_exceptions=True)
        for seat, process in zip(left, leaving, strict=True):
            if process.dead.is_set():
                pool.memory.seats.leave(seat)


async def _prepare(
    pool: TraderPool,
    old: list[Member],
    leaving: list[WorkerProcess],
    wanted: Mapping[str, Sequence[TraderSpec]],
    coming: dict[str, _Successor],
) -> int:
    """Bring the new workers to the head of the tape; return the position at which all old ones have stopped."""
    starts = (_start(pool, name, old, specs, coming) for name, specs in wanted.items())
    started = await asyncio.gather(*starts, return_exceptions=True)
    for failure in started:
        # Not before all of them have ended: what has started must be known to whoever ends it again.
        if isinstance(failure, BaseException):
            raise failure
    at = max(await _yielded(leaving))
    await _all(leaving, FreezeCheckpoint(at=at), _READING_SECONDS)
    for each in coming.values():
        pool.memory.seats.attach(each.seat, at)
    await asyncio.gather(
        *(each.process.command(Begin(restore=each.restore, muted=True), seconds=_SECONDS) for each in coming.values())
    )
    for _ in range(_ROUNDS):
        head = pool.memory.head()
        await _all([each.process for each in coming.values()], ReadThrough(through=head), _READING_SECONDS)
        if pool.memory.head() - head <= _NEAR:
            break
    positions = await _yielded(leaving)
    stop = max(positions)
    behind = [process for process, position in zip(leaving, positions, strict=True) if position < stop]
    await _all(behind, Yield(at=stop), _READING_SECONDS)
    return stop


async def _start(
    pool: TraderPool, name: str, old: list[Member], specs: Sequence[TraderSpec], coming: dict[str, _Successor]
) -> None:
    """Start a worker with its traders; it does not read the tape yet."""
    seat = pool.memory.seats.reserve()
    here = {spec.name for spec in specs}
    sources = tuple(member.seat for member in old if any(spec.name in here for spec in member.wanted.specs())) or (
        old[0].seat,
    )
    slot = pool.members[name].slot if name in pool.members else pool.supervisor.add(pool.spec_of(name))
    revision = pool.members[name].wanted.revision + 1 if name in pool.members else 1
    traders = TraderSet(specs, revision)
    try:
        process = await pool.supervisor.spawn(slot, pool.settings(seat.index), seat.descriptors(restore=sources))
    except BaseException:
        pool.memory.seats.leave(seat)
        if name not in pool.members:
            pool.supervisor.remove(name)
        raise
    restore = tuple(f"restore-{number}" for number in range(len(sources)))
    coming[name] = _Successor(seat, traders, process, restore)
    await pool.sync_with(process, traders, _SECONDS)


def _switch(pool: TraderPool, old: list[Member], coming: Mapping[str, _Successor]) -> list[Seat]:
    """Have the new workers fill the slots; return the places that the old ones leave."""
    left = [member.seat for member in old]
    for name, each in coming.items():
        slot = pool.supervisor.slot(name)
        slot.process = each.process
        slot.wanted = True
        slot.replacements += 1
        incarnation = each.process.incarnation
        pool.members[name] = Member(slot, each.seat, each.traders, begun=incarnation, working=incarnation)
    for member in old:
        name = member.slot.spec.name
        if name not in coming:
            member.slot.wanted = False
            member.slot.state = SlotState.STOPPED
            del pool.members[name]
            pool.supervisor.remove(name)
    return left


async def _give_up(
    pool: TraderPool,
    leaving: list[WorkerProcess],
    coming: Mapping[str, _Successor],
) -> None:
    """Let the old workers go on as ever, and end those that were to follow them."""
    await asyncio.gather(*(process.command(Resume(), seconds=_SECONDS) for process in leaving), return_exceptions=True)
    for name, each in coming.items():
        await each.process.destroy()
        pool.memory.seats.leave(each.seat)
        if name not in pool.members:
            pool.supervisor.remove(name)


def _working(member: Member) -> WorkerProcess:
    process = member.slot.process
    # One that is ready and has not begun is nowhere on the tape yet.
    if process is None or process.state is not WorkerState.READY or member.working != process.incarnation:
        raise HandoverError(f"{member.slot.spec.name} is not ready; try again when it is")
    return process


async def _yielded(processes: list[WorkerProcess]) -> list[int]:
    """Stop workers where they are and return where that is."""
    results = await _all(processes, Yield())
    positions = []
    for result in results:
        assert isinstance(result, Yielded)
        positions.append(result.position)
    return positions


async def _all(processes: list[WorkerProcess], body: CommandBody, seconds: float = _SECONDS) -> list[Result | None]:
    """Command several workers at once; return their results, or raise the first error."""
    return await asyncio.gather(*(process.command(body, seconds=seconds) for process in processes))
