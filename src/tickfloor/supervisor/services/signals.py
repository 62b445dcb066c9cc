"""Signals on their way from a trader to the database: said again until they are stored."""

from collections import OrderedDict, deque
from collections.abc import Callable

from tickfloor.contracts.events import SignalsAccepted, SignalsRaised, SignalsStored, StoreSignals
from tickfloor.contracts.signals import Signal
from tickfloor.supervisor.process import WorkerProcess

_BATCH = 500
_RECENT = 50


class SignalService:
    """The supervisor's half of the path. What a trader raised is held here until storage has it.

    Memory is bounded by the traders: each stops reading its tape while too many of its signals are unstored.

    Attributes:
        raised: distinct signals seen that were not yet waiting; stored: confirmed by storage.
        recent: the newest signals, for consoles.
    """

    def __init__(
        self, storage: Callable[[], WorkerProcess | None], trader: Callable[[str], WorkerProcess | None]
    ) -> None:
        self._storage = storage
        self._trader = trader
        self._waiting: OrderedDict[str, tuple[list[str], Signal]] = OrderedDict()
        self.raised = 0
        self.stored = 0
        self.recent: deque[Signal] = deque(maxlen=_RECENT)

    @property
    def waiting(self) -> int:
        """Signals that are not stored yet."""
        return len(self._waiting)

    def on_raised(self, process: WorkerProcess, message: SignalsRaised) -> None:
        """Hold new signals and pass them on; one that waits already is held once."""
        fresh = []
        for signal in message.signals:
            known = self._waiting.get(signal.id)
            if known is None:
                self._waiting[signal.id] = ([process.slot], signal)
                self.raised += 1
                self.recent.append(signal)
                fresh.append(signal)
            elif process.slot not in known[0]:
                # Its trader has moved to another worker, which holds it too until it hears that it is stored.
                known[0].append(process.slot)
        storage = self._storage()
        if storage is not None and fresh:
            self._pass_on(storage, fresh)

    def on_stored(self, process: WorkerProcess, message: SignalsStored) -> None:
        """Let go of what is in the database and tell the traders who raised it."""
        del process
        by_slot: dict[str, list[str]] = {}
        for identity in message.ids:
            found = self._waiting.pop(identity, None)
            if found is not None:
                self.stored += 1
                for slot in found[0]:
                    by_slot.setdefault(slot, []).append(identity)
        for slot, ids in by_slot.items():
            trader = self._trader(slot)
            if trader is not None:
                trader.send(SignalsAccepted(ids=tuple(ids)))

    def storage_ready(self, storage: WorkerProcess) -> None:
        """Say everything that waits to a storage worker that has just started."""
        self._pass_on(storage, [signal for _, signal in self._waiting.values()])

    def _pass_on(self, storage: WorkerProcess, signals: list[Signal]) -> None:
        for start in range(0, len(signals), _BATCH):
            storage.send(StoreSignals(signals=tuple(signals[start : start + _BATCH])))
