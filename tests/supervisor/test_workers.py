"""Real worker processes: how they start, answer, fail, are replaced and end."""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests.supervisor.supervised import run, supervised
from tests.waiting import until, until_async, until_dead
from tickfloor.contracts.commands import AddTrader, Begin, Drain, Inspect, StopFeed
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.events import Ready
from tickfloor.contracts.messages import PROTOCOL_VERSION
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.outbox import WINDOW, CommandError
from tickfloor.supervisor.process import WorkerDiedError
from tickfloor.supervisor.supervisor import SlotBusyError
from tickfloor.supervisor.zygote_client import ZygoteError


def descriptors() -> list[str]:
    """What kinds of things this process has open; the listing's own descriptor is closed again and not among them."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(re.sub(r"\[\d+\]", "", str(entry.readlink())))
        except FileNotFoundError:
            continue
    return sorted(found)


@pytest.mark.parametrize("from_template", [False, True])
def test_a_worker_is_ready_answers_and_ends_when_asked(from_template):
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain", from_template=from_template)
            assert process.state is WorkerState.READY
            assert ("worker-1", Ready(pid=process.pid, incarnation=1, protocol=PROTOCOL_VERSION)) in floor.said
            await process.command(Begin())
            await process.command(Drain(through=1))
            await floor.supervisor.stop("worker-1")
            assert (process.state, process.exit_status) == (WorkerState.TERMINATED, 0)
            assert process.clean.leaked == ()
            assert floor.logged("worker leaked") == floor.logged("worker forced") == []

    run(scenario())


def test_a_template_has_loaded_the_kind_and_a_fresh_fork_has_not():
    async def scenario():
        async with supervised() as floor:
            await floor.start("is_preloaded", "worker-1", from_template=True)
            plain = await floor.start("Plain", "worker-2", from_template=False)
            loaded = await plain.command(Inspect())
            assert "odd_workers" in loaded.modules

    run(scenario())


def test_a_worker_refuses_a_command_and_goes_on():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain")
            with pytest.raises(CommandError, match="no AddTrader here"):
                await process.command(AddTrader(revision=1, spec=TraderSpec(name="x", rule="last > 1")))
            await process.command(Begin())

    run(scenario())


def test_commands_before_ready_are_queued_and_answered_in_order():
    async def scenario():
        async with supervised() as floor:
            starting = asyncio.ensure_future(floor.start("Plain"))
            await until_async(lambda: "worker-1" in floor.supervisor._slots, "the slot is there")
            process = floor.supervisor.slot("worker-1").process
            answers = [process.command(Begin()) for _ in range(WINDOW - 1)]
            assert process.state is WorkerState.CREATED
            await asyncio.gather(*answers)
            await starting

    run(scenario())


def test_a_worker_leads_a_process_group_of_its_own_and_bears_its_slot_s_name():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain", "a-worker")
            assert os.getpgid(process.pid) == process.pid
            assert Path(f"/proc/{process.pid}/comm").read_text() == "a-worker\n"
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert f"PPid:\t{os.getpid()}\n" in status

    run(scenario())


def test_a_module_that_cannot_be_imported_is_named():
    async def scenario():
        async with supervised() as floor:
            with pytest.raises(WorkerError, match="did not start: ModuleNotFoundError: No module named 'no_such'"):
                await floor.start("no_such:make")
            with pytest.raises(WorkerError, match="AttributeError: module 'odd_workers' has no attribute 'nobody'"):
                await floor.start("nobody", "worker-2")
            with pytest.raises(WorkerError, match="No module named 'no_such'"):
                await floor.start("no_such:make", "worker-3", from_template=True)

    run(scenario())


def test_a_worker_that_says_why_it_cannot_start_is_not_asked_again():
    async def scenario():
        async with supervised() as floor:
            with pytest.raises(WorkerError, match="StorageError: the disk is on fire"):
                await floor.start("refuses")
            assert floor.supervisor.slot("worker-1").incarnations == 1

    run(scenario())


def test_a_worker_that_is_killed_before_it_is_ready_is_started_again():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("killed_once")
            assert process.incarnation == 2
            await process.command(Begin())

    run(scenario())


def test_a_worker_that_dies_is_replaced_and_its_commands_fail():
    async def scenario():
        async with supervised() as floor:
            began = []

            async def begin(process):
                await process.command(Begin())
                began.append(process.incarnation)

            first = await floor.start("Plain", on_ready=begin)
            slot = floor.supervisor.slot("worker-1")
            with pytest.raises(WorkerDiedError, match="killed by SIGKILL"):
                await first.command(StopFeed())
            await until_async(lambda: began == [1, 2], "the successor has begun")
            assert slot.process.incarnation == 2
            assert slot.restarts.restarts == 1
            assert floor.logged("worker died") == [{"worker": "worker-1", "incarnation": 1, "how": "killed by SIGKILL"}]
            with pytest.raises(WorkerDiedError, match="is dead"):
                await first.command(Begin())

    run(scenario())


def test_a_worker_that_dies_while_it_is_told_what_to_do_is_replaced():
    async def scenario():
        async with supervised() as floor:
            deaths = iter([True, False])
            begun = []

            async def begin(process):
                if next(deaths):
                    await process.command(StopFeed())
                begun.append(process.incarnation)

            await floor.start("Plain", on_ready=begin)
            assert begun == [2]

    run(scenario())


def test_a_death_between_the_last_word_and_the_first_look_is_not_missed():
    async def scenario():
        async with supervised() as floor:
            lives = []

            async def killed_at_the_last_moment(process):
                lives.append(process)
                if len(lives) == 1:
                    process.kill(signal.SIGKILL)
                    await process.dead.wait()

            await floor.start("Plain", on_ready=killed_at_the_last_moment)
            await until_async(lambda: len(lives) == 2, "a successor")

    run(scenario())


def test_three_starts_that_fail_give_the_slot_up_with_the_reason():
    async def scenario():
        async with supervised(intensity=50) as floor:
            process = await floor.start("fails_later")
            process.kill(signal.SIGKILL)
            error = await asyncio.wait_for(asyncio.shield(floor.supervisor.failure), 30)
            assert "worker-1 keeps dying, last by StorageError: the disk is gone" in str(error)
            slot = floor.supervisor.slot("worker-1")
            assert slot.state is SlotState.QUARANTINED
            assert slot.incarnations == 4

    run(scenario())


def test_too_many_deaths_give_the_slot_up():
    async def scenario():
        async with supervised(intensity=2) as floor:
            await floor.start("Plain")
            slot = floor.supervisor.slot("worker-1")
            for incarnation in (1, 2, 3):
                await until_async(
                    lambda wanted=incarnation: slot.process.incarnation == wanted and slot.process.ready.is_set(),
                    f"incarnation {incarnation}",
                )
                slot.process.kill(signal.SIGKILL)
            error = await asyncio.wait_for(asyncio.shield(floor.supervisor.failure), 30)
            assert "worker-1 keeps dying, last by killed by SIGKILL" in str(error)

    run(scenario())


def test_the_floor_goes_on_without_a_worker_that_it_can_do_without():
    async def scenario():
        async with supervised(intensity=0) as floor:
            process = await floor.start("Plain", vital=False)
            process.kill(signal.SIGKILL)
            slot = floor.supervisor.slot("worker-1")
            await until_async(lambda: slot.state is SlotState.QUARANTINED, "the slot is given up")
            assert not floor.supervisor.failure.done()

    run(scenario())


def refused_while(switch):
    """Return instructions that cannot be given while ``switch`` is set."""

    async def on_ready(process):
        if switch.is_set():
            raise WorkerDiedError("worker-2 did not start: the log file cannot be written")

    return on_ready


def test_everything_is_started_anew_though_a_worker_that_the_floor_can_do_without_is_not():
    async def scenario():
        broken = asyncio.Event()
        async with supervised() as floor:
            await floor.start("Plain")
            await floor.start("Plain", "worker-2", vital=False, on_ready=refused_while(broken))
            broken.set()
            await floor.supervisor.recover("test")
            needed, other = floor.supervisor.slots()
            assert (needed.state, needed.process.incarnation) == (SlotState.RUNNING, 2)
            assert other.state is SlotState.QUARANTINED
            assert other.reason == "worker-2 did not start: the log file cannot be written"
            assert not floor.supervisor.failure.done()

    run(scenario())


def test_everything_is_started_anew_once_at_a_time():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain")
            first = asyncio.ensure_future(floor.supervisor.recover("first"))
            await process.dead.wait()
            with pytest.raises(SlotBusyError, match="try again when that has ended"):
                await floor.supervisor.recover("second")
            await first
            assert floor.supervisor.slot("worker-1").process.incarnation == 2

    run(scenario())


def test_an_empty_place_that_could_not_be_filled_can_be_filled_later():
    async def scenario():
        broken = asyncio.Event()
        async with supervised() as floor:
            await floor.start("Plain", "worker-2", vital=False, on_ready=refused_while(broken))
            slot = floor.supervisor.slot("worker-2")
            await floor.supervisor.stop("worker-2")
            broken.set()
            with pytest.raises(WorkerDiedError, match="cannot be written"):
                await floor.supervisor.fill_again(slot)
            assert slot.state is SlotState.STOPPED
            broken.clear()
            await floor.supervisor.fill_again(slot)
            assert slot.state is SlotState.RUNNING
            assert slot.wanted

    run(scenario())


def test_an_error_that_is_no_tickfloor_error_ends_the_worker_with_its_reason():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Crashing")
            with pytest.raises(WorkerDiedError, match="KeyError: 'Begin'"):
                await process.command(Begin())
            assert process.state is WorkerState.FAILED
            assert process.exit_status == 1
            assert "return {}[type(body).__name__]" in process.failure.traceback

    run(scenario())


def test_a_worker_that_says_what_is_no_message_is_killed_and_replaced():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Babbler")
            with pytest.raises(WorkerDiedError, match="ProtocolError"):
                await process.command(Begin())
            slot = floor.supervisor.slot("worker-1")
            await until_async(lambda: slot.process.incarnation == 2, "a successor")

    run(scenario())


def test_a_worker_that_hears_nothing_is_forced_by_degrees():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Deaf", cleanup_seconds=0.1)
            await floor.supervisor.stop("worker-1")
            # SIGTERM is ignored; SIGABRT, with its dump, is what ends it.
            assert (process.state, process.exit_status) == (WorkerState.KILLED, -signal.SIGABRT)
            [forced] = floor.logged("worker forced")
            assert (forced["worker"], forced["how"]) == ("worker-1", "killed by SIGABRT")

    run(scenario())


def test_a_stopped_worker_is_woken_to_be_ended():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain", cleanup_seconds=0.1)
            process.kill(signal.SIGSTOP)
            await floor.supervisor.stop("worker-1")
            assert process.exit_status == -signal.SIGTERM

    run(scenario())


def test_ending_by_force_asks_nobody():
    async def scenario():
        async with supervised() as floor:
            stopped = await floor.start("Plain", "worker-1", cleanup_seconds=60.0)
            deaf = await floor.start("Deaf", "worker-2", cleanup_seconds=60.0)
            stopped.kill(signal.SIGSTOP)
            began = time.monotonic()
            await floor.supervisor.close(forced=True)
            assert time.monotonic() - began < 5
            assert {stopped.exit_status, deaf.exit_status} == {-signal.SIGKILL}

    run(scenario())


def test_an_end_that_was_given_up_can_be_asked_for_again():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain", cleanup_seconds=60.0)
            process.kill(signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(floor.supervisor.stop("worker-1"), 0.05)
            assert process.state is WorkerState.CLEANING
            process.kill(signal.SIGCONT)
            await floor.supervisor.stop("worker-1")
            assert process.state is WorkerState.TERMINATED

    run(scenario())


def test_a_worker_that_is_ended_before_it_is_ready_ends_in_order():
    async def scenario():
        async with supervised() as floor:
            starting = asyncio.ensure_future(floor.start("Plain"))
            await until_async(lambda: "worker-1" in floor.supervisor._slots, "the slot is there")
            process = floor.supervisor.slot("worker-1").process
            await floor.supervisor.stop("worker-1")
            assert (process.state, process.exit_status) == (WorkerState.TERMINATED, 0)
            with pytest.raises(WorkerError, match="did not start"):
                await starting

    run(scenario())


def test_a_worker_that_is_told_to_leave_within_a_long_step_leaves_at_once():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("LongStep")
            await floor.supervisor.stop("worker-1")
            assert (process.state, process.failure) == (WorkerState.TERMINATED, None)

    run(scenario())


def test_what_a_worker_leaves_behind_is_named():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Leaky")
            await floor.supervisor.stop("worker-1")
            assert process.clean.threads == ("forgotten",)
            [descriptor] = process.clean.descriptors
            assert descriptor.endswith("-> /dev/null")
            [leak] = floor.logged("worker leaked")
            assert leak == {"worker": "worker-1", "what": f"forgotten; {descriptor}"}

    run(scenario())


def test_a_handler_that_fails_is_no_secret():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain")

            def handler(process, message, correlation_id):
                raise LookupError("nobody thought of this")

            floor.router.route = handler
            process._take("id", Ready(pid=process.pid, incarnation=1, protocol=PROTOCOL_VERSION))
            error = await asyncio.wait_for(asyncio.shield(floor.supervisor.failure), 30)
            assert "a Ready of worker-1 could not be handled: LookupError('nobody thought of this')" in str(error)

    run(scenario())


def test_a_callback_that_fails_is_no_secret():
    async def scenario():
        async with supervised() as floor:

            def callback():
                raise LookupError("nobody waits for this")

            asyncio.get_running_loop().call_soon(callback)
            error = await asyncio.wait_for(asyncio.shield(floor.supervisor.failure), 30)
            assert "nobody waits for this" in str(error)
            assert "Traceback" in floor.logged("internal error")[0]["traceback"]

    run(scenario())


def test_replacing_a_worker_many_times_leaks_nothing_in_the_supervisor():
    async def scenario():
        async with supervised(intensity=1_000, period=0.001) as floor:
            await floor.start("Plain", from_template=True)
            slot = floor.supervisor.slot("worker-1")
            before = descriptors()
            for incarnation in range(2, 32):
                slot.process.kill(signal.SIGKILL)
                await until_async(
                    lambda wanted=incarnation: slot.process.incarnation == wanted and slot.process.ready.is_set(),
                    f"incarnation {incarnation}",
                )
            assert descriptors() == before

    run(scenario())


def test_the_end_leaves_no_process_and_no_descriptor():
    async def scenario():
        async with supervised() as floor:
            for number in range(3):
                await floor.start("Plain", f"worker-{number}", from_template=number == 1)
            pids.extend(process.pid for process in floor.supervisor.processes("odd"))
            pids.append(floor.zygote.pid)

    pids: list[int] = []
    run(scenario())
    before = descriptors()
    run(scenario())
    assert descriptors() == before
    for pid in pids:
        until_dead(pid)


# The zygote


def test_the_zygote_s_death_kills_nobody_and_the_next_worker_starts():
    async def scenario():
        async with supervised() as floor:
            first = await floor.start("Plain", "worker-1", from_template=True)
            zygote = floor.zygote.pid
            os.kill(zygote, signal.SIGKILL)
            until_dead(zygote)
            second = await floor.start("Plain", "worker-2", from_template=True)
            assert floor.zygote.pid != zygote
            for process in (first, second):
                await process.command(Begin())

    run(scenario())


def test_a_zygote_that_dies_while_it_is_asked_is_replaced_and_the_worker_starts():
    async def scenario():
        async with supervised() as floor:
            await floor.start("Plain", "worker-1")
            # Dead, and not known to be: nobody has looked.
            os.kill(floor.zygote.pid, signal.SIGSTOP)
            floor.zygote._control.settimeout(0.2)
            process = await floor.start("Plain", "worker-2")
            await process.command(Begin())
            assert floor.zygote.starts == 2
            assert len(floor.logged("zygote lost")) == 1

    run(scenario())


def test_a_worker_is_replaced_though_the_zygote_died_with_it():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Plain", from_template=True)
            slot = floor.supervisor.slot("worker-1")
            for _ in range(3):
                process = slot.process
                os.kill(floor.zygote.pid, signal.SIGKILL)
                process.kill(signal.SIGKILL)
                await until_async(
                    lambda dead=process: slot.process is not dead and slot.process.ready.is_set(), "a successor"
                )
            await slot.process.command(Begin())

    run(scenario())


def test_a_template_that_dies_is_made_again():
    async def scenario():
        async with supervised() as floor:
            first = await floor.start("Plain", "worker-1", from_template=True)
            children = Path(f"/proc/{floor.zygote.pid}/task/{floor.zygote.pid}/children")
            [template] = map(int, children.read_text().split())
            os.kill(template, signal.SIGKILL)
            second = await floor.start("is_preloaded", "worker-2", from_template=True)
            third = await floor.start("is_preloaded", "worker-3", from_template=True)
            for process in (first, second, third):
                await process.command(Begin())

    run(scenario())


def test_the_zygote_has_one_thread_and_nothing_of_the_floor():
    async def scenario():
        async with supervised() as floor:
            await floor.start("Plain")
            status = Path(f"/proc/{floor.zygote.pid}/status").read_text()
            assert "Threads:\t1\n" in status
            loaded = Path(f"/proc/{floor.zygote.pid}/maps").read_text()
            assert "numpy" not in loaded

    run(scenario())


def test_a_zygote_that_does_not_hear_the_end_is_killed():
    async def scenario():
        async with supervised() as floor:
            await floor.start("Plain")
            pids.append(floor.zygote.pid)
            os.kill(floor.zygote.pid, signal.SIGSTOP)

    pids: list[int] = []
    run(scenario())
    until(lambda: not Path(f"/proc/{pids[0]}").exists(), "the zygote is gone and waited for")


def test_a_successor_killed_before_it_is_ready_has_a_successor_too():
    async def scenario():
        async with supervised(intensity=100, period=0.001) as floor:
            first = await floor.start("Plain")
            slot = floor.supervisor.slot("worker-1")
            first.kill(signal.SIGKILL)
            for incarnation in (2, 3):
                await until_async(
                    lambda wanted=incarnation: slot.process.incarnation == wanted, f"number {incarnation}"
                )
                assert not slot.process.ready.is_set()
                os.kill(slot.process.pid, signal.SIGKILL)
            await until_async(lambda: slot.process.incarnation == 4 and slot.process.ready.is_set(), "a successor")
            assert not floor.supervisor.failure.done()

    run(scenario())


def test_a_fork_that_is_killed_half_way_is_asked_for_again_with_another_channel(monkeypatch):
    async def scenario():
        async with supervised() as floor:
            connections = []
            spawn = floor.zygote.spawn

            def disturbed(**given):
                connections.append(given["connection"].fileno())
                pid = spawn(**given)
                if len(connections) == 1:
                    # There is a worker, and nobody is told of it.
                    lost.append(pid)
                    raise ZygoteError("a process was killed while it forked")
                return pid

            monkeypatch.setattr(floor.zygote, "spawn", disturbed)
            process = await floor.start("Plain")
            # The one that nobody knows sees its channel's end, and goes.
            until_dead(lost[0])
            assert process.pid != lost[0]
            await process.command(Begin())

    lost: list[int] = []
    run(scenario())


@pytest.mark.parametrize("round_", range(3))
def test_templates_and_what_they_fork_may_be_killed_at_any_moment(round_):
    async def scenario():
        rng = random.Random(round_)
        async with supervised(intensity=10_000, period=0.001) as floor:
            await floor.start("Plain", from_template=True)
            slot = floor.supervisor.slot("worker-1")
            for _ in range(15):
                process = slot.process
                process.kill(signal.SIGKILL)
                for pid in descendants(floor.zygote.pid):
                    if rng.random() < 0.5:
                        # It may have ended by itself.
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                await until_async(
                    lambda dead=process: slot.process is not dead and slot.process.ready.is_set(), "a successor"
                )
                await slot.process.command(Begin())

    run(scenario())


def descendants(pid):
    found = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return found
    for child in map(int, children):
        found += [child, *descendants(child)]
    return found


def test_what_forks_a_worker_gets_no_second_worker():
    async def scenario():
        async with supervised() as floor:
            process = await floor.start("Forking", from_template=True)
            await process.command(Begin())
            await floor.supervisor.stop("worker-1")
            assert process.state is WorkerState.TERMINATED

    run(scenario())


def test_a_place_that_is_empty_on_purpose_is_not_waited_for():
    async def scenario():
        async with supervised() as floor:
            await floor.start("Plain")
            await floor.supervisor.stop("worker-1")
            with pytest.raises(SlotBusyError, match="replace it to fill its place again"):
                await floor.supervisor.ask("worker-1", Begin())
            await floor.supervisor.fill_again(floor.supervisor.slot("worker-1"))
            await floor.supervisor.ask("worker-1", Begin())

    run(scenario())
