"""Why there is no feed of a ccxt exchange."""

from collections.abc import Iterable
from difflib import get_close_matches

from tickfloor.contracts.errors import ConfigError

NEAR = 5


class CcxtMissingError(ConfigError):
    """ccxt is not installed."""

    def __init__(self, venue: str) -> None:
        super().__init__(f"{venue} needs ccxt, which is not installed: pip install tickfloor[ccxt]")


class UnknownExchangeError(ConfigError):
    """ccxt streams no exchange of that name.

    Attributes:
        near: names of its exchanges that come near it.
    """

    def __init__(self, venue: str, name: str, names: Iterable[str]) -> None:
        self.near = tuple(get_close_matches(name, tuple(names), n=NEAR))
        hint = f"near it are {', '.join(self.near)}" if self.near else "see ccxt's list of those with WebSockets"
        super().__init__(f"{venue}: ccxt has no exchange {name!r} that it can stream; {hint}")


class NotRecordableError(ConfigError):
    """Raw frames of a ccxt exchange were asked for."""

    def __init__(self, venue: str) -> None:
        super().__init__(
            f"{venue} cannot be recorded: ccxt opens its connections itself and shows no frame as it was received; "
            "record binance, kraken or coinbase venues, or leave it out"
        )
