"""A running floor, asked through its control socket: an answer means that the effect is there; no signal differs."""

import asyncio
import contextlib
import dataclasses
import itertools

import msgspec
import pytest

from tests.floor.playing import config_for, plan_for, play, raised, report_of, working
from tests.floor.replacing import at_work, play_undisturbed, same, seats_taken
from tests.waiting import until_async
from tickfloor import floor as assembly
from tickfloor.contracts.commands import TradersRun
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.kinds import FEED, FEED_KIND, LOGGER, STORAGE, TRADER_KIND
from tickfloor.supervisor.control import floor_commands
from tickfloor.supervisor.control.framing import HEADER, framed
from tickfloor.supervisor.control.replies import (
    Answer,
    EffectsSwitched,
    EmergencyRecovered,
    LogsShown,
    RefusalKind,
    Refused,
    StatisticsShown,
    Traced,
    TraderPlaced,
    TraderRemoved,
    TradersListed,
    TradersScaled,
    WorkerCleanedUp,
    WorkerDrained,
    WorkerReplaced,
    WorkerShown,
    WorkersListed,
    WorkerStopped,
)
from tickfloor.supervisor.control.requests import (
    AddTrader,
    CleanupWorker,
    DrainWorker,
    EmergencyRecover,
    EmergencyResume,
    EmergencyStop,
    ListTraders,
    ListWorkers,
    PardonTrader,
    RemoveTrader,
    ReplaceWorker,
    RunTraders,
    ScaleTraders,
    ShowLogs,
    ShowStatistics,
    ShowWorker,
    StopWorker,
    TraceCorrelation,
    UpdateTrader,
    question,
)

TRADERS = ("trader-1", "trader-2")
RULES = 12
PACED = 60.0
PARTS = {
    *("router", "messages", "effects", "lifecycle", "metrics", "breakers"),
    *("limits", "rotation", "scaling", "blame", "control"),
}
SETTINGS = {
    # Fewer records than the capture has: the feed stops where a reader holds it.
    "tape_records": 2048,
    "trader_workers": len(TRADERS),
    "restart_period": 0.01,
    "ping_seconds": 0.1,
    "stale_seconds": 300.0,
    "memory_seconds": 0.2,
    "leak_mib_per_hour": 0.0,
    "log_level": "info",
    "log_form": "json",
}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Let a worker that gets no processor time answer and clean up late."""
    monkeypatch.setattr(floor_commands, "_PATIENCE", 60.0)
    for name, kind in (("TRADER_KIND", TRADER_KIND), ("FEED_KIND", FEED_KIND)):
        monkeypatch.setattr(assembly, name, dataclasses.replace(kind, cleanup_seconds=60.0))


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules, speed=PACED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, small_capture, many_rules):
    plan = plan_for([small_capture], many_rules)
    return play_undisturbed(tmp_path_factory.mktemp("undisturbed"), plan, SETTINGS | {"control_socket": "none"})


class Client:
    """One connection to a floor, in the loop of the test."""

    def __init__(self, reader, writer):
        self._reader = reader
        self.writer = writer
        self.correlation_id = ""

    @classmethod
    async def of(cls, floor):
        return cls(*await asyncio.open_unix_connection(str(floor.control)))

    def say(self, request):
        self.writer.write(framed(msgspec.json.encode(question(request))))

    async def ask(self, request):
        """Return the floor's reply, whatever it is."""
        self.say(request)
        (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        answer = msgspec.json.decode(await self._reader.readexactly(size), type=Answer)
        self.correlation_id = answer.correlation_id
        return answer.reply

    async def granted(self, request, kind):
        """Return the floor's reply, which is of a kind."""
        reply = await self.ask(request)
        assert isinstance(reply, kind), reply
        return reply

    async def refused(self, request, kind, *words):
        """Return the floor's refusal, which is of a kind and has these words."""
        reply = await self.granted(request, Refused)
        assert reply.kind is kind, reply
        assert all(each in reply.reason for each in words), reply
        return reply

    async def worker(self, name):
        return (await self.granted(ShowWorker(name=name), WorkerShown)).worker

    async def traders(self):
        return {each.spec.name: each for each in (await self.granted(ListTraders(), TradersListed)).traders}

    def close(self):
        self.writer.close()


def asked(folder, plan, scene, *, signals=30):
    """Play a floor while ``scene(floor, client)`` asks it; the feed does not end before that has.

    A reader that stands still holds the feed, so that no replay is over too early, however slow the scene is.
    """

    async def meddle(floor):
        held = floor._memory.seats.take()
        try:
            await until_async(lambda: floor.control is not None, "it listens")
            await working(floor, FEED)
            await raised(floor, signals)
            with contextlib.closing(await Client.of(floor)) as client:
                await scene(floor, client)
        finally:
            floor._memory.seats.leave(held)

    config = config_for(folder, **SETTINGS | {"control_socket": str(folder / "control")})
    outcome = play(config, plan, meddle)
    assert outcome.lost == 0
    assert not (folder / "control").exists()
    return outcome


def signals_without(name, plan, outcome):
    return [each for each in report_of(plan, outcome)["signals"] if each["trader"] != name]


def all_run_once(floor):
    """See that every trader of the plan runs in one worker, and no place at the tape is left over."""
    members = floor._pool.members
    running = sorted(spec.name for member in members.values() for spec in member.wanted.specs())
    assert running == sorted(spec.name for spec in floor._plan.traders)
    assert seats_taken(floor) == len(members) + 1
    assert len(floor.supervisor._alive) == sum(slot.wanted for slot in floor.supervisor.slots())


# --- what is there


def test_workers_are_listed_and_shown_with_their_figures(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        def looked_at():
            processes = [slot.process for slot in floor.supervisor.slots()]
            return all(floor._health.last_pong(it) is not None and floor._health.private(it) for it in processes)

        await until_async(looked_at, "all have answered a ping, and their memory is known")
        listed = await client.granted(ListWorkers(), WorkersListed)
        workers = {worker.slot: worker for worker in listed.workers}
        assert set(workers) == {FEED, STORAGE, LOGGER, *TRADERS}
        assert listed.effects_allowed
        for name, worker in workers.items():
            assert (worker.slot_state, worker.worker_state) == (SlotState.RUNNING, WorkerState.READY)
            assert worker.health is Health.HEALTHY
            assert worker.pid == floor.supervisor.slot(name).process.pid
            assert (worker.incarnation, worker.restarts, worker.replacements, worker.quarantine) == (1, 0, 0, "")
            assert min(worker.memory, worker.private, worker.uptime) > 0
            assert worker.last_pong >= 0
            assert 0 <= worker.busy <= 1
            assert worker.figures["threads"] >= 1
            assert worker.figures["descriptors"] > 3
        assert sum(workers[name].traders for name in TRADERS) == RULES
        assert [workers[name].figures["rules"] for name in TRADERS] == [workers[name].traders for name in TRADERS]
        assert {workers[name].kind for name in TRADERS} == {"trader"}
        shown = await client.worker(TRADERS[0])
        assert (shown.slot, shown.pid, shown.traders) == (TRADERS[0], workers[TRADERS[0]].pid, RULES // 2)
        assert shown.commands > 0

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_worker_that_is_not_there_is_not_found_and_the_others_are_named(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        for request in (ShowWorker, ReplaceWorker, DrainWorker, CleanupWorker, StopWorker):
            await client.refused(request(name="trader-9"), RefusalKind.NOT_FOUND, "no worker trader-9", *TRADERS, FEED)
        await client.refused(ShowLogs(worker="trader-9"), RefusalKind.NOT_FOUND, "no worker trader-9")
        for request in (UpdateTrader(spec=TraderSpec(name="nobody", rule="close > 0")), RemoveTrader(name="nobody")):
            await client.refused(request, RefusalKind.NOT_FOUND, "no trader nobody")
        await client.refused(RunTraders(names=("nobody",)), RefusalKind.NOT_FOUND, "no trader nobody")
        await client.refused(PardonTrader(name="crosses"), RefusalKind.NOT_FOUND, "no trader crosses is in quarantine")
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_statistics_have_every_part_and_logs_every_worker(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        await client.granted(ReplaceWorker(name=TRADERS[0]), WorkerReplaced)
        parts = (await client.granted(ShowStatistics(), StatisticsShown)).parts
        assert set(parts) >= PARTS
        assert parts["control"]["requests"] == 2
        assert parts["control"]["clients"] == 1
        assert parts["effects"]["allowed"] == 1
        assert parts["messages"]["remembered"] > 0
        assert parts["blame"]["blamed"] == 0
        for name in (FEED, STORAGE, LOGGER, *TRADERS):
            lines = (await client.granted(ShowLogs(worker=name), LogsShown)).lines
            assert "worker ready" in {line.event for line in lines}, name
        lines = (await client.granted(ShowLogs(worker="supervisor", last=1), LogsShown)).lines
        assert len(lines) == 1

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


# --- workers


@pytest.mark.parametrize("name", [FEED, STORAGE, LOGGER, TRADERS[0]])
def test_a_worker_is_replaced(tmp_path, plan, undisturbed, name):
    async def scene(floor, client):
        before = await client.worker(name)
        for incarnation in (2, 3):
            replaced = await client.granted(ReplaceWorker(name=name), WorkerReplaced)
            assert (replaced.worker, replaced.incarnation) == (name, incarnation)
            after = await client.worker(name)
            assert (after.pid, after.incarnation) == (replaced.pid, incarnation)
            assert (after.replacements, after.restarts) == (incarnation - 1, 0)
            assert after.pid != before.pid
            assert after.traders == before.traders
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_drained_worker_has_finished_what_waited_and_goes_on(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        for name in TRADERS:
            head = floor._memory.head()
            drained = await client.granted(DrainWorker(name=name), WorkerDrained)
            assert drained.through >= head > 0
        for name in (FEED, STORAGE, LOGGER):
            assert (await client.granted(DrainWorker(name=name), WorkerDrained)).through is None
        for name in (FEED, STORAGE, LOGGER, *TRADERS):
            worker = await client.worker(name)
            assert (worker.worker_state, worker.incarnation) == (WorkerState.READY, 1)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


@pytest.mark.parametrize("name", [FEED, STORAGE, LOGGER, TRADERS[0]])
def test_a_worker_that_is_cleaned_up_leaves_nothing_and_has_a_successor(tmp_path, plan, undisturbed, name):
    async def scene(floor, client):
        before = floor.supervisor.slot(name).process
        cleaned = await client.granted(CleanupWorker(name=name), WorkerCleanedUp)
        assert (cleaned.worker, cleaned.leaked, cleaned.forced, cleaned.incarnation) == (name, (), False, 2)
        assert before.state is WorkerState.TERMINATED
        after = await client.worker(name)
        assert (after.slot_state, after.worker_state) == (SlotState.RUNNING, WorkerState.READY)
        assert (after.incarnation, after.restarts) == (2, 0)
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


CARELESS = """
import os
import threading
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    def on_start(self, context):
        os.open("/dev/zero", os.O_RDONLY)
        threading.Thread(target=threading.Event().wait, name="forgotten thread", daemon=True).start()
"""

DEADLY = """
import os
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    def on_start(self, context):
        self.seen = 0

    def on_tick(self, tick):
        self.seen += 1
        if self.seen == 100 and not os.path.exists({mended!r}):
            os.kill(os.getpid(), 9)

    def save(self):
        return {{"seen": self.seen}}

    def restore(self, state):
        self.seen = state["seen"]
"""


def wild(folder, small_capture, many_rules, code):
    """Return a plan of the many rules and a strategy besides, which raises no signal."""
    (folder / "wild.py").write_text(code)
    rules = folder / "rules.toml"
    rules.write_text(many_rules.read_text() + '\n[[trader]]\nname = "wild"\nstrategy = "wild.py:Wild"\n')
    return plan_for([small_capture], rules, speed=PACED)


@pytest.mark.parametrize("request_of", [CleanupWorker, StopWorker])
def test_what_a_worker_leaves_behind_is_named(tmp_path, small_capture, many_rules, undisturbed, request_of):
    plan = wild(tmp_path, small_capture, many_rules, CARELESS)

    async def scene(floor, client):
        worker = (await client.traders())["wild"].worker
        gone = await client.granted(request_of(name=worker), WorkerCleanedUp | WorkerStopped)
        assert not gone.forced
        assert "forgotten thread" in gone.leaked
        assert any(each.endswith("-> /dev/zero") for each in gone.leaked)
        # Whoever runs it now was given all of it, and forgets the same.
        assert (await client.traders())["wild"].worker in floor._pool.members
        all_run_once(floor)

    outcome = asked(tmp_path, plan, scene)
    assert signals_without("wild", plan, outcome) == undisturbed[0]["signals"]


def test_a_stopped_trader_worker_is_gone_and_its_traders_are_with_the_others(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        before = floor.supervisor.slot(TRADERS[0]).process
        stopped = await client.granted(StopWorker(name=TRADERS[0]), WorkerStopped)
        assert (stopped.worker, stopped.leaked, stopped.forced) == (TRADERS[0], (), False)
        assert before.state is WorkerState.TERMINATED
        listed = await client.granted(ListWorkers(), WorkersListed)
        assert {each.slot for each in listed.workers} == {FEED, STORAGE, LOGGER, TRADERS[1]}
        assert {each.worker for each in (await client.traders()).values()} == {TRADERS[1]}
        assert (await client.worker(TRADERS[1])).traders == RULES
        await client.refused(ReplaceWorker(name=TRADERS[0]), RefusalKind.NOT_FOUND, "no worker")
        all_run_once(floor)
        # The place comes back with the next scaling, and counts on.
        await client.granted(ScaleTraders(workers=2), TradersScaled)
        assert (await client.worker(TRADERS[0])).incarnation == 2
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_what_the_floor_needs_is_not_stopped(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        for name in (FEED, STORAGE):
            await client.refused(StopWorker(name=name), RefusalKind.REFUSED, f"cannot go on without {name}", "replace")
        await client.granted(ScaleTraders(workers=1), TradersScaled)
        (only,) = floor._pool.members
        await client.refused(StopWorker(name=only), RefusalKind.REFUSED, "the only trader worker", "replace it")
        for name in (FEED, STORAGE, only):
            assert (await client.worker(name)).worker_state is WorkerState.READY
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_stopped_logger_leaves_its_place_empty_until_it_is_replaced(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        stopped = await client.granted(StopWorker(name=LOGGER), WorkerStopped)
        assert (stopped.leaked, stopped.forced) == ((), False)
        empty = await client.worker(LOGGER)
        assert (empty.pid, empty.slot_state, empty.worker_state) == (0, SlotState.STOPPED, WorkerState.TERMINATED)
        assert (empty.uptime, empty.memory, empty.busy, empty.figures) == (0.0, 0, None, {})
        for request in (StopWorker, CleanupWorker):
            await client.refused(request(name=LOGGER), RefusalKind.BUSY, f"{LOGGER} is stopped")
        await client.refused(DrainWorker(name=LOGGER), RefusalKind.BUSY, "replace it to fill its place again")
        filled = await client.granted(ReplaceWorker(name=LOGGER), WorkerReplaced)
        assert filled.incarnation == 2
        worker = await client.worker(LOGGER)
        assert (worker.pid, worker.worker_state) == (filled.pid, WorkerState.READY)
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))
    assert "stop asked for" in (tmp_path / "floor.log").read_text()


def test_the_traders_are_spread_over_as_many_workers_as_are_asked_for(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        for before, after in itertools.pairwise((2, 4, 1, 1, 3)):
            homes = {name: each.worker for name, each in (await client.traders()).items()}
            scaled = await client.granted(ScaleTraders(workers=after), TradersScaled)
            assert (scaled.before, scaled.after) == (before, after)
            traders = await client.traders()
            assert scaled.moved == sum(each.worker != homes[name] for name, each in traders.items())
            assert {each.worker for each in traders.values()} == {f"trader-{number + 1}" for number in range(after)}
            all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


# --- traders


def test_traders_come_change_are_run_and_go(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        traders = await client.traders()
        assert len(traders) == RULES
        assert all(each.worker in TRADERS and not each.quarantine for each in traders.values())

        placed = await client.granted(AddTrader(spec=TraderSpec(name="mine", rule="close > 0")), TraderPlaced)
        assert (placed.trader, placed.revision) == ("mine", 1)
        mine = (await client.traders())["mine"]
        assert (mine.worker, mine.spec.rule) == (placed.worker, "close > 0")
        await client.refused(
            AddTrader(spec=TraderSpec(name="mine", rule="open > 0")), RefusalKind.REFUSED, "mine already", "update it"
        )

        await client.granted(DrainWorker(name=placed.worker), WorkerDrained)
        ran = await client.granted(RunTraders(names=("mine",)), TradersRun)
        assert len(ran.matches["mine"]) >= 1
        assert set(ran.matches) == {"mine"}

        spec = TraderSpec(name="mine", rule="close < 0")
        updated = await client.granted(UpdateTrader(spec=spec), TraderPlaced)
        assert (updated.worker, updated.revision) == (placed.worker, 2)
        assert (await client.traders())["mine"].spec == msgspec.structs.replace(spec, revision=2)
        ran = await client.granted(RunTraders(names=("mine",)), TradersRun)
        assert not any(ran.matches.values())
        everybody = await client.granted(RunTraders(), TradersRun)
        assert everybody.evaluations > ran.evaluations > 0

        assert (await client.granted(RemoveTrader(name="mine"), TraderRemoved)).trader == "mine"
        assert await client.traders() == traders
        await client.refused(RemoveTrader(name="mine"), RefusalKind.NOT_FOUND, "no trader mine")

    outcome = asked(tmp_path, plan, scene)
    assert signals_without("mine", plan, outcome) == undisturbed[0]["signals"]


def test_a_rule_that_cannot_run_is_refused_with_its_problem_and_changes_nothing(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        before = await client.traders()
        held = [member.wanted.held() for member in floor._pool.members.values()]
        for request, name in ((AddTrader, "mine"), (UpdateTrader, "crosses")):
            spec = TraderSpec(name=name, rule="clos > 0")
            refused = await client.refused(request(spec=spec), RefusalKind.INVALID, f"trader {name!r} cannot run")
            (problem,) = refused.problems
            assert (problem.trader, problem.text, problem.column) == (name, "clos > 0", 1)
            assert "clos" in problem.message
            assert "close" in problem.hint
        assert await client.traders() == before
        assert [member.wanted.held() for member in floor._pool.members.values()] == held
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


@pytest.mark.parametrize("mercy", [True, False])
def test_a_strategy_in_quarantine_is_shown_and_pardoned_or_forgotten(
    tmp_path, small_capture, many_rules, undisturbed, mercy
):
    mended = tmp_path / "mended"
    plan = wild(tmp_path, small_capture, many_rules, DEADLY.format(mended=str(mended)))

    async def scene(floor, client):
        await until_async(lambda: "wild" in floor._pool.locked_up, "it is in quarantine")
        found = (await client.traders())["wild"]
        assert found.worker == ""
        assert "its worker died and died while its code ran" in found.quarantine
        # The workers that it took along come back without it.
        for name in TRADERS:
            await at_work(floor, name)
        spec = TraderSpec(name="wild", rule="close < 0")
        await client.refused(AddTrader(spec=spec), RefusalKind.REFUSED, "in quarantine", "pardon it, or remove it")
        await client.refused(UpdateTrader(spec=spec), RefusalKind.NOT_FOUND, "in quarantine", "pardon it first")
        await client.refused(RunTraders(names=("wild",)), RefusalKind.NOT_FOUND, "in quarantine")

        mended.touch()
        if mercy:
            placed = await client.granted(PardonTrader(name="wild"), TraderPlaced)
            found = (await client.traders())["wild"]
            assert (found.worker, found.quarantine) == (placed.worker, "")
            all_run_once(floor)
            await client.granted(DrainWorker(name=placed.worker), WorkerDrained)
        else:
            await client.granted(RemoveTrader(name="wild"), TraderRemoved)
            assert "wild" not in await client.traders()
            await client.granted(AddTrader(spec=spec), TraderPlaced)
            assert (await client.traders())["wild"].spec == spec
        await client.refused(PardonTrader(name="wild"), RefusalKind.NOT_FOUND, "is in quarantine")

    outcome = asked(tmp_path, plan, scene, signals=1)
    assert signals_without("wild", plan, outcome) == undisturbed[0]["signals"]
    assert sum(worker.restarts for worker in outcome.status.workers) == 2


# --- emergencies


def test_effects_are_stopped_and_resumed_in_the_middle_of_a_replay(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        for request, allowed in ((EmergencyStop(), False), (EmergencyResume(), True)):
            for changed in (True, False):
                switched = await client.granted(request, EffectsSwitched)
                assert (switched.allowed, switched.changed) == (allowed, changed)
                assert (await client.granted(ListWorkers(), WorkersListed)).effects_allowed is allowed

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


@pytest.mark.parametrize("stopped", [False, True])
def test_everything_is_recovered_in_the_middle_of_a_replay(tmp_path, plan, undisturbed, stopped):
    async def scene(floor, client):
        names = [slot.spec.name for slot in floor.supervisor.slots()]
        old = {slot.process for slot in floor.supervisor.slots()}
        if stopped:
            await client.granted(EmergencyStop(), EffectsSwitched)
        recovered = await client.granted(EmergencyRecover(), EmergencyRecovered)
        assert list(recovered.workers) == names
        assert (recovered.failed, recovered.traders, recovered.displays) == ({}, RULES, 0)
        assert old.isdisjoint(slot.process for slot in floor.supervisor.slots())
        listed = await client.granted(ListWorkers(), WorkersListed)
        # Starting anew is no permission.
        assert listed.effects_allowed is not stopped
        for worker in listed.workers:
            assert (worker.slot_state, worker.worker_state) == (SlotState.RUNNING, WorkerState.READY)
            assert worker.incarnation == 2
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_stopped_worker_is_not_brought_back_by_a_recovery(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        await client.granted(StopWorker(name=LOGGER), WorkerStopped)
        recovered = await client.granted(EmergencyRecover(), EmergencyRecovered)
        assert set(recovered.workers) == {FEED, STORAGE, *TRADERS}
        assert (await client.worker(LOGGER)).slot_state is SlotState.STOPPED

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


# --- traces


def test_what_a_request_led_to_is_traced(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        placed = await client.granted(AddTrader(spec=TraderSpec(name="mine", rule="close < 0")), TraderPlaced)
        identity = client.correlation_id
        assert identity.startswith("control-")
        traced = await client.granted(TraceCorrelation(id=identity), Traced)
        assert traced.remembered >= len(traced.steps) > 0
        assert {step.correlation_id for step in traced.steps} == {identity}
        passed = [(step.direction, step.message, step.text.partition(" ")[0]) for step in traced.steps]
        assert ("out", "Command", "CheckTraders") in passed
        assert ("out", "Command", "AddTrader") in passed
        applied = [step for step in traced.steps if step.message == "Applied" and step.direction == "in"]
        assert placed.worker in {step.slot for step in applied}
        assert not any("failed" in step.text for step in applied)
        await client.granted(RemoveTrader(name="mine"), TraderRemoved)
        assert client.correlation_id != identity
        nothing = await client.granted(TraceCorrelation(id="control-of-nobody"), Traced)
        assert nothing.steps == ()
        assert nothing.remembered > 0

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_signal_is_traced_from_its_tick_to_its_last_word(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        chosen = floor._signals.recent[-1]
        # After that all that was raised before is stored, and whoever raised it knows.
        for name in TRADERS:
            await client.granted(DrainWorker(name=name), WorkerDrained)
        assert chosen.correlation_id.startswith("replay:")
        for identity in (chosen.correlation_id, chosen.id):
            steps = (await client.granted(TraceCorrelation(id=identity), Traced)).steps
            order = list(dict.fromkeys(step.message for step in steps))
            assert order == ["SignalsRaised", "StoreSignals", "SignalsStored", "SignalsAccepted"]
            assert {step.slot for step in steps if step.message in ("StoreSignals", "SignalsStored")} == {STORAGE}
            assert chosen.trader in steps[0].text
            assert [step.ts for step in steps] == sorted(step.ts for step in steps)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


# --- several at once

TOGETHER = [
    (ReplaceWorker(name=TRADERS[0]), ReplaceWorker(name=TRADERS[1])),
    (ReplaceWorker(name=TRADERS[0]), ReplaceWorker(name=TRADERS[0])),
    (ReplaceWorker(name=TRADERS[0]), ScaleTraders(workers=3)),
    (CleanupWorker(name=TRADERS[0]), ReplaceWorker(name=TRADERS[0])),
    (CleanupWorker(name=TRADERS[0]), CleanupWorker(name=TRADERS[0])),
    (ScaleTraders(workers=3), ScaleTraders(workers=1)),
    (StopWorker(name=TRADERS[0]), ScaleTraders(workers=3)),
    (ReplaceWorker(name=FEED), ReplaceWorker(name=STORAGE)),
    (EmergencyRecover(), EmergencyRecover()),
]


@pytest.mark.parametrize(
    "requests",
    TOGETHER,
    ids=lambda both: " and ".join("-".join(map(str, msgspec.to_builtins(it).values())) for it in both),
)
def test_of_two_actions_at_once_none_is_done_by_half(tmp_path, plan, undisturbed, requests):
    async def scene(floor, client):
        with contextlib.closing(await Client.of(floor)) as other:
            replies = await asyncio.gather(*(each.ask(it) for each, it in zip((client, other), requests, strict=True)))
        refused = [reply for reply in replies if isinstance(reply, Refused)]
        assert len(refused) < len(requests), replies
        assert all(reply.kind is RefusalKind.BUSY for reply in refused), refused
        for name in (FEED, STORAGE, LOGGER, *floor._pool.members):
            await at_work(floor, name)
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_of_two_stops_at_once_neither_undoes_the_other(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        await client.granted(ScaleTraders(workers=3), TradersScaled)
        with contextlib.closing(await Client.of(floor)) as other:
            replies = await asyncio.gather(
                *(each.ask(StopWorker(name=it)) for each, it in zip((client, other), TRADERS, strict=True))
            )
        for name, reply in zip(TRADERS, replies, strict=True):
            if isinstance(reply, Refused):
                assert reply.kind is RefusalKind.BUSY
                assert name in floor._pool.members
            else:
                assert name not in floor._pool.members
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))


def test_a_client_that_hangs_up_has_its_worker_replaced_all_the_same(tmp_path, plan, undisturbed):
    async def scene(floor, client):
        slot = floor.supervisor.slot(TRADERS[0])
        hasty = await Client.of(floor)
        hasty.say(ReplaceWorker(name=TRADERS[0]))
        await until_async(lambda: slot.handing_over or slot.replacements, "it is under way")
        hasty.close()
        with contextlib.suppress(ConnectionError):
            await hasty.writer.wait_closed()
        await until_async(lambda: slot.replacements == 1, "it is replaced")
        await until_async(lambda: floor._server.statistics().hung_up == 1, "nobody takes the answer")
        worker = await client.worker(TRADERS[0])
        assert (worker.incarnation, worker.replacements) == (2, 1)
        assert worker.worker_state is WorkerState.READY
        all_run_once(floor)

    same(undisturbed, tmp_path, plan, asked(tmp_path, plan, scene))
