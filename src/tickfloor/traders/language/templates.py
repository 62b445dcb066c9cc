"""Named sub-rules and parameters: text that is filled in before a rule is parsed.

``{length=14}`` is a parameter with a default. A sub-rule stands for its text, in parentheses, wherever its name
does: ``oversold``, or ``oversold(length=7)`` to give it parameters. Nothing is evaluated, text only takes the place
of text, and every place in the result is known by where the user wrote it.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword

from tickfloor.contracts.errors import RuleError
from tickfloor.traders.language.arguments import nearest
from tickfloor.traders.language.functions import FUNCTIONS
from tickfloor.traders.language.vocabulary import BAR_FIELDS, MARKET_COLUMNS, MOST_CHARACTERS

Value = int | float | str
"""A parameter's value: a number, or a text such as an interval."""

MOST_NESTED = 10
"""Sub-rules within sub-rules."""
MOST_VALUE_CHARACTERS = 100

NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
_NUMBER = r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_TEXT = r'"[^"{}\n]*"|\'[^\'{}\n]*\''
_VALUE = rf"{_NUMBER}|{_TEXT}"
_PARAMETER = re.compile(rf"\{{\s*([a-z_]\w*)\s*(?:=\s*({_VALUE})\s*)?\}}")
_PIECE = re.compile(rf"(?P<text>{_TEXT})|(?P<word>[A-Za-z_]\w*)|(?P<brace>[{{}}])|(?P<number>\d[\w.]*)")
_OPENED = re.compile(r"\s*\((\s*\))?")
_GIVEN = re.compile(rf"\s*([a-z_]\w*)\s*=\s*(?:({_VALUE})|(?=\{{))")
_GLUED = re.compile(r"[\w.\"'{}]")
_NEXT = re.compile(r"\s*([,)])")


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a text that a user wrote: of a sub-rule, or of the rule itself, whose name is empty."""

    name: str
    column: int


@dataclass(slots=True)
class Expansion:
    """A rule with everything filled in.

    Attributes:
        text: what is parsed.
    """

    text: str = ""
    _starts: list[int] = field(default_factory=list)
    _origins: list[tuple[str, int, bool]] = field(default_factory=list)
    """per piece: whose text it is from, where it stands there, and whether it was copied letter by letter"""

    def origin(self, column: int) -> Origin:
        """Return where a column of the text, from 1, was written."""
        index = bisect_right(self._starts, column - 1) - 1
        if index < 0:
            return Origin("", column)
        name, at, copied = self._origins[index]
        return Origin(name, at + 1 + (column - 1 - self._starts[index] if copied else 0))

    def add(self, piece: str, name: str, at: int, *, copied: bool) -> None:
        """Add a piece that stands at ``at`` in the text of that name."""
        if piece:
            self._starts.append(len(self.text))
            self._origins.append((name, at, copied))
            self.text += piece


class TemplateError(RuleError):
    """A parameter or a sub-rule is not valid; ``name`` is the sub-rule whose text is shown, empty for the rule."""

    def __init__(self, message: str, *, text: str, column: int, name: str, hint: str = "") -> None:
        super().__init__(message, text=text, column=column, hint=hint)
        self.name = name


def expand(rule: str, rules: Mapping[str, str], parameters: Mapping[str, Value]) -> Expansion:
    """Return a rule with its sub-rules and parameters filled in.

    A parameter's value is the one given where the sub-rule is used, else the trader's, else the default.

    Raises:
        TemplateError: a parameter has no value, two defaults, or no place; a sub-rule uses itself; the text gets
            longer than a rule may be.
    """
    of_trader = {name: f'"{value}"' if isinstance(value, str) else repr(value) for name, value in parameters.items()}
    filling = _Filling(rules, of_trader)
    written = _Text("", rule)
    filling.fill(written, {}, ())
    for name in parameters:
        if name not in filling.taken:
            hint = nearest(name, filling.taken) or f"write {{{name}}} where its value goes"
            raise written.error(f"the rule has no parameter `{name}`", 0, hint)
    return filling.result


def is_taken(name: str) -> bool:
    """Return whether a name means something in the rule language already."""
    return iskeyword(name) or name in (*MARKET_COLUMNS, *BAR_FIELDS, *FUNCTIONS)


def is_value(value: object) -> bool:
    """Return whether a parameter can have this value."""
    if isinstance(value, str):
        return len(value) <= MOST_VALUE_CHARACTERS and re.fullmatch(r"[ !#-&(-\[\]-z|~]*", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that a user wrote, of the sub-rule of that name."""

    name: str
    text: str

    def error(self, message: str, at: int, hint: str = "") -> TemplateError:
        return TemplateError(message, text=self.text, column=at + 1, name=self.name, hint=hint)

    def parameter(self, at: int) -> re.Match[str]:
        """Return the parameter that begins at a place."""
        found = _PARAMETER.match(self.text, at)
        if found is None:
            raise self.error("this is no parameter", at, "for example {length}, {length=14} or {frame='15m'}")
        if _GLUED.search(self.text[max(0, at - 1) : at] + self.text[found.end() : found.end() + 1]):
            raise self.error("a parameter is a whole number or text", at, "a text brings its quotes with it")
        return found

    def defaults(self) -> dict[str, str]:
        """Return the defaults of its parameters; one that is written once counts for all places."""
        defaults: dict[str, str] = {}
        for found in _PARAMETER.finditer(self.text):
            if found[2] is not None and defaults.setdefault(found[1], found[2]) != found[2]:
                raise self.error(f"parameter `{found[1]}` has two defaults", found.start(), f"write {{{found[1]}}}")
        return defaults


class _Filling:
    def __init__(self, rules: Mapping[str, str], of_trader: Mapping[str, str]) -> None:
        self._rules = rules
        self._of_trader = of_trader
        self.result = Expansion()
        self.taken: set[str] = set()
        """parameters that stand somewhere in the rule or in what it uses"""

    def fill(self, written: _Text, given: Mapping[str, str], within: tuple[str, ...]) -> None:
        """Add a text with everything in it filled in."""
        text, at = written.text, 0
        if len(text) > MOST_CHARACTERS:
            raise written.error(f"a rule has at most {MOST_CHARACTERS:,} characters", MOST_CHARACTERS)
        values = {**written.defaults(), **self._of_trader, **given}
        while (found := _PIECE.search(text, at)) is not None:
            self._add(text[at : found.start()], written, at)
            at = found.end()
            if found["brace"]:
                parameter = written.parameter(found.start())
                self._add(self._value(written, parameter, values), written, found.start(), copied=False)
                at = parameter.end()
            elif found["word"] in self._rules:
                at = self._use(written, found, values, within)
            else:
                self._add(found[0], written, found.start())
        self._add(text[at:], written, at)

    def _value(self, written: _Text, parameter: re.Match[str], values: Mapping[str, str]) -> str:
        name = parameter[1]
        self.taken.add(name)
        if name not in values:
            hint = f"write a default, {{{name}=14}}, or set it in the trader's parameters"
            raise written.error(f"parameter `{name}` has no value", parameter.start(), hint)
        return values[name]

    def _add(self, piece: str, written: _Text, at: int, *, copied: bool = True) -> None:
        self.result.add(piece, written.name, at, copied=copied)
        if len(self.result.text) > MOST_CHARACTERS:
            message = f"the rule has more than {MOST_CHARACTERS:,} characters when everything is filled in"
            raise written.error(message, at, "split it into several traders")

    def _use(self, written: _Text, found: re.Match[str], values: Mapping[str, str], within: tuple[str, ...]) -> int:
        """Add a sub-rule and return where the text goes on."""
        name, start = found[0], found.start()
        if name in within:
            raise written.error(f"rule `{name}` uses itself", start, " > ".join((*within, name)))
        if len(within) == MOST_NESTED:
            raise written.error(f"rules are nested more than {MOST_NESTED} deep", start)
        used = _Text(name, self._rules[name])
        given, at = self._given(written, found.end(), values)
        own = {parameter[1] for parameter in _PARAMETER.finditer(used.text)}
        for each in given:
            if each not in own:
                raise written.error(f"rule `{name}` has no parameter `{each}`", start, nearest(each, own))
        # Left open by the sub-rule's own text, this parenthesis is its mistake.
        opened, opens_at = (used, 0) if _leaves_open(used.text) else (written, start)
        self._add("(", opened, opens_at, copied=False)
        self.fill(used, given, (*within, name))
        # A parser stops at this parenthesis only where the sub-rule's own text ends too early or closes too much.
        self._add(")", used, len(used.text.rstrip()), copied=False)
        return at

    def _given(self, written: _Text, at: int, values: Mapping[str, str]) -> tuple[dict[str, str], int]:
        """Return the parameters that are given where a sub-rule is used, and where the text goes on."""
        text, given = written.text, dict[str, str]()
        opened = _OPENED.match(text, at)
        if opened is None:
            return given, at
        at = opened.end()
        if opened[1]:
            return given, at
        while True:
            found = _GIVEN.match(text, at)
            if found is None or found[1] in given:
                hint = "for example oversold(length=7, level=25)"
                raise written.error("a rule's parameters are given by name, each once", at, hint)
            value, end = found[2], found.end()
            if value is None:
                parameter = written.parameter(end)
                value, end = self._value(written, parameter, values), parameter.end()
            given[found[1]] = value
            following = _NEXT.match(text, end)
            if following is None:
                raise written.error("a comma or a closing parenthesis is missing", end)
            at = following.end()
            if following[1] == ")":
                return given, at


def _leaves_open(text: str) -> bool:
    outside = re.sub(_TEXT, "", text)
    return outside.count("(") > outside.count(")")
