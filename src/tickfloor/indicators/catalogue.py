"""The indicators by the name that rules use."""

from collections.abc import Callable

from tickfloor.indicators.atr import Atr
from tickfloor.indicators.change import Change
from tickfloor.indicators.ema import Ema
from tickfloor.indicators.highest import Highest
from tickfloor.indicators.lowest import Lowest
from tickfloor.indicators.protocol import Indicator
from tickfloor.indicators.rsi import Rsi
from tickfloor.indicators.sma import Sma

INDICATORS: dict[str, Callable[[int], Indicator]] = {
    "sma": Sma,
    "ema": Ema,
    "rsi": Rsi,
    "atr": Atr,
    "highest": Highest,
    "lowest": Lowest,
    "change": Change,
}
