"""States of a worker process, and the moves between them that exist."""

from enum import StrEnum

from tickfloor.contracts.errors import TickfloorError


class WorkerState(StrEnum):
    """One incarnation's life."""

    CREATED = "created"
    READY = "ready"
    DRAINING = "draining"
    CLEANING = "cleaning"
    TERMINATED = "terminated"
    FAILED = "failed"
    KILLED = "killed"


class SlotState(StrEnum):
    """What a worker's place is doing, across incarnations."""

    RUNNING = "running"
    REPLACING = "replacing"
    QUARANTINED = "quarantined"
    STOPPED = "stopped"


class Health(StrEnum):
    """What a worker's pongs say of it."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    STUCK = "stuck"


class IllegalTransitionError(TickfloorError):
    """A worker was moved to a state that does not follow its own."""


_DEATHS = frozenset({WorkerState.FAILED, WorkerState.KILLED})
_NEXT: dict[WorkerState, frozenset[WorkerState]] = {
    WorkerState.CREATED: _DEATHS | {WorkerState.READY, WorkerState.CLEANING},
    WorkerState.READY: _DEATHS | {WorkerState.DRAINING, WorkerState.CLEANING},
    WorkerState.DRAINING: _DEATHS | {WorkerState.CLEANING},
    WorkerState.CLEANING: _DEATHS | {WorkerState.TERMINATED},
    WorkerState.TERMINATED: frozenset(),
    WorkerState.FAILED: frozenset(),
    WorkerState.KILLED: frozenset(),
}


def move(current: WorkerState, following: WorkerState) -> WorkerState:
    """Return the state that follows.

    Raises:
        IllegalTransitionError: no such move exists.
    """
    if following not in _NEXT[current]:
        raise IllegalTransitionError(f"a worker that is {current} cannot become {following}")
    return following
