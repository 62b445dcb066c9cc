"""The names of a market: ``BTC/USD`` on WebSocket v2, ``XBT/USD`` on v1, ``XBTUSD`` or ``XXBTZUSD`` in REST.

Ours is the v2 name. REST is asked by the alternative name, which is base and quote without a slash.
"""

from typing import Final

from tickfloor.feeds.errors import FrameError

MAX_SYMBOL: Final = 48
_NEW: Final = {"XBT": "BTC", "XDG": "DOGE"}
_OLD: Final = {new: old for old, new in _NEW.items()}
_QUOTES: Final = ("USDT", "USDC", "PYUSD", "USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "XBT", "BTC", "ETH", "DAI")
"""Assets that others are quoted in; only for REST names that do not say where the quote begins."""


def checked_symbol(symbol: str) -> str:
    """Return a symbol that can be one.

    Raises:
        FrameError: it is empty, too long, not printable, or names no quote.
    """
    base, slash, quote = symbol.partition("/")
    if not (base and slash and quote) or len(symbol) > MAX_SYMBOL or not symbol.isprintable() or " " in symbol:
        raise FrameError(f"{symbol[:MAX_SYMBOL]!r} is not a symbol")
    return symbol


def pair_of(symbol: str) -> str:
    """Return the name by which REST is asked for a symbol: ``XBTUSD`` for ``BTC/USD``."""
    base, _, quote = symbol.partition("/")
    return _OLD.get(base, base) + _OLD.get(quote, quote)


def is_name_of(name: str, symbol: str) -> bool:
    """Say whether REST may call a symbol so: ``XXBTZUSD``, ``XBTUSD`` or ``BTC/USD`` for ``BTC/USD``."""
    base, _, quote = symbol.partition("/")
    return name == symbol or name in {old + money for old in _assets(base) for money in _assets(quote)}


def symbol_of(name: str) -> str | None:
    """Return the symbol of any name of a market, or None where it cannot be told."""
    base, slash, quote = name.partition("/")
    if slash:
        return f"{_NEW.get(base, base)}/{_NEW.get(quote, quote)}"
    if len(name) == 8 and name[0] in "XZ" and name[4] in "XZ":
        # The oldest assets: X for a coin, Z for money, three letters each.
        return symbol_of(f"{name[1:4]}/{name[5:8]}")
    for quote in _QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return symbol_of(f"{name.removesuffix(quote)}/{quote}")
    return None


def _assets(name: str) -> tuple[str, ...]:
    """Return what an asset is called: the oldest ones have a letter for coin or money before them."""
    old = _OLD.get(name, name)
    return name, old, f"X{old}", f"Z{old}"
