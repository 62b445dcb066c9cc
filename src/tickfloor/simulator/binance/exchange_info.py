"""Binance's ``exchangeInfo``, with the fields that clients look for."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tickfloor.simulator.binance.rules import BinanceRules
from tickfloor.simulator.instrument import SimulatedInstrument


def exchange_info(rules: BinanceRules, instruments: Sequence[SimulatedInstrument], time_ms: int) -> bytes:
    """Return the list of instruments and the limits."""
    symbols = [
        symbol_info(rules, each.base, each.quote, each.price_decimals, each.qty_decimals) for each in instruments
    ]
    return exchange_info_of(rules, symbols, time_ms)


def exchange_info_of(rules: BinanceRules, symbols: list[dict[str, Any]], time_ms: int) -> bytes:
    """Return the body around these symbols."""
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": rules.weight_per_minute}
    ]
    body = {"timezone": "UTC", "serverTime": time_ms, "rateLimits": limits, "exchangeFilters": [], "symbols": symbols}
    return msgspec.json.encode(body)


def symbol_info(
    rules: BinanceRules, base: str, quote: str, price_decimals: int, qty_decimals: int, symbol: str = ""
) -> dict[str, Any]:
    """Return one symbol's entry; its name is base and quote unless given."""
    tick, lot = _step(price_decimals, futures=rules.futures), _step(qty_decimals, futures=rules.futures)
    found: dict[str, Any] = {
        "symbol": symbol or base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.00000000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000000.00000000", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": "1.00000000", "notional": "1.00000000"},
        ],
    }
    if not rules.futures:
        return found | {
            "quoteAssetPrecision": 8, "icebergAllowed": True, "ocoAllowed": True, "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False, "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
        }  # fmt: skip
    return found | {
        "pair": base + quote, "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
        "contractStatus": "TRADING", "marginAsset": quote, "pricePrecision": price_decimals,
        "quantityPrecision": qty_decimals, "underlyingType": "COIN", "settlePlan": 0, "triggerProtect": "0.0500",
        "liquidationFee": "0.012500", "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }  # fmt: skip


def _step(decimals: int, *, futures: bool) -> str:
    return f"{10.0**-decimals:.{decimals if futures else 8}f}"
