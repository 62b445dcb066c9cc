"""The indicators by the name that rules use."""

from tickfloor.indicators.adx import Adx
from tickfloor.indicators.atr import Atr
from tickfloor.indicators.cci import Cci
from tickfloor.indicators.change import Change
from tickfloor.indicators.correlation import Correlation
from tickfloor.indicators.count import Count
from tickfloor.indicators.ema import Ema
from tickfloor.indicators.falls import Falls
from tickfloor.indicators.highest import Highest
from tickfloor.indicators.lowest import Lowest
from tickfloor.indicators.macd import Macd
from tickfloor.indicators.macd_histogram import MacdHistogram
from tickfloor.indicators.macd_signal import MacdSignal
from tickfloor.indicators.mfi import Mfi
from tickfloor.indicators.minus_di import MinusDi
from tickfloor.indicators.node_distance import NodeDistance
from tickfloor.indicators.obv import Obv
from tickfloor.indicators.percentile import Percentile
from tickfloor.indicators.plus_di import PlusDi
from tickfloor.indicators.poc import Poc
from tickfloor.indicators.protocol import Indicator
from tickfloor.indicators.rises import Rises
from tickfloor.indicators.roc import Roc
from tickfloor.indicators.rsi import Rsi
from tickfloor.indicators.session_vwap import SessionVwap
from tickfloor.indicators.since import Since
from tickfloor.indicators.slope import Slope
from tickfloor.indicators.sma import Sma
from tickfloor.indicators.stdev import Stdev
from tickfloor.indicators.stoch_d import StochD
from tickfloor.indicators.stoch_k import StochK
from tickfloor.indicators.supertrend import Supertrend
from tickfloor.indicators.value_area_high import ValueAreaHigh
from tickfloor.indicators.value_area_low import ValueAreaLow
from tickfloor.indicators.vwap import Vwap
from tickfloor.indicators.wma import Wma

INDICATORS: dict[str, type[Indicator]] = {
    "sma": Sma,
    "ema": Ema,
    "rsi": Rsi,
    "atr": Atr,
    "highest": Highest,
    "lowest": Lowest,
    "change": Change,
    "macd": Macd,
    "macd_signal": MacdSignal,
    "macd_histogram": MacdHistogram,
    "stdev": Stdev,
    "roc": Roc,
    "stoch_k": StochK,
    "stoch_d": StochD,
    "adx": Adx,
    "plus_di": PlusDi,
    "minus_di": MinusDi,
    "supertrend": Supertrend,
    "wma": Wma,
    "cci": Cci,
    "mfi": Mfi,
    "obv": Obv,
    "vwap": Vwap,
    "session_vwap": SessionVwap,
    "slope": Slope,
    "percentile": Percentile,
    "correlation": Correlation,
    "rises": Rises,
    "falls": Falls,
    "count": Count,
    "since": Since,
    "poc": Poc,
    "value_area_high": ValueAreaHigh,
    "value_area_low": ValueAreaLow,
    "node_distance": NodeDistance,
}
