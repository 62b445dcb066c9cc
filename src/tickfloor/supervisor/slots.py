"""A worker's place: what belongs in it, and who fills it now."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.states import SlotState
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.restarts import RestartPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all workers of a kind have in common.

    Attributes:
        name: for example ``trader``.
        entry: ``module:factory`` of the worker, imported in the worker only.
        cleanup_seconds: what its cleanup may take before it is forced.
        from_template: fork a process that has loaded the entry already, for quick replacement.
        vital: without it the floor cannot go on.
        overlaps: a successor may begin while its predecessor still works; false for the single writer of something.
    """

    name: str
    entry: str
    cleanup_seconds: float
    from_template: bool
    vital: bool
    overlaps: bool


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """What belongs in a slot.

    Attributes:
        name: for example ``trader-1``.
        settings, descriptors: give what an incarnation that is started now is handed.
        on_ready: tells each incarnation what it is to do, once it is ready.
    """

    name: str
    kind: Kind
    settings: Callable[[], WorkerSettings]
    descriptors: Callable[[], Mapping[str, int]]
    on_ready: Callable[[WorkerProcess], Awaitable[None]]


@dataclass(slots=True)
class Slot:
    """A slot and its present incarnation.

    Attributes:
        state: what the slot is doing, across incarnations.
        wanted: whether a death is followed by a restart; not before the first incarnation works.
        starting: its worker has not been told yet what it is to do.
        handing_over: a planned replacement is under way, and sees to it whoever dies meanwhile.
        replacements: planned ones so far.
        reason: why it is quarantined.
    """

    spec: SlotSpec
    restarts: RestartPolicy
    state: SlotState = SlotState.RUNNING
    wanted: bool = False
    starting: bool = False
    handing_over: bool = False
    incarnations: int = 0
    replacements: int = 0
    reason: str = ""
    process: WorkerProcess | None = None
