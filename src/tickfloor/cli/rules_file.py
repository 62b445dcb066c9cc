"""Reading a rules file, and finding the place in it that an error is about."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec, code_digest

_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_KEYS = {"name", "rule", "strategy", "symbols", "when", "interval", "cooldown"}
_OF_RULES = ("when", "cooldown")
"""Keys that say when a rule is decided; a strategy decides that itself."""

_STRATEGY = re.compile(r"(.+\.py):([^\W\d]\w*)")
_MAX_BYTES = 10 << 20
_TRADER = re.compile(r"\s*\[\[\s*trader\s*\]\]")
_TEXTS = {
    key: re.compile(rf"""[ \t]*(?:{key}|"{key}"|'{key}')[ \t]*=[ \t]*("{{3}}|'{{3}}|"|')""")
    for key in ("rule", "strategy")
}
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[ \t]*\n\s*|.)")
"""In a text in double quotes: one character, or, before a line's end, none."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, counted from 1."""

    line: int
    column: int


class RulesFile:
    """A rules file that has been read.

    Attributes:
        specs: its traders, in order.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            FileNotFoundError: there is none.
            ConfigError: it is not a rules file; the message names file, trader, key and what it must be.
        """
        self.path = path
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        if len(raw) > _MAX_BYTES:
            raise ConfigError(f"{path}: a rules file has at most {_MAX_BYTES >> 20} MiB")
        try:
            self._text = raw.decode().replace("\r\n", "\n")
            tables = tomllib.loads(self._text)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{path}: {error}") from error
        unknown = next((key for key in tables if key != "trader"), None)
        if unknown is not None:
            raise ConfigError(f"{path}: unknown table {unknown!r}; a rules file holds [[trader]] tables")
        traders = tables.get("trader", [])
        if not isinstance(traders, list) or not all(isinstance(trader, dict) for trader in traders):
            raise ConfigError(f"{path}: write [[trader]], with two brackets, for each trader")
        if not traders:
            raise ConfigError(f"{path}: holds no [[trader]]")
        # Only \n ends a line in TOML; str.splitlines knows more ends.
        self._lines = self._text.split("\n")
        self._headers = [number for number, line in enumerate(self._lines) if _TRADER.match(line)]
        self.specs = tuple(_spec_of(trader, path.parent, self._where(index)) for index, trader in enumerate(traders))
        seen: dict[str, int] = {}
        for index, spec in enumerate(self.specs):
            first = seen.setdefault(spec.name, index)
            if first != index:
                raise ConfigError(
                    f"{self._where(index)}: is named {spec.name!r}, as trader {first + 1} is; a name is unique"
                )

    def place_of(self, trader: str, column: int) -> Place:
        """Return where a column of a trader's rule text stands in the file; of a strategy, column 1 is its name."""
        index = next(number for number, spec in enumerate(self.specs) if spec.name == trader)
        if index >= len(self._headers):
            return Place(1, 1)
        begins = _TEXTS["strategy" if self.specs[index].strategy else "rule"]
        following = self._headers[index + 1 : index + 2]
        for number in range(self._headers[index], following[0] if following else len(self._lines)):
            found = begins.match(self._lines[number])
            if found is not None:
                start = sum(len(line) + 1 for line in self._lines[:number]) + found.end()
                return self._place_at(_offset_of(self._text, start, found[1], column - 1))
        return Place(self._headers[index] + 1, 1)

    def _place_at(self, offset: int) -> Place:
        before = self._text[:offset]
        return Place(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)

    def _where(self, index: int) -> str:
        line = f":{self._headers[index] + 1}" if index < len(self._headers) else ""
        return f"{self.path}{line}: trader {index + 1}"


def _offset_of(text: str, start: int, quotes: str, count: int) -> int:
    """Return where the character number ``count`` of a TOML text stands that begins at ``start``."""
    # A newline right after three opening quotes is not part of the text.
    offset = start + (len(quotes) == 3 and text[start : start + 1] == "\n")
    while True:
        escape = _ESCAPE.match(text, offset) if quotes[0] == '"' else None
        characters = 1 if escape is None or "\n" not in escape[0] else 0
        if count < characters:
            return offset
        count -= characters
        offset = offset + 1 if escape is None else escape.end()


def parse_duration(text: str) -> int:
    """Return nanoseconds of, for example, ``30s``, ``1.5h`` or ``250ms``.

    Raises:
        ValueError: it is not such a text.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write, for example, 30s, 5m or 1.5h")
    return round(float(found[1]) * _UNITS_NS[found[2]])


def _spec_of(table: dict[str, Any], folder: Path, where: str) -> TraderSpec:
    unknown = next((key for key in table if key not in _KEYS), None)
    if unknown is not None:
        raise ConfigError(f"{where}: unknown key {unknown!r}; there are {', '.join(sorted(_KEYS))}")
    if "name" not in table:
        raise ConfigError(f"{where}: has no name")
    if "rule" not in table and "strategy" not in table:
        raise ConfigError(f"{where}: has no rule and no strategy; write one of them")
    for key in ("name", "rule", "strategy", "when", "interval", "cooldown"):
        if key in table and not isinstance(table[key], str):
            raise ConfigError(f"{where}: {key} must be a text in quotes, not {table[key]!r}")
    name = table["name"]
    if not name.strip() or len(name) > 200:
        raise ConfigError(f"{where}: name must have between 1 and 200 characters")
    where = f"{where} ({name!r})"
    symbols = table.get("symbols", ["*"])
    if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise ConfigError(f'{where}: symbols must be a list of patterns, for example ["*USDT", "BTCEUR"]')
    interval = table.get("interval", "1m")
    if interval not in BY_LABEL:
        raise ConfigError(f"{where}: interval must be one of {', '.join(BY_LABEL)}, not {interval!r}")
    if "strategy" in table:
        strategy, digest = _strategy_of(table, folder, where)
        return TraderSpec(
            name=name, strategy=strategy, strategy_digest=digest, symbols=tuple(symbols), interval=interval
        )
    when = table.get("when", "tick")
    if when not in ("tick", "close"):
        raise ConfigError(f'{where}: when must be "tick" or "close", not {when!r}')
    try:
        cooldown = parse_duration(table.get("cooldown", "0s"))
    except ValueError as error:
        raise ConfigError(f"{where}: cooldown: {error}") from error
    return TraderSpec(
        name=name, rule=table["rule"], symbols=tuple(symbols), when=when, interval=interval, cooldown_ns=cooldown
    )


def _strategy_of(table: dict[str, Any], folder: Path, where: str) -> tuple[str, str]:
    """Return where a strategy's class is, by the file's absolute path, and the file's digest."""
    if "rule" in table:
        raise ConfigError(f"{where}: has a rule and a strategy; a trader has one of them")
    for key in _OF_RULES:
        if key in table:
            raise ConfigError(f"{where}: {key} is for rules; a strategy decides by itself when to signal")
    text = table["strategy"]
    found = _STRATEGY.fullmatch(text)
    if found is None:
        raise ConfigError(
            f'{where}: strategy must be a Python file and a class in it, for example "my.py:Momentum", not {text!r}'
        )
    path = (folder / found[1]).absolute()
    try:
        if not path.is_file():
            raise ConfigError(f"{where}: there is no strategy file {path}")
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: strategy file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{where}: strategy file {found[1]!r} is no file name: {error}") from error
    return f"{path}:{found[2]}", code_digest(source)
