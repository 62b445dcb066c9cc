"""Every venue's face: over a seeded market, and over captures. A new face is one line here."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from tickfloor.simulator.binance.face import BinanceFace
from tickfloor.simulator.binance.recorded import RecordedBinance
from tickfloor.simulator.binance.rules import BINANCE, BINANCE_USDM, COINM
from tickfloor.simulator.coinbase.face import RecordedCoinbase
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.kraken.face import RecordedKraken
from tickfloor.simulator.playback import MakeFace
from tickfloor.simulator.seeded import SeededFace
from tickfloor.simulator.settings import SimulatorSettings

MakeSeeded = Callable[[SimulatorSettings, Conditions, int], SeededFace]

SEEDED: Final[Mapping[str, MakeSeeded]] = MappingProxyType(
    {rules.venue: partial(BinanceFace, rules) for rules in (BINANCE, BINANCE_USDM)}
)
"""By venue; takes settings, conditions and the market's beginning, ns UTC."""
CHECKSUMMED: Final[Mapping[str, str]] = MappingProxyType({"kraken": "book:*"})
"""By venue: the names of streams whose frames have a checksum."""
RECORDED: Final[Mapping[str, MakeFace]] = MappingProxyType(
    {rules.venue: partial(RecordedBinance, rules) for rules in (BINANCE, BINANCE_USDM, COINM)}
    | {"kraken": RecordedKraken, "coinbase": RecordedCoinbase}
)
