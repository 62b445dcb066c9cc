"""A supervisor in this process, with real workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tickfloor.contracts.messages import LogLine
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.router import Router
from tickfloor.supervisor.slots import Kind, SlotSpec
from tickfloor.supervisor.supervisor import Supervisor
from tickfloor.supervisor.zygote_client import ZygoteClient
from tickfloor.worker.log import Log

ENTRIES = Path(__file__).parent / "entries"
SETTINGS = LoggerSettings(level="debug", form="text", path="")
RUN_ID = 77


class Supervised:
    """The supervisor, what it logged, and what its workers said."""

    def __init__(self, *, intensity: int = 5, period: float = 60.0) -> None:
        self.lines: list[LogLine] = []
        self.said: list[tuple[str, object]] = []
        self.zygote = ZygoteClient(path=[str(ENTRIES)])
        router = Router()
        router.route = lambda process, message: self.said.append((process.slot, message))
        self.router = router
        self.supervisor = Supervisor(
            run_id=RUN_ID,
            router=router,
            log=Log("supervisor", self.lines.append),
            intensity=intensity,
            period=period,
            zygote=self.zygote,
        )

    async def start(self, entry: str, name: str = "worker-1", **given) -> WorkerProcess:
        slot = await self.supervisor.start(spec(entry, name, **given))
        return slot.process

    def logged(self, event: str) -> list[dict]:
        return [line.fields for line in self.lines if line.event == event]


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
) -> SlotSpec:
    kind = Kind(
        name="odd",
        entry=entry if ":" in entry else f"odd_workers:{entry}",
        cleanup_seconds=cleanup_seconds,
        from_template=from_template,
        vital=vital,
    )
    return SlotSpec(name, kind, settings, descriptors or {}, on_ready)


@asynccontextmanager
async def supervised(**given) -> AsyncIterator[Supervised]:
    made = Supervised(**given)
    try:
        yield made
    finally:
        await made.supervisor.close()


def run(work: Awaitable[None]) -> None:
    """Run a test; none of them takes long when all is well."""
    asyncio.run(asyncio.wait_for(work, 60))
