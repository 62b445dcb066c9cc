"""A database that refuses everything for a while: signals wait, whoever dies meanwhile, and none is lost."""

import signal

from tests.supervisor.supervised import run, supervised
from tests.waiting import until_async
from tickfloor.contracts.commands import BeginEpoch, QuerySignals
from tickfloor.contracts.events import SignalsStored, StoreSignals
from tickfloor.contracts.settings import StorageSettings
from tickfloor.contracts.signals import Signal

ENTRY = "tickfloor.storage.worker:make"


def raised(number: int) -> Signal:
    return Signal(
        id=f"{number:032x}", source="s", trader="t", revision=1, instrument="v:S", tape="tape",
        tape_sequence=number, ts_event=number, values={},
    )  # fmt: skip


def test_a_successor_waits_for_a_database_that_cannot_be_opened_and_stores_then(tmp_path):
    path = tmp_path / "floor.db"

    async def scenario():
        async with supervised() as floor:
            storage = StorageSettings(url=f"sqlite:///{path}", run="run")
            first = await floor.start(ENTRY, "storage-1", settings=storage)
            first.send(StoreSignals(signals=(raised(1),)))
            await first.command(QuerySignals(after=0, limit=10))
            path.rename(tmp_path / "away.db")
            path.mkdir()
            first.kill(signal.SIGKILL)
            slot = floor.supervisor.slot("storage-1")
            await until_async(lambda: slot.process is not first and slot.process.ready.is_set(), "a successor")
            slot.process.send(StoreSignals(signals=(raised(2),)))
            await until_async(lambda: floor.logged("signals wait") or _lines(floor), "it says that signals wait")
            path.rmdir()
            (tmp_path / "away.db").rename(path)
            stored = SignalsStored(ids=(raised(2).id,))
            await until_async(lambda: ("storage-1", stored) in floor.said, "it stores them when it can")
            found = await slot.process.command(QuerySignals(after=0, limit=10))
            assert [each.tape_sequence for each in found.signals] == [1, 2]

    run(scenario())


def _lines(floor):
    return [message for _, message in floor.said if getattr(message, "event", "") == "signals wait"]


def test_every_start_has_a_greater_epoch(tmp_path):
    epochs = []

    async def scenario():
        async with supervised() as floor:
            settings = StorageSettings(url=f"sqlite:///{tmp_path / 'floor.db'}", run="run")
            storage = await floor.start(ENTRY, "storage-1", settings=settings)
            epochs.append((await storage.command(BeginEpoch())).epoch)

    for _ in range(3):
        run(scenario())
    assert epochs == [1, 2, 3]
