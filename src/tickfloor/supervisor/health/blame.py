"""Which traders kill their workers or hang in them, and which of them are kept out."""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import StrEnum


class Harm(StrEnum):
    """What a trader did to its worker."""

    DIED = "died"
    HUNG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A trader that is kept out.

    Attributes:
        reason: for people.
        times: when it did harm, oldest first, as many as decided; seconds of the owner's clock.
    """

    name: str
    reason: str
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlameStatistics:
    """What the ledger holds.

    Attributes:
        blamed: harm ever done; suspects: traders with some, but not enough to be kept out.
        forgotten: suspects that newer ones have displaced.
        pardoned: quarantines that were lifted.
    """

    blamed: int
    suspects: int
    forgotten: int
    pardoned: int
    quarantined: tuple[Quarantine, ...]


class BlameLedger:
    """Who was running its own code when a worker died or hung. The second time within the limit quarantines it.

    Suspects are bounded by displacing the oldest. Who is quarantined is never displaced, only pardoned: the owner
    pardons traders that it removes, and so bounds these by the traders there are.
    """

    def __init__(self, *, strikes: int = 2, within: float = math.inf, most_suspects: int = 1000) -> None:
        """Begin with nobody blamed.

        Args:
            strikes: times that quarantine a trader.
            within: seconds in which they must lie.
            most_suspects: traders remembered that are not quarantined.
        """
        self._strikes = strikes
        self._within = within
        self._most_suspects = most_suspects
        self._suspects: OrderedDict[str, deque[tuple[float, Harm]]] = OrderedDict()
        self._quarantined: dict[str, Quarantine] = {}
        self._blamed = 0
        self._forgotten = 0
        self._pardoned = 0

    def blame(self, name: str, now: float, harm: Harm, worker: str) -> Quarantine | None:
        """Note what a trader did to a worker; return its quarantine if it is in one now, or was before."""
        self._blamed += 1
        if name in self._quarantined:
            return self._quarantined[name]
        strikes = self._suspects.setdefault(name, deque(maxlen=self._strikes))
        self._suspects.move_to_end(name)
        strikes.append((now, harm))
        if len(strikes) == self._strikes and now - strikes[0][0] <= self._within:
            del self._suspects[name]
            times = tuple(at for at, _ in strikes)
            kinds = " and ".join(kind for _, kind in strikes)
            reason = f"its worker {kinds} while its code ran, the last time {worker}; mend it, then pardon it"
            self._quarantined[name] = Quarantine(name=name, reason=reason, times=times)
            return self._quarantined[name]
        if len(self._suspects) > self._most_suspects:
            self._suspects.popitem(last=False)
            self._forgotten += 1
        return None

    def quarantine(self, name: str, now: float, reason: str) -> None:
        """Keep a trader out that cannot run at all."""
        self._suspects.pop(name, None)
        self._quarantined[name] = Quarantine(name=name, reason=reason, times=(now,))

    def is_quarantined(self, name: str) -> bool:
        """Say whether a trader is kept out."""
        return name in self._quarantined

    def quarantined(self) -> tuple[Quarantine, ...]:
        """Return who is kept out, in order of time."""
        return tuple(self._quarantined.values())

    def pardon(self, name: str) -> bool:
        """Forget what a trader did; return whether it was kept out."""
        self._suspects.pop(name, None)
        lifted = self._quarantined.pop(name, None) is not None
        self._pardoned += lifted
        return lifted

    def statistics(self) -> BlameStatistics:
        """Return what the ledger holds."""
        return BlameStatistics(
            blamed=self._blamed,
            suspects=len(self._suspects),
            forgotten=self._forgotten,
            pardoned=self._pardoned,
            quarantined=self.quarantined(),
        )
