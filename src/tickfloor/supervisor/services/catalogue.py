"""Every instrument of this floor, in the order in which it was first seen."""

from tickfloor.contracts.events import AssignInstrument, InstrumentAssigned
from tickfloor.contracts.instruments import Instrument
from tickfloor.supervisor.process import WorkerProcess


class Catalogue:
    """Append-only: an instrument keeps its id for as long as the floor lives."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Instrument] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def instruments(self) -> tuple[Instrument, ...]:
        """Return every instrument, by id."""
        return tuple(self._by_key.values())

    def assign(self, venue: str, symbol: str) -> Instrument:
        """Return the instrument, new or known."""
        found = self._by_key.get((venue, symbol))
        if found is None:
            found = self._by_key[venue, symbol] = Instrument(len(self._by_key), venue, symbol)
        return found

    def answer(self, process: WorkerProcess, message: AssignInstrument) -> None:
        """Answer a feed that has met a symbol."""
        process.send(InstrumentAssigned(instrument=self.assign(message.venue, message.symbol)))
