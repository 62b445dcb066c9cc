"""The parameters of a Binance REST request, and its errors."""

from collections.abc import Mapping

import msgspec


class RequestError(Exception):
    """A request is refused, in Binance's words."""

    def __init__(self, code: int, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status
        self.body = msgspec.json.encode({"code": code, "msg": reason})


class Query:
    """Parameters as the endpoints read them; every reader raises RequestError for what Binance refuses."""

    def __init__(self, parameters: Mapping[str, str], headers: Mapping[str, str]) -> None:
        self._parameters = parameters
        self.api_key = headers.get("x-mbx-apikey", "")

    def has(self, name: str) -> bool:
        """Say whether a parameter was given."""
        return name in self._parameters

    def text(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self._parameters.get(name, "")
        if not value:
            raise RequestError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return value

    def number(self, name: str) -> int | None:
        """Return a whole number, or None where it was not given."""
        value = self._parameters.get(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit():
            raise RequestError(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are wanted; what is beyond the most is cut to it."""
        limit = self.number("limit")
        if limit == 0:
            raise RequestError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if limit is None else limit, most)

    def rough_limit(self, default: int) -> int:
        """Return the limit that decides the weight, whatever else is wrong with the request."""
        value = self._parameters.get("limit", "")
        return int(value) if value.isascii() and value.isdigit() else default
