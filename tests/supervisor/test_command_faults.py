"""Each command, over a channel that fails in each way, to a real worker: applied once, answered once."""

import asyncio
import mmap
import os
import time
from contextlib import contextmanager
from typing import get_args

import pytest
from stress.faulty_channel import Fate, FaultyChannel

from tests.supervisor.supervised import run, supervised
from tests.waiting import until_async
from tickfloor.board import segment
from tickfloor.contracts import commands
from tickfloor.contracts.commands import (
    AddTrader,
    Begin,
    BeginEpoch,
    CheckTraders,
    Cleanup,
    CommandBody,
    Configure,
    Drain,
    FreezeCheckpoint,
    GetStatus,
    Init,
    Inspect,
    Measure,
    Ping,
    QuerySignals,
    RankTraders,
    ReadThrough,
    Reconnect,
    RemoveTrader,
    ReportFeed,
    ReportTrader,
    Resume,
    RunTraders,
    StopFeed,
    SyncTraders,
    TakeOver,
    UpdateTrader,
    Yield,
)
from tickfloor.contracts.messages import Lane, Received
from tickfloor.contracts.states import WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.process import WorkerDiedError
from tickfloor.supervisor.restarts import RestartPolicy

SPEC = TraderSpec(name="x", rule="last > 1")
OF_ANY_WORKER = (Ping(), GetStatus(), Inspect(), Configure(log_level="info"))
"""Commands that the runtime applies at once, without the worker."""
OF_A_KIND = (
    CheckTraders(specs=(SPEC,)),
    AddTrader(spec=SPEC, revision=1),
    UpdateTrader(spec=SPEC, revision=2),
    RemoveTrader(name="x", revision=3),
    SyncTraders(specs=(SPEC,), revision=4),
    RunTraders(),
    ReportTrader(name="x"),
    RankTraders(by=Measure.TIME, most=1),
    Begin(),
    FreezeCheckpoint(at=1),
    Resume(),
    ReadThrough(through=1),
    Yield(),
    TakeOver(at=1),
    Drain(through=1),
    StopFeed(),
    ReportFeed(),
    Reconnect(venue="binance"),
    QuerySignals(after=0, limit=1),
    BeginEpoch(),
)
ONCE = [
    ("request lost", [Fate.LOSE], []),
    ("request lost twice", [Fate.LOSE, Fate.LOSE], []),
    ("reply lost", [], [Fate.LOSE]),
    ("request delayed", [Fate.DELAY], []),
    ("reply delayed", [], [Fate.DELAY]),
    ("request repeated", [Fate.REPEAT], []),
    ("reply repeated", [], [Fate.REPEAT]),
]


class Link:
    """A worker's channel, with what is to become of the next messages."""

    def __init__(self, process) -> None:
        self.outward: list[Fate] = []
        self.inward: list[Fate] = []
        self.received = 0
        FaultyChannel(process, self.of_command, self.of_answer)

    def of_command(self, command) -> Fate:
        return self.outward.pop(0) if self.outward else Fate.PASS

    def of_answer(self, answer) -> Fate:
        self.received += isinstance(answer, Received)
        return self.inward.pop(0) if self.inward else Fate.PASS


async def linked(process) -> Link:
    """Put a link before a worker that has nothing more to say of how it began."""
    await process.command(GetStatus())
    return Link(process)


class Record:
    """What a recording worker has applied, over all its lives."""

    def __init__(self) -> None:
        self.descriptor = segment.create("record", segment.PAGE)
        segment.reserve(self.descriptor, 0, segment.PAGE, "record")
        self._mapping = mmap.mmap(self.descriptor, segment.PAGE)
        self._words = memoryview(self._mapping).cast("Q")

    def hold_back(self, held: bool) -> None:
        self._words[1] = held

    def applied(self) -> list[tuple[int, int]]:
        """Return incarnation and sequence of each command that was applied, in order."""
        return [(word >> 32, word & 0xFFFFFFFF) for word in self._words[2 : 2 + self._words[0]]]

    def close(self) -> None:
        self._words.release()
        self._mapping.close()
        os.close(self.descriptor)


@contextmanager
def recorded():
    record = Record()
    try:
        yield record
    finally:
        record.close()


async def recording(floor, record):
    process = await floor.start("Recording", descriptors={"record": record.descriptor})
    floor.supervisor.slot("worker-1").restarts = RestartPolicy(
        intensity=1_000, period=1.0, clock=time.monotonic, jitter=lambda longest: 0.0
    )
    return process


def test_every_command_is_among_those_that_are_tried():
    tried = {type(body) for body in (*OF_ANY_WORKER, *OF_A_KIND)}
    assert tried | {Init, Cleanup} == set(get_args(CommandBody))
    assert set(commands.URGENT) == {Ping, Cleanup}


@pytest.mark.parametrize(("outward", "inward"), [fault[1:] for fault in ONCE], ids=[fault[0] for fault in ONCE])
def test_each_command_is_applied_once_and_answered_though_a_message_is(outward, inward):
    async def scenario():
        with recorded() as record:
            async with supervised() as floor:
                process = await recording(floor, record)
                link = await linked(process)
                for body in (*OF_A_KIND, *OF_ANY_WORKER):
                    link.outward, link.inward = list(outward), list(inward)
                    answer = process.command(body)
                    if inward == [Fate.DELAY]:
                        # What it is late for must come after it.
                        await process.command(Configure(log_level="info"))
                    await answer
                report = await process.command(GetStatus())
                answered = sum(each.answered for each in process.statistics().values())
                # The report itself was not answered yet when it was made.
                assert report.commands == answered - 1
            numbers = [sequence for _, sequence in record.applied()]
            assert len(numbers) == len(OF_A_KIND)
            assert numbers == sorted(set(numbers))

    run(scenario())


def test_a_command_that_is_said_again_while_it_is_executed_is_executed_once():
    async def scenario():
        with recorded() as record:
            async with supervised() as floor:
                process = await recording(floor, record)
                link = await linked(process)
                for body in OF_A_KIND:
                    record.hold_back(True)
                    link.received = 0
                    link.outward = [Fate.REPEAT]
                    answer = process.command(body)
                    await until_async(lambda: link.received == 2, "both copies are there")
                    assert not answer.done()
                    record.hold_back(False)
                    await answer
                assert (await process.command(GetStatus())).duplicates == len(OF_A_KIND)
            assert [sequence for _, sequence in record.applied()] == list(range(3, 3 + len(OF_A_KIND)))

    run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before it is applied", "after it is applied"])
def test_each_command_is_answered_by_the_successor_of_a_worker_killed(before):
    async def scenario():
        with recorded() as record:
            async with supervised() as floor:
                await recording(floor, record)
                slot = floor.supervisor.slot("worker-1")
                for body in (*OF_A_KIND, *OF_ANY_WORKER):
                    process = slot.process
                    link = await linked(process)
                    (link.outward if before else link.inward).append(Fate.KILL)
                    noted = len(record.applied())
                    await floor.supervisor.ask("worker-1", body)
                    assert process.state is WorkerState.KILLED
                    lives = [incarnation for incarnation, _ in record.applied()[noted:]]
                    assert lives == sorted(set(lives)), "applied twice by one incarnation"
                    if body in OF_A_KIND:
                        assert (process.incarnation in lives) is not before
                        assert slot.process.incarnation in lives
                    await until_async(slot.process.ready.is_set, "the successor")

    run(scenario())


def test_whoever_does_not_ask_the_successor_is_told_of_the_death():
    async def scenario():
        with recorded() as record:
            async with supervised() as floor:
                process = await recording(floor, record)
                link = await linked(process)
                link.inward = [Fate.LOSE] * 100
                waiting = [process.command(Begin()) for _ in range(20)]
                await until_async(lambda: len(record.applied()) == 20, "all are applied")
                process.kill(9)
                told = await asyncio.gather(*waiting, return_exceptions=True)
                assert {type(each) for each in told} == {WorkerDiedError}

    run(scenario())


@pytest.mark.parametrize(
    ("outward", "inward"),
    [([Fate.LOSE], []), ([Fate.REPEAT], []), ([], [Fate.LOSE])],
    ids=["lost", "repeated", "reply"],
)
def test_a_worker_is_cleaned_up_though_the_order_is(outward, inward):
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain")
            link = await linked(process)
            link.outward, link.inward = outward, inward
            await floor.supervisor.stop("worker-1")
            assert (process.state, process.exit_status) == (WorkerState.TERMINATED, 0)

    run(scenario())


def test_a_worker_that_leaves_its_urgent_lane_full_of_pings_is_ended_all_the_same():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Deaf")
            for _ in range(8):
                process.command(Ping())
            await floor.supervisor.stop("worker-1")
            assert process.state is WorkerState.KILLED

    run(scenario())


def test_a_command_is_not_held_up_by_the_epoch_growing_while_it_is_on_its_way():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain")
            link = await linked(process)
            link.inward = [Fate.LOSE]
            first = process.command(Begin())
            floor.supervisor.epoch = 7
            await process.command(Begin())
            await first
            assert process.statistics()[Lane.WORK].unanswered == 0

    run(scenario())
