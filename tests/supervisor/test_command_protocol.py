"""Both ends of a worker's lanes, joined by a network that loses, repeats, delays and reorders, in virtual time."""

import math
from dataclasses import dataclass, field

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tickfloor.contracts.commands import (
    AddTrader,
    Drain,
    Ping,
    Pong,
    Progress,
    RemoveTrader,
    SyncTraders,
    TradersSynced,
    UpdateTrader,
)
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import Applied, Command, Fenced, FromWorker, Lane, Missing, Received, ToWorker
from tickfloor.contracts.traders import TraderSet, TraderSpec
from tickfloor.supervisor.outbox import (
    SPAN,
    BackpressureError,
    CommandError,
    CommandTimeoutError,
    Outbox,
)
from tickfloor.supervisor.process import WorkerDiedError
from tickfloor.worker.fence import Fence
from tickfloor.worker.inbox import Inbox, Later

WINDOWS = {Lane.WORK: 6, Lane.URGENT: 3}
NAMES = st.sampled_from("abcdef")
PICKS = st.integers(0, 1 << 30)

_to_worker = msgspec.msgpack.Decoder(tuple[str, ToWorker])
_from_worker = msgspec.msgpack.Decoder(tuple[str, FromWorker])


@dataclass
class Call:
    """A command as its caller sees it, and where it was put."""

    body: object
    incarnation: int
    lane: Lane
    sequence: int
    outcomes: list = field(default_factory=list)


class Worker:
    """One incarnation's receiving end, with traders."""

    def __init__(self, incarnation: int, epoch: int, say) -> None:
        self.incarnation = incarnation
        self.applied: dict[Lane, list[object]] = {lane: [] for lane in Lane}
        self.running = TraderSet()
        self.later: list[int] = []
        self.fence = Fence(incarnation=incarnation, epoch=epoch)
        self.inboxes = {
            lane: Inbox(
                lane,
                fence=self.fence,
                apply=lambda sequence, body, lane=lane: self.apply(lane, sequence, body),
                reply=say,
            )
            for lane in Lane
        }

    def apply(self, lane, sequence, body):
        self.applied[lane].append(body)
        assert len(self.applied[lane]) == sequence, "a command was applied twice, or out of its turn"
        match body:
            case AddTrader(spec=spec, revision=revision) | UpdateTrader(spec=spec, revision=revision):
                self.running.put(spec)
                self.running.revision = revision
            case RemoveTrader(name=name, revision=revision):
                known = name in self.running
                self.running.drop(name)
                self.running.revision = revision
                if not known:
                    raise TickfloorError(f"there is no {name}")
            case SyncTraders(specs=specs, revision=revision):
                self.running = TraderSet(specs, revision)
                return TradersSynced(refused={})
            case Ping():
                return Pong(progress=Progress(sequence, 0), traders=self.running.held())
            case Drain():
                self.later.append(sequence)
                raise Later
        return None


class CommandProtocol(RuleBasedStateMachine):
    """Invariants: each command at most once and in order; one outcome for each caller; what is wanted is what runs."""

    @initialize(choose=st.randoms(use_true_random=False))
    def begin(self, choose):
        self.now = 100.0
        self.epoch = 0
        self.random = choose
        self.calls: list[Call] = []
        self.wanted = TraderSet()
        self.differed = 0
        self.to_worker: list[bytes] = []
        self.to_supervisor: list[tuple[int, bytes]] = []
        self.incarnation = 0
        self.bodies: dict[tuple[int, Lane], list[object]] = {}
        self.workers: list[Worker] = []
        self.succeed()

    def succeed(self):
        self.incarnation += 1
        incarnation = self.incarnation
        self.worker = Worker(
            incarnation,
            self.epoch,
            lambda message, correlation_id: self.to_supervisor.append(
                (incarnation, msgspec.msgpack.encode((correlation_id, message)))
            ),
        )
        self.workers.append(self.worker)
        self.outboxes = {
            lane: Outbox(
                lane,
                epoch=lambda: self.epoch,
                incarnation=incarnation,
                send=lambda command, correlation_id: self.to_worker.append(
                    msgspec.msgpack.encode((correlation_id, command))
                ),
                clock=lambda: self.now,
                jitter=lambda longest: self.random.uniform(0.0, longest),
                window=WINDOWS[lane],
            )
            for lane in Lane
        }
        self.numbers = dict.fromkeys(Lane, 0)
        self.differed = 0
        # As the pool does: a successor is told the whole of what is wanted.
        self.say(SyncTraders(specs=self.wanted.specs(), revision=self.wanted.revision))
        self.outboxes[Lane.WORK].open()
        self.outboxes[Lane.URGENT].open()

    def say(self, body, seconds=math.inf):
        """Submit a command; return whether it was taken."""
        lane = Lane.URGENT if isinstance(body, Ping) else Lane.WORK
        call = Call(body, self.incarnation, lane, self.numbers[lane] + 1)

        def done(result, error):
            call.outcomes.append((result, error))
            if isinstance(result, Pong) and call.incarnation == self.incarnation:
                self.on_pong(result)

        try:
            self.outboxes[lane].submit(body, f"call-{len(self.calls)}", done, deadline=self.now + seconds)
        except BackpressureError:
            assert self.outboxes[lane].statistics().unanswered > 0
            return False
        self.numbers[lane] += 1
        self.calls.append(call)
        self.bodies.setdefault((self.incarnation, lane), []).append(body)
        return True

    def on_pong(self, pong):
        self.differed = self.differed + 1 if pong.traders != self.wanted.held() else 0
        if self.differed >= 2:
            self.differed = 0
            self.say(SyncTraders(specs=self.wanted.specs(), revision=self.wanted.revision))

    # What the supervisor wants

    @rule(name=NAMES, cooldown=st.integers(0, 3), seconds=st.sampled_from([math.inf, 0.01, 1.0]), update=st.booleans())
    def add(self, name, cooldown, seconds, update):
        spec = TraderSpec(name=name, rule="last > 1", cooldown_ns=cooldown)
        command = UpdateTrader if update else AddTrader
        if self.say(command(spec=spec, revision=self.wanted.revision + 1), seconds):
            self.wanted.put(spec)
            self.wanted.revision += 1

    @rule(name=NAMES)
    def remove(self, name):
        if self.say(RemoveTrader(name=name, revision=self.wanted.revision + 1)):
            self.wanted.drop(name)
            self.wanted.revision += 1

    @rule()
    def ping(self):
        self.say(Ping())

    @rule(seconds=st.sampled_from([math.inf, 0.5]))
    def drain(self, seconds):
        self.say(Drain(through=1), seconds)

    @rule()
    def new_epoch(self):
        self.epoch += 1

    # What the worker does

    @precondition(lambda self: self.worker.later)
    @rule(pick=PICKS, refused=st.booleans())
    def finish(self, pick, refused):
        sequence = self.worker.later.pop(pick % len(self.worker.later))
        self.worker.inboxes[Lane.WORK].answer(sequence, error="it cannot be" if refused else "")

    @precondition(lambda self: len(self.worker.running))
    @rule()
    def lose_a_trader(self):
        """Something in the worker goes wrong, and it runs another set than it was told to."""
        self.worker.running.drop(self.worker.running.specs()[0].name)

    @rule()
    def die(self):
        for outbox in self.outboxes.values():
            outbox.fail(WorkerDiedError("it died"))
        self.succeed()

    # What the network does

    @precondition(lambda self: self.to_worker)
    @rule(pick=PICKS, keep=st.booleans())
    def deliver_command(self, pick, keep):
        self.hear(self.taken(self.to_worker, pick, keep))

    def hear(self, raw):
        correlation_id, command = _to_worker.decode(raw)
        assert isinstance(command, Command)
        before = {lane: len(self.worker.applied[lane]) for lane in Lane}
        self.worker.inboxes[command.lane].take(command, correlation_id)
        if command.incarnation != self.incarnation or command.epoch < self.worker.fence.epoch:
            assert {lane: len(self.worker.applied[lane]) for lane in Lane} == before, "a fenced command was applied"

    @precondition(lambda self: self.to_supervisor)
    @rule(pick=PICKS, keep=st.booleans())
    def deliver_reply(self, pick, keep):
        self.answer(*self.taken(self.to_supervisor, pick, keep))

    def answer(self, incarnation, raw):
        if incarnation != self.incarnation:
            # Each incarnation has a channel of its own; that of a dead one leads nowhere.
            return
        _, message = _from_worker.decode(raw)
        outbox = self.outboxes[message.lane]
        match message:
            case Applied():
                outbox.on_applied(message)
            case Received():
                outbox.on_received(message)
            case Missing():
                outbox.on_missing(message)
            case Fenced():
                outbox.on_fenced(message)

    @precondition(lambda self: self.to_worker)
    @rule(pick=PICKS)
    def lose_command(self, pick):
        self.taken(self.to_worker, pick, keep=False)

    @precondition(lambda self: self.to_supervisor)
    @rule(pick=PICKS)
    def lose_reply(self, pick):
        self.taken(self.to_supervisor, pick, keep=False)

    @staticmethod
    def taken(flying, pick, keep):
        index = pick % len(flying)
        return flying[index] if keep else flying.pop(index)

    @rule(seconds=st.sampled_from([0.001, 0.03, 0.3, 3.0]))
    def pass_time(self, seconds):
        until = self.now + seconds
        while (look := min(outbox.next_look() for outbox in self.outboxes.values())) <= until:
            self.now = max(self.now, look)
            for outbox in self.outboxes.values():
                outbox.tick()
        self.now = until

    # What holds

    @invariant()
    def applied_at_most_once_and_in_order(self):
        for worker in self.workers:
            for lane, applied in worker.applied.items():
                said = self.bodies.get((worker.incarnation, lane), [])
                assert applied == said[: len(applied)]

    @invariant()
    def each_caller_is_told_once_and_the_truth(self):
        for call in self.calls:
            assert len(call.outcomes) <= 1
            if not call.outcomes:
                assert call.incarnation == self.incarnation, "somebody waits for a worker that is dead"
                continue
            [(_, error)] = call.outcomes
            if not isinstance(error, (WorkerDiedError, CommandTimeoutError)):
                worker = self.workers[call.incarnation - 1]
                assert len(worker.applied[call.lane]) >= call.sequence, "an outcome of what was never applied"
            assert not isinstance(error, CommandError) or "no " in str(error) or "cannot be" in str(error), error

    @invariant()
    def what_the_worker_keeps_is_bounded(self):
        for lane, inbox in self.worker.inboxes.items():
            assert inbox.kept <= SPAN * WINDOWS[lane]

    def teardown(self):
        """The network heals: everything is answered, and what runs is what is wanted."""
        if not hasattr(self, "outboxes"):
            return
        self.settle()
        assert all(len(call.outcomes) == 1 for call in self.calls)
        for _ in range(3):
            assert self.say(Ping())
            self.settle()
        assert self.worker.running.held() == self.wanted.held()
        assert {spec.name: spec for spec in self.worker.running.specs()} == {
            spec.name: spec for spec in self.wanted.specs()
        }
        self.applied_at_most_once_and_in_order()

    def settle(self):
        for _ in range(200):
            while self.to_worker:
                self.hear(self.to_worker.pop(0))
            for sequence in self.worker.later:
                self.worker.inboxes[Lane.WORK].answer(sequence)
            self.worker.later.clear()
            while self.to_supervisor:
                self.answer(*self.to_supervisor.pop(0))
            if not any(outbox.statistics().unanswered for outbox in self.outboxes.values()):
                return
            self.pass_time(3.0)
        raise AssertionError("commands stay unanswered though nothing is lost any more")


CommandProtocol.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestCommandProtocol = CommandProtocol.TestCase
