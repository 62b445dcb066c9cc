"""A slot's life through the supervisor, with processes that are not there and time that is not either."""

import asyncio
import os
import signal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.supervisor.supervised import spec
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import SlotState, WorkerState, move
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.supervisor import SlotBusyError, Supervisor
from tickfloor.worker.log import Log

LIFE = list(WorkerState)
ENDS = (WorkerState.TERMINATED, WorkerState.FAILED, WorkerState.KILLED)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits: when there is nothing to do, it is later."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        select = self._selector.select

        def later(timeout=None):
            events = select(0)
            if not events and timeout:
                self.now += timeout
            return events

        self._selector.select = later

    def time(self) -> float:
        return self.now


class FakeProcess:
    """A worker that becomes ready, and ends, when it is told to."""

    pid = os.getpid()
    blamed = 0
    condemned = ""
    clean = None
    ready_seconds = 0.01
    ended_seconds = 0.01

    def __init__(self, slot: str, incarnation: int, observer: Supervisor) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.observer = observer
        self.state = WorkerState.CREATED
        self.lived = [self.state]
        self.ready = asyncio.Event()
        self.dead = asyncio.Event()
        self.deaf = False
        self.failed = ""

    def move(self, state) -> None:
        self.state = move(self.state, state)
        self.lived.append(state)

    def become_ready(self) -> None:
        self.move(WorkerState.READY)
        self.ready.set()

    def end(self, state) -> None:
        self.move(state)
        self.dead.set()
        self.observer.died(self)

    def kill(self, number) -> None:
        if not self.dead.is_set():
            self.end(WorkerState.KILLED)

    async def destroy(self) -> None:
        self.kill(signal.SIGKILL)

    async def terminate(self, grace) -> None:
        if self.dead.is_set():
            return
        if self.state is not WorkerState.CLEANING:
            self.move(WorkerState.CLEANING)
        await asyncio.sleep(grace if self.deaf else 0.001)
        if not self.dead.is_set():
            self.end(WorkerState.KILLED if self.deaf else WorkerState.TERMINATED)

    @property
    def was_killed(self) -> bool:
        return self.state is WorkerState.KILLED

    def how_it_ended(self) -> str:
        return self.failed or "killed by SIGKILL"


class FakeZygote:
    pid = 0

    def close(self) -> None:
        pass


class Fakes(Supervisor):
    """Launches processes that are not there."""

    def _launch(self, slot, settings, descriptors):
        slot.incarnations += 1
        process = FakeProcess(slot.spec.name, slot.incarnations, self)
        self._alive.add(process)
        self.launched.append(process)
        return process


class SlotLife(RuleBasedStateMachine):
    """Invariants: lives go forward; one worker fills a slot; whoever is missing is on its way, or it is said why."""

    @initialize(vital=st.booleans(), overlaps=st.booleans(), recoveries=st.integers(0, 2))
    def begin(self, vital, overlaps, recoveries):
        self.loop = VirtualLoop()
        self.told = []
        self.stopped = False

        async def begin():
            clock = asyncio.get_running_loop().time
            log = Log("supervisor", lambda line: None)
            self.supervisor = Fakes(
                run_id=1,
                router=None,
                flow=MessageFlow(),
                lifecycle=Lifecycle(log),
                log=log,
                effects=-1,
                restarts=lambda: RestartPolicy(intensity=4, period=60.0, clock=clock),
                recoveries=RecoveryPolicy(clock=clock, intensity=recoveries),
                on_death=lambda process: None,
                well_seconds=lambda process: 0.0,
                zygote=FakeZygote(),
            )
            self.supervisor.launched = []

            async def on_ready(process):
                self.told.append(process)

            self.starting = asyncio.ensure_future(
                self.supervisor.start(spec("Plain", on_ready=on_ready, vital=vital, overlaps=overlaps))
            )
            self.starting.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.work = [self.starting]

        self.run(begin())

    def run(self, work=None):
        async def both():
            if work is not None:
                await work
            for _ in range(20):
                await asyncio.sleep(0)

        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(both())

    def do(self, what):
        """As the event loop does it, and see what follows at once."""

        async def done():
            what()

        self.run(done())

    @property
    def slot(self):
        return self.supervisor.slot("worker-1")

    def alive(self):
        return [process for process in self.supervisor.launched if not process.dead.is_set()]

    # What happens

    @precondition(lambda self: any(process.state is WorkerState.CREATED for process in self.alive()))
    @rule()
    def become_ready(self):
        process = next(process for process in self.alive() if process.state is WorkerState.CREATED)
        self.do(process.become_ready)

    @precondition(lambda self: self.alive())
    @rule(pick=st.integers(0, 9), failed=st.sampled_from(["", "StorageError: the disk is on fire"]))
    def die(self, pick, failed):
        process = self.alive()[pick % len(self.alive())]
        process.failed = failed
        self.do(lambda: process.end(WorkerState.FAILED if failed else WorkerState.KILLED))

    @precondition(lambda self: self.alive())
    @rule()
    def go_deaf(self):
        self.alive()[0].deaf = True

    @rule()
    def replace(self):
        async def replace():
            try:
                await self.supervisor.replace("worker-1", "a test wants it")
            except (SlotBusyError, WorkerError):
                # The old one goes on, or is started again: the invariants see.
                return

        async def ask():
            self.work.append(asyncio.ensure_future(replace()))

        self.run(ask())

    @precondition(lambda self: self.starting.done() and not self.slot.handing_over)
    @rule()
    def stop(self):
        self.stopped = True
        self.run(self.supervisor.stop("worker-1"))

    @rule(seconds=st.sampled_from([0.1, 5.0, 30.0, 400.0]))
    def pass_time(self, seconds):
        self.run(asyncio.sleep(seconds))

    # What holds

    @invariant()
    def lives_go_forward_and_end_once(self):
        for process in self.supervisor.launched:
            assert [LIFE.index(state) for state in process.lived] == sorted(
                LIFE.index(state) for state in process.lived
            )
            assert not set(process.lived[:-1]) & set(ENDS)

    @invariant()
    def one_worker_fills_a_slot_and_two_only_while_one_is_replaced(self):
        assert len(self.alive()) <= (2 if self.slot.handing_over else 1)

    @invariant()
    def whoever_is_missing_is_on_its_way_or_it_is_said_why(self):
        slot = self.slot
        if slot.state is SlotState.QUARANTINED:
            assert slot.reason
            assert not slot.wanted
        elif slot.wanted and slot.process.dead.is_set():
            assert slot.state is SlotState.REPLACING
            assert self.supervisor.tasks._tasks or slot.handing_over
        if self.stopped and slot.state is SlotState.STOPPED:
            assert not slot.wanted

    @invariant()
    def each_worker_is_told_once_what_it_is_to_do(self):
        assert len(self.told) == len(set(self.told))

    def teardown(self):
        """Nobody disturbs any more: the slot is filled, or it is said why it is not; at the end nothing is left."""
        if not hasattr(self, "supervisor"):
            return
        for _ in range(20):
            for process in self.alive():
                if process.state is WorkerState.CREATED:
                    self.do(process.become_ready)
            self.run(asyncio.sleep(40.0))
        slot = self.slot
        if slot.wanted:
            assert slot.state is SlotState.RUNNING
            assert slot.process.state is WorkerState.READY
            assert slot.process in self.told
        elif not self.stopped:
            # Nobody but the one who asked for the first start knows of it.
            assert self.supervisor.failure.done() or slot.reason or self.starting.exception() is not None
        self.run(self.supervisor.close())
        assert self.alive() == []
        for work in self.work:
            work.cancel()
        self.run()
        asyncio.set_event_loop(None)
        self.loop.close()


SlotLife.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestSlotLife = SlotLife.TestCase
