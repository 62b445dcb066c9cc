"""A supervisor in this process, with real workers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tickfloor.board import segment
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.services.router import Router
from tickfloor.supervisor.slots import Kind, SlotSpec
from tickfloor.supervisor.supervisor import Supervisor
from tickfloor.supervisor.zygote_client import ZygoteClient
from tickfloor.worker import effects
from tickfloor.worker.log import Log

ENTRIES = Path(__file__).parent / "entries"
SETTINGS = LoggerSettings(level="debug", form="text", path="")
RUN_ID = 77


class Supervised:
    """The supervisor, what it logged, and what its workers said."""

    def __init__(self, *, intensity: int = 5, period: float = 60.0, recoveries: int = 0) -> None:
        self.lines: list[LogLine] = []
        self.said: list[tuple[str, object]] = []
        self.zygote = ZygoteClient(path=[str(ENTRIES)])
        self.router = Router(call_later=asyncio.get_running_loop().call_later, on_error=failing)
        self.router.route = lambda process, message, correlation_id: self.said.append((process.slot, message))
        self.flow = MessageFlow()
        self.deaths: list[WorkerProcess] = []
        word = effects.create()
        self.emergency = effects.EmergencyStop(word)
        self.effects = segment.read_only(word)
        os.close(word)
        log = Log("supervisor", self.lines.append)
        self.supervisor = Supervisor(
            run_id=RUN_ID,
            router=self.router,
            flow=self.flow,
            lifecycle=Lifecycle(log),
            log=log,
            effects=self.effects,
            restarts=lambda: RestartPolicy(intensity=intensity, period=period, clock=time.monotonic, reset_seconds=0.0),
            recoveries=RecoveryPolicy(clock=time.monotonic, intensity=recoveries),
            on_death=self.deaths.append,
            well_seconds=lambda process: 0.0,
            zygote=self.zygote,
        )

    async def close(self) -> None:
        await self.supervisor.close()
        self.emergency.close()
        os.close(self.effects)

    async def start(self, entry: str, name: str = "worker-1", **given) -> WorkerProcess:
        slot = await self.supervisor.start(spec(entry, name, **given))
        return slot.process

    def logged(self, event: str) -> list[dict]:
        return [line.fields for line in self.lines if line.event == event]


def failing(process: WorkerProcess, message: object, error: Exception) -> None:
    raise error


async def nothing(process: WorkerProcess) -> None:
    pass


def spec(
    entry: str,
    name: str = "worker-1",
    *,
    cleanup_seconds: float = 5.0,
    from_template: bool = False,
    on_ready: Callable[[WorkerProcess], Awaitable[None]] = nothing,
    settings=SETTINGS,
    descriptors=None,
    vital: bool = True,
    overlaps: bool = True,
) -> SlotSpec:
    kind = Kind(
        name="odd",
        entry=entry if ":" in entry else f"odd_workers:{entry}",
        cleanup_seconds=cleanup_seconds,
        from_template=from_template,
        vital=vital,
        overlaps=overlaps,
    )
    return SlotSpec(name, kind, lambda: settings, lambda: descriptors or {}, on_ready)


@asynccontextmanager
async def supervised(**given) -> AsyncIterator[Supervised]:
    made = Supervised(**given)
    try:
        yield made
    finally:
        await made.close()


def run(work: Awaitable[None]) -> None:
    """Run a test; none of them takes long when all is well."""
    asyncio.run(asyncio.wait_for(work, 60))
