"""Reading a rules file: traders, and the named rules they share."""

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tickfloor.cli.rules_text import Place, RulesText
from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec, code_digest

if TYPE_CHECKING:
    from tickfloor.traders.language.templates import Expansion, TemplateError

_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_TABLES = ("trader", "rules")
_KEYS = {
    "name", "rule", "strategy", "symbols", "exclude", "quote", "when", "interval", "cooldown", "requires_live",
    "parameters",
}  # fmt: skip
_TEXTS = ("name", "rule", "strategy", "quote", "when", "interval", "cooldown")
_OF_RULES = ("when", "cooldown", "requires_live", "parameters")
"""Keys that say when a rule is decided and what it is; a strategy decides that itself."""

_STRATEGY = re.compile(r"(.+\.py):([^\W\d]\w*)")
ASSET = re.compile(r"[A-Za-z0-9]{1,20}")
_MAX_BYTES = 10 << 20


class RulesFile:
    """A rules file that has been read.

    Attributes:
        specs: its traders, in order.
        rules: its named rules, as they are written.
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
            text = raw.decode().replace("\r\n", "\n")
            tables = tomllib.loads(text)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{path}: {error}") from error
        unknown = next((key for key in tables if key not in _TABLES), None)
        if unknown is not None:
            raise ConfigError(
                f"{path}: unknown table {unknown!r}; a rules file holds [[trader]] tables, and named rules in [rules]"
            )
        traders = tables.get("trader", [])
        if not isinstance(traders, list) or not all(isinstance(trader, dict) for trader in traders):
            raise ConfigError(f"{path}: write [[trader]], with two brackets, for each trader")
        if not traders:
            raise ConfigError(f"{path}: holds no [[trader]]")
        self._text = RulesText(text)
        self.rules = self._named_rules(tables.get("rules", {}))
        self._expansions: dict[str, Expansion] = {}
        self.specs = tuple(self._spec_of(index, table) for index, table in enumerate(traders))
        seen: dict[str, int] = {}
        for index, spec in enumerate(self.specs):
            first = seen.setdefault(spec.name, index)
            if first != index:
                raise ConfigError(
                    f"{self._where(index)}: is named {spec.name!r}, as trader {first + 1} is; a name is unique"
                )

    def place_of(self, trader: str, column: int) -> Place:
        """Return where a column of a trader's rule text stands in the file.

        A strategy's texts stand in its own file: of it, this is where the rules file names it.
        """
        index = next(number for number, spec in enumerate(self.specs) if spec.name == trader)
        expansion = self._expansions.get(trader)
        if expansion is not None:
            origin = expansion.origin(column)
            return self._written(index, origin.name, origin.column)
        if self.specs[index].strategy:
            return self._text.in_trader(index, "strategy", 1)
        return self._text.in_trader(index, "rule", column)

    def _written(self, index: int, rule: str, column: int) -> Place:
        """Return the place of a column of a named rule, or of the trader's own if there is no name."""
        return self._text.in_rules(rule, column) if rule else self._text.in_trader(index, "rule", column)

    def _where(self, index: int) -> str:
        line = self._text.line_of(index)
        return f"{self.path}{'' if line is None else f':{line}'}: trader {index + 1}"

    def _named_rules(self, rules: object) -> dict[str, str]:
        if not isinstance(rules, dict):
            raise ConfigError(f'{self.path}: write [rules], with one bracket, and under it name = "rule"')
        if not rules:
            return {}
        from tickfloor.traders.language.templates import NAME, is_taken

        for name, rule in rules.items():
            place = self._text.in_rules(re.escape(name), 1)
            where = f"{self.path}:{place.line}: rule {name!r}"
            if NAME.fullmatch(name) is None:
                raise ConfigError(f"{where}: is named in small letters, digits and _")
            if is_taken(name):
                raise ConfigError(f"{where}: the rule language has that name already; take another")
            if not isinstance(rule, str) or not rule.strip():
                raise ConfigError(f"{where}: must be a text in quotes, not {rule!r}")
        return rules

    def _spec_of(self, index: int, table: dict[str, Any]) -> TraderSpec:
        where = self._where(index)
        spec = _spec_of(table, self.path.parent, where)
        parameters = table.get("parameters", {})
        if not isinstance(parameters, dict):
            raise ConfigError(f"{where} ({spec.name!r}): parameters must be a table, for example {{length = 14}}")
        if spec.strategy or not (parameters or self.rules or "{" in spec.rule):
            return spec
        from tickfloor.traders.language.templates import TemplateError, expand, is_value

        for name, value in parameters.items():
            if not is_value(value):
                raise ConfigError(
                    f"{where} ({spec.name!r}): parameter {name} must be a number or a short text, not {value!r}"
                )
        try:
            expansion = expand(spec.rule, self.rules, parameters)
        except TemplateError as error:
            raise ConfigError(self._refused(index, spec.name, error)) from error
        self._expansions[spec.name] = expansion
        return msgspec.structs.replace(spec, rule=expansion.text)

    def _refused(self, index: int, trader: str, error: "TemplateError") -> str:
        place = self._written(index, error.name, error.column)
        hint = f"; {error.hint}" if error.hint else ""
        return f"{self.path}:{place.line}:{place.column}: trader {index + 1} ({trader!r}): {error.message}{hint}"


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
    for key in _TEXTS:
        if key in table and not isinstance(table[key], str):
            raise ConfigError(f"{where}: {key} must be a text in quotes, not {table[key]!r}")
    name = table["name"]
    if not name.strip() or len(name) > 200:
        raise ConfigError(f"{where}: name must have between 1 and 200 characters")
    where = f"{where} ({name!r})"
    symbols = _globs(table, "symbols", ["*"], where)
    if not symbols:
        raise ConfigError(_wrong_globs("symbols", where))
    exclude = _globs(table, "exclude", [], where)
    quote = table.get("quote", "")
    if quote and ASSET.fullmatch(quote) is None:
        raise ConfigError(f'{where}: quote must be one asset, for example "USDT", not {quote!r}')
    interval = table.get("interval", "1m")
    if interval not in BY_LABEL:
        raise ConfigError(f"{where}: interval must be one of {', '.join(BY_LABEL)}, not {interval!r}")
    if "strategy" in table:
        strategy, digest = _strategy_of(table, folder, where)
        return TraderSpec(
            name=name,
            strategy=strategy,
            strategy_digest=digest,
            symbols=symbols,
            exclude=exclude,
            quote=quote,
            interval=interval,
        )
    when = table.get("when", "tick")
    if when not in ("tick", "close"):
        raise ConfigError(f'{where}: when must be "tick" or "close", not {when!r}')
    try:
        cooldown = parse_duration(table.get("cooldown", "0s"))
    except ValueError as error:
        raise ConfigError(f"{where}: cooldown: {error}") from error
    requires_live = table.get("requires_live", True)
    if not isinstance(requires_live, bool):
        raise ConfigError(f"{where}: requires_live must be true or false, not {requires_live!r}")
    return TraderSpec(
        name=name,
        rule=table["rule"],
        symbols=symbols,
        exclude=exclude,
        quote=quote,
        when=when,
        interval=interval,
        requires_live=requires_live,
        cooldown_ns=cooldown,
    )


def _globs(table: dict[str, Any], key: str, default: list[str], where: str) -> tuple[str, ...]:
    globs = table.get(key, default)
    if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
        raise ConfigError(_wrong_globs(key, where))
    return tuple(globs)


def _wrong_globs(key: str, where: str) -> str:
    return f'{where}: {key} must be a list of patterns, for example ["*USDT", "BTCEUR"]'


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
