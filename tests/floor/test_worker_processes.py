"""What the real workers of a floor are made of, each looked at in its own process."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.floor.playing import config_for, plan_for, working
from tickfloor.contracts.commands import Inspect
from tickfloor.contracts.settings import ConsoleSettings
from tickfloor.floor import Floor
from tickfloor.kinds import CONSOLE, FEED, LOGGER, STORAGE

SLOTS = {"feed": FEED, "trader": "trader-1", "storage": STORAGE, "logger": LOGGER, "console": CONSOLE}

EVERYBODY = {"tickfloor", "tickfloor.contracts", "tickfloor.worker", "tickfloor.board"}
"""Packages of ours that any worker may have; the rest are a worker's own."""

OWN = {
    "feed": {"tickfloor.feeds", "tickfloor.market"},
    "trader": {"tickfloor.traders", "tickfloor.indicators", "tickfloor.market"},
    "storage": {"tickfloor.storage"},
    "logger": {"tickfloor.logs"},
    "console": {"tickfloor.displays"},
}

LIBRARIES = {
    "feed": {"msgspec", "atomicshm"},
    "trader": {"msgspec", "atomicshm", "numpy"},
    "storage": {"msgspec", "sqlalchemy", "sqlite3"},
    "logger": {"msgspec", "structlog", "rich"},
    "console": {"msgspec", "atomicshm", "rich"},
}

PARENTS = {"pytest", "_pytest", "pluggy", "hypothesis", "typer", "click", "asyncio", "subprocess"}
"""What only this test's process and the supervisor have."""

IN_SUPERVISOR = {
    "tickfloor.supervisor",
    *(f"tickfloor.supervisor.{module}" for module in ("zygote", "template", "forking", "requests")),
}
"""The zygote and its templates are modules of the supervisor's package; the supervisor itself is not to be there."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, small_capture, many_rules):
    folder = tmp_path_factory.mktemp("loaded")
    plan = plan_for([small_capture], many_rules, speed=1.0)
    plan = type(plan)(
        **{name: getattr(plan, name) for name in plan.__slots__ if name != "console"},
        console=ConsoleSettings(view="floor", live=False, stream="stderr"),
    )

    async def look():
        floor = Floor(config_for(folder), plan)
        try:
            await floor.start()
            found = {}
            for kind, slot in SLOTS.items():
                process = await working(floor, slot)
                inspected = await process.command(Inspect())
                assert os.getpgid(process.pid) == process.pid
                found[kind] = set(inspected.modules)
            return found
        finally:
            await floor.stop(20.0)

    return asyncio.run(asyncio.wait_for(look(), 60))


def packages(modules, prefix="tickfloor"):
    """Return the packages of ours, two names deep, that modules belong to."""
    return {".".join(name.split(".")[:2]) for name in modules if name.split(".")[0] == prefix}


@pytest.mark.parametrize("kind", SLOTS)
def test_a_worker_holds_nothing_of_its_parent(loaded, kind):
    assert not {name for name in loaded[kind] if name.split(".")[0] in PARENTS - LIBRARIES[kind] - needs(kind)}
    assert not any(name.startswith("tests") for name in loaded[kind])
    assert {name for name in loaded[kind] if name.startswith("tickfloor.supervisor")} <= IN_SUPERVISOR
    assert not loaded[kind] & {"tickfloor.floor", "tickfloor.config", "tickfloor.cli"}


def needs(kind: str) -> set[str]:
    """Return what a worker's libraries load of what the supervisor has, too."""
    return {
        # SQLAlchemy's concurrency helpers and structlog's context use asyncio; rich and structlog may use subprocess.
        "storage": {"asyncio", "subprocess"},
        "logger": {"asyncio", "subprocess"},
        "console": {"asyncio", "subprocess"},
    }.get(kind, set())


@pytest.mark.parametrize("kind", SLOTS)
def test_a_worker_holds_its_own_packages_and_nobody_else_s(loaded, kind):
    allowed = EVERYBODY | OWN[kind] | {"tickfloor.supervisor"}
    assert packages(loaded[kind]) <= allowed
    assert OWN[kind] <= packages(loaded[kind])


@pytest.mark.parametrize("kind", SLOTS)
def test_a_worker_holds_no_other_s_library(loaded, kind):
    heavy = {"sqlalchemy", "rich", "structlog", "numpy", "sqlite3", "typer", "click"}
    assert {name.split(".")[0] for name in loaded[kind]} & heavy <= LIBRARIES[kind]


def test_the_storage_and_logger_workers_touch_no_shared_memory(loaded):
    for kind in ("storage", "logger"):
        assert not loaded[kind] & {
            "tickfloor.board.tape_reader",
            "tickfloor.board.board_reader",
            "tickfloor.board.fences",
        }


def test_only_the_feed_can_write_the_board_and_the_tape(loaded):
    for kind in set(SLOTS) - {"feed"}:
        assert not loaded[kind] & {"tickfloor.board.tape_writer", "tickfloor.board.board_writer"}


def test_the_supervisor_s_side_loads_no_domain_code():
    program = "import sys, tickfloor.floor; print(*sys.modules)"
    found = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split())
    assert "tickfloor.floor" in found
    domains = set().union(*OWN.values())
    assert not packages(found) & domains
    assert not {name.split(".")[0] for name in found} & {"sqlalchemy", "rich", "structlog", "numpy", "typer", "sqlite3"}
