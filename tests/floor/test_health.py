"""Workers that hang, strategies that do harm, emergencies: each is seen, mended, and nothing is lost."""

import asyncio
import os
import signal

import pytest

from tests.floor.playing import config_for, kill, plan_for, play, raised, report_of
from tests.floor.replacing import (
    at_work,
    descriptors,
    nothing_is_left_over,
    play_undisturbed,
    same,
    stored_ids,
)
from tests.supervisor.supervised import run, supervised
from tests.waiting import until_async
from tickfloor.contracts.commands import GetStatus, Ping, Pong, RemoveTrader
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.settings import ConsoleSettings
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.floor import CONSOLE, FEED, LOGGER, STORAGE, FloorPlan
from tickfloor.supervisor.health.monitor import HealthMonitor, HealthSettings
from tickfloor.supervisor.health.rotation import RotationPolicy, RotationSettings
from tickfloor.supervisor.pool.trader_pool import TraderExistsError, UnknownTraderError
from tickfloor.worker.log import Log

SETTINGS = {
    "tape_records": 1024,
    "trader_workers": 2,
    "restart_period": 0.01,
    "ping_seconds": 0.1,
    "stale_seconds": 1.0,
    "log_form": "json",
    "log_level": "info",
}
PACED = 30.0


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules, speed=PACED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, small_capture, many_rules):
    plan = plan_for([small_capture], many_rules)
    return play_undisturbed(tmp_path_factory.mktemp("undisturbed"), plan, SETTINGS)


def passed(floor):
    """Return how many messages have passed the supervisor."""
    return floor._flow.statistics().identified


def said(folder):
    return (folder / "floor.log").read_text()


# --- workers that hang


@pytest.mark.parametrize("slot", ["trader-1", FEED, STORAGE, LOGGER, CONSOLE])
def test_a_worker_that_stands_still_is_condemned_and_nothing_is_lost(tmp_path, plan, undisturbed, slot, capfd):
    shown = ConsoleSettings(view="floor", live=False, stream="stdout")
    plan = FloorPlan(**{name: getattr(plan, name) for name in FloorPlan.__slots__ if name != "console"}, console=shown)

    async def meddle(floor):
        await raised(floor, 40)
        process = await at_work(floor, slot)
        os.kill(process.pid, signal.SIGSTOP)
        await asyncio.wait_for(process.dead.wait(), 20)
        assert process.condemned.startswith("it has not answered for ")
        assert process.state is WorkerState.KILLED
        await until_async(lambda: floor.supervisor.slot(slot).process is not process, "a successor")
        await at_work(floor, slot)
        assert floor.supervisor.lifecycle.statistics().condemned == 1

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    same(undisturbed, tmp_path, plan, outcome)
    if slot != LOGGER:
        # What is said to a logger that stands still is lost with it.
        assert "worker condemned" in said(tmp_path)
    # Where it stood is on stderr.
    assert "Fatal Python error: Aborted" in capfd.readouterr().err


def test_a_worker_is_not_condemned_because_its_supervisor_was_away(tmp_path, plan, undisturbed):
    async def meddle(floor):
        await raised(floor, 40)
        floor._health.look(0.0)
        floor._health.look(1e9)
        await raised(floor, 80)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    same(undisturbed, tmp_path, plan, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0


def monitor_of(made, lines, **given):
    async def never(name, reason):
        raise AssertionError(f"{name} is replaced: {reason}")

    return HealthMonitor(
        made.supervisor,
        HealthSettings(**{"ping_seconds": 0.05, "stale_seconds": 0.3, "memory_seconds": 1e9} | given),
        RotationPolicy(RotationSettings()),
        replace=never,
        on_pong=lambda process, held: None,
        log=Log("supervisor", lines.append),
    )


def test_a_worker_that_answers_and_does_not_get_on_is_condemned_and_an_idle_one_is_not():
    async def scenario():
        async with supervised() as made:
            stuck = await made.start("wayward_workers:Stuck", "stuck-1")
            idle = await made.start("wayward_workers:Idle", "idle-1")
            monitor = monitor_of(made, [])
            looking = asyncio.ensure_future(monitor.run())
            await stuck.dead.wait()
            assert stuck.condemned.startswith("it answers, but has done nothing for ")
            assert "3 pieces of work wait" in stuck.condemned
            assert not idle.dead.is_set()
            assert monitor.health(idle) is Health.HEALTHY
            assert isinstance(await idle.command(Ping()), Pong)
            looking.cancel()
            await asyncio.wait([looking])

    run(scenario())


def test_cleanup_names_what_is_left():
    async def scenario():
        async with supervised() as made:
            process = await made.start("wayward_workers:Careless")
            await made.supervisor.stop("worker-1")
            assert process.clean is not None
            assert process.clean.threads == ("forgotten thread",)
            assert sorted(process.clean.timers) == ["ITIMER_REAL", "forgotten timer"]
            # The view keeps a descriptor of its own.
            found = sorted(each.partition(" -> ")[2] for each in process.clean.descriptors)
            assert found == ["/dev/null", "/memfd:forgotten-view (deleted)"]
            assert process.clean.views == ("forgotten-view",)
            assert len(made.logged("worker leaked")) == 1

    run(scenario())


# --- strategies that do harm

CODE = """
import os
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    def on_start(self, context):
        self.seen = 0

    def on_tick(self, tick):
        self.seen += 1
        if self.seen == 300:
            {harm}

    def save(self):
        return {{"seen": self.seen}}

    def restore(self, state):
        self.seen = state["seen"]
"""


def wild(folder, small_capture, many_rules, code):
    """Return a plan of the many rules and a strategy besides."""
    (folder / "wild.py").write_text(code)
    rules = folder / "rules.toml"
    rules.write_text(many_rules.read_text() + '\n[[trader]]\nname = "wild"\nstrategy = "wild.py:Wild"\n')
    return plan_for([small_capture], rules, speed=PACED)


def signals_of(report):
    return [each for each in report["signals"] if each["trader"] != "wild"]


@pytest.mark.parametrize(
    ("harm", "how"),
    [
        pytest.param("while True: pass", "hung and hung", id="hangs"),
        pytest.param("os.kill(os.getpid(), 9)", "died and died", id="kills its worker"),
        pytest.param("os._exit(0)", "died and died", id="ends its worker"),
    ],
)
def test_a_strategy_that_takes_its_worker_along_twice_is_quarantined(
    tmp_path, small_capture, many_rules, undisturbed, capfd, harm, how
):
    plan = wild(tmp_path, small_capture, many_rules, CODE.format(harm=harm))

    async def meddle(floor):
        await until_async(lambda: "wild" in floor._pool.locked_up or floor.finished.done(), "it is in quarantine")
        listed = await floor._server._floor.list_traders()
        found = {each.spec.name: each for each in listed.traders}
        assert len(found) == 13
        assert how in found["wild"].quarantine
        assert found["wild"].worker == ""
        assert sum(bool(each.worker) for each in listed.traders) == 12
        # All goes on without it.
        for slot in ("trader-1", "trader-2"):
            await at_work(floor, slot)
        count = floor._signals.raised
        await raised(floor, count + 20)

    config = config_for(tmp_path, **SETTINGS | {"control_socket": str(tmp_path / "control")})
    outcome = play(config, plan, meddle)
    assert signals_of(report_of(plan, outcome)) == undisturbed[0]["signals"]
    assert outcome.lost == 0
    assert sum(worker.restarts for worker in outcome.status.workers) == 2
    assert said(tmp_path).count('"trader blamed"') == 2
    assert said(tmp_path).count('"trader quarantined"') == 1
    if "hung" in how:
        assert capfd.readouterr().err.count('wild.py", line 13 in on_tick') == 2


def test_a_quarantined_strategy_that_is_pardoned_runs_again(tmp_path, small_capture, many_rules):
    code = CODE.format(harm=f"os.path.exists({str(tmp_path / 'mended')!r}) or os.kill(os.getpid(), 9)")
    plan = wild(tmp_path, small_capture, many_rules, code)

    async def meddle(floor):
        await until_async(lambda: "wild" in floor._pool.locked_up or floor.finished.done(), "it is in quarantine")
        (tmp_path / "mended").touch()
        for slot in ("trader-1", "trader-2"):
            await at_work(floor, slot)
        with pytest.raises(TraderExistsError, match="in quarantine; pardon it, or remove it first"):
            await floor._pool.add(TraderSpec(name="wild", rule="close > 0"))
        with pytest.raises(UnknownTraderError, match="in quarantine and does not run"):
            await floor._pool.run(["wild"])
        placed = await floor._pool.pardon("wild")
        assert "wild" in floor._pool.members[placed].wanted
        assert not floor._pool.locked_up

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert outcome.lost == 0


HOG = """
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    def on_start(self, context):
        self.hoard = []

    def on_tick(self, tick):
        if len(self.hoard) < 64:
            self.hoard.append(b"x" * (1 << 20))
"""


def test_a_worker_whose_memory_grows_is_replaced_once_and_then_people_are_told(
    tmp_path, small_capture, many_rules, undisturbed
):
    plan = wild(tmp_path, small_capture, many_rules, HOG)

    async def meddle(floor):
        floor._health._rotation = RotationPolicy(
            RotationSettings(memory_limit=48 << 20, samples_above=2, least_age=0.0, pause=3600.0)
        )
        await until_async(lambda: floor._health.rotations().alarms == 1 or floor.finished.done(), "an alarm")
        rotations = floor._health.rotations()
        assert (rotations.began, rotations.failed, rotations.rotating) == (1, 0, "")
        assert sum(slot.replacements for slot in floor.supervisor.slots()) == 1

    outcome = play(config_for(tmp_path, **SETTINGS | {"memory_seconds": 0.05}), plan, meddle)
    assert signals_of(report_of(plan, outcome)) == undisturbed[0]["signals"]
    assert outcome.lost == 0
    assert "MiB of its own" in said(tmp_path)
    assert "which has not helped" in said(tmp_path)


CHATTY = """
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    def on_tick(self, tick):
        for number in range(20):
            self.signal(tick.instrument, number=number)
"""


def test_a_worker_that_does_not_read_its_socket_is_condemned_and_nothing_is_lost(tmp_path, small_capture, many_rules):
    plan = wild(tmp_path, small_capture, many_rules, CHATTY)
    backlog = 0

    async def meddle(floor):
        nonlocal backlog
        await raised(floor, 100)
        storage = await at_work(floor, STORAGE)
        os.kill(storage.pid, signal.SIGSTOP)
        while not storage.dead.is_set():
            backlog = max(backlog, storage.backlog)
            await asyncio.sleep(0)
        assert storage.condemned

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert backlog > 0
    assert outcome.lost == 0
    ids = [each.id for each in outcome.signals]
    assert len(set(ids)) == len(ids)
    assert sorted(ids) == stored_ids(tmp_path / "floor.db")
    assert len({each.tape_sequence for each in outcome.signals if each.trader == "wild"}) * 20 == sum(
        each.trader == "wild" for each in outcome.signals
    )


# --- what is wanted and what is


def test_a_worker_that_runs_other_traders_than_it_shall_is_set_right(tmp_path, plan):
    async def meddle(floor):
        await raised(floor, 20)
        process = await at_work(floor, "trader-1")
        member = floor._pool.members["trader-1"]
        dropped = member.wanted.specs()[0].name
        # Behind everybody's back.
        await process.command(RemoveTrader(name=dropped, revision=member.wanted.revision))
        pong = await process.command(Ping())
        assert pong.traders.count == len(member.wanted) - 1

        async def held():
            return (await process.command(Ping())).traders

        # Each look is a message there and back.
        while await held() != member.wanted.held():
            pass

    play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert "traders differ from what is wanted" in said(tmp_path)


# --- emergencies


def test_everything_started_anew_in_a_replay_changes_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        await raised(floor, 40)
        await floor.supervisor.recover("the first one starts the templates")
        before = descriptors()
        for count in (80, 160):
            await raised(floor, count)
            old = {slot.process for slot in floor.supervisor.slots()}
            await floor.supervisor.recover("test")
            assert old.isdisjoint(slot.process for slot in floor.supervisor.slots())
            assert all(slot.state is SlotState.RUNNING and slot.wanted for slot in floor.supervisor.slots())
            nothing_is_left_over(floor, before)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    same(undisturbed, tmp_path, plan, outcome)
    assert said(tmp_path).count('"emergency recovery"') == 3


def test_an_emergency_in_the_middle_of_a_handover_changes_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        for count in (40, 90, 140, 190):
            await raised(floor, count)
            replacing = asyncio.ensure_future(floor.replace("trader-1", "test"))
            # Further on in it each time.
            enough = passed(floor) + count // 10
            await until_async(lambda: replacing.done() or passed(floor) >= enough, "it is on its way")  # noqa: B023
            await floor.supervisor.recover("test")
            try:
                await replacing
            except WorkerError as error:
                assert any(
                    told in str(error) for told in ("died", "is dead", "not ready", "did not start", "started anew")
                ), error
            for slot in ("trader-1", "trader-2", FEED, STORAGE):
                await at_work(floor, slot)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    same(undisturbed, tmp_path, plan, outcome)


def test_a_slot_that_keeps_dying_has_everything_started_anew_and_in_the_end_ends_the_floor(
    tmp_path, small_capture, many_rules
):
    async def meddle(floor):
        await raised(floor, 20)
        failure = floor.supervisor.failure
        while not failure.done():
            slot = floor.supervisor.slot("trader-1")

            def killable(slot=slot):
                # Not in the middle of a recovery, which would be one more reason to end.
                return slot.wanted and slot.state is SlotState.RUNNING and slot.process.state is WorkerState.READY

            await until_async(lambda: failure.done() or killable(), "it works again, or is given up")
            if not failure.done():
                kill(slot.process)
                await slot.process.dead.wait()

    plan = plan_for([small_capture], many_rules, speed=3.0)
    settings = {"restart_period": 60.0, "restart_intensity": 1, "recovery_intensity": 2}
    with pytest.raises(WorkerError, match="trader-1 keeps dying, last by killed by SIGKILL"):
        play(config_for(tmp_path, **SETTINGS | settings), plan, meddle)
    assert said(tmp_path).count('"emergency recovery"') == 2
    assert said(tmp_path).count('"slot quarantined"') == 3
    assert "floor cannot go on" in said(tmp_path)


def test_while_effects_are_stopped_no_strategy_is_called_and_rules_go_on(
    tmp_path, small_capture, many_rules, undisturbed
):
    plan = wild(tmp_path, small_capture, many_rules, CHATTY.replace("range(20)", "range(1)"))

    def of_wild(floor):
        return sum(signal.trader == "wild" for signal in floor._signals.recent)

    async def meddle(floor):
        await until_async(lambda: of_wild(floor), "it signals")
        slot = floor._pool.find("wild").slot
        floor._memory.emergency.pull()
        report = await slot.process.command(GetStatus())
        held_back = report.details["held_back"]
        # What it raised before has been heard: recent is all others' after so many of them.
        await raised(floor, floor._signals.raised + 60)
        assert of_wild(floor) == 0
        report = await slot.process.command(GetStatus())
        assert report.details["held_back"] > held_back
        # A worker that starts now is held back, too.
        kill(slot.process)
        dead = slot.process
        await until_async(lambda: slot.process is not dead, "a successor")
        process = await at_work(floor, slot.spec.name)
        await raised(floor, floor._signals.raised + 20)
        assert (await process.command(GetStatus())).details["held_back"] > 0
        assert of_wild(floor) == 0
        floor._memory.emergency.release()
        await until_async(lambda: of_wild(floor), "it signals again")

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert signals_of(report_of(plan, outcome)) == undisturbed[0]["signals"]
    assert outcome.lost == 0
