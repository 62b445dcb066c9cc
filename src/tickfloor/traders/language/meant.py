"""What may have been meant where text is no rule."""

import ast
import re

from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.traders.language.functions import FUNCTIONS

_WORDS = re.compile(r"\b(AND|OR|NOT|And|Or|Not)\b")
_OPERAND = r"(?!(?:and|or|not)\b)[A-Za-z_]\w*(?:\([^()]*\))?(?:\[\d+\])?|\d[\w.]*"
_CROSSES = re.compile(
    rf"(?:^|\b(?:and|or|not)\b|[(,])\s*({_OPERAND})\s+cross(?:es)?(?:\s+|_)(above|below|over|under)\s+({_OPERAND})"
    r"(?=\s*(?:$|[),]|(?:and|or)\b))"
)
"""Two whole sides; of a calculation it would take a part only."""

_WAYS = {"over": "above", "under": "below"}
_CROSSES_HINT = "write a crossing crosses_above(a, b) or crosses_below(a, b)"
_AT = (
    (re.compile(r"=[<>]"), "write `>=` or `<=`"),
    (re.compile(r"<>"), "write `!=`"),
    (re.compile(r"="), "write `==` to compare"),
    (re.compile(r"!(?!=)"), "write `not`"),
    (re.compile(r"if\b|then\b|when\b"), "a rule is the condition alone"),
    (re.compile(r"cross(es)?(\b|_(?!(above|below)\())"), _CROSSES_HINT),
    (re.compile(r"above\b|over\b"), "write `>`, or crosses_above(a, b)"),
    (re.compile(r"below\b|under\b"), "write `<`, or crosses_below(a, b)"),
    (re.compile(r"(and|or)\b|[<>=!*/%,)]"), "something is missing before this"),
    (re.compile(r"[A-Za-z_\"']"), "join conditions with `and` and `or`"),
)
"""By what stands where Python's parser gave up; the first that fits."""

_LETTERS = re.compile(r"(?<!\w)(\d[\d.]{0,30})([A-Za-z_]\w{0,30})(?!\w)")
_POWERS = {"k": 3, "K": 3, "M": 6, "mn": 6, "mio": 6, "b": 9, "B": 9, "bn": 9}
_SPANS = ("m", "h", "d", "w", "s", "min", "minutes", "hour", "hours", "day", "days")
_FIELD_OF = re.compile(r"[a-z_]\w*(?=\[\Z)")
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3}){1,10}(?![\w,])")
_NAMES = {"price": "write last for the price of the last trade, or close for the bar's"}
_MOST_SHOWN = 40
"""Characters of an expression that a hint repeats."""


def meant(line: str, at: int, message: str) -> str:
    """Return what to do about a parser's message for a place in a line, counted from 0; empty where that is unclear."""
    before, after = line[:at].rstrip(), line[at:]
    if "leading zeros" in message:
        return thousands_meant(line, at)
    if "never closed" in message or "does not match" in message or "unmatched" in message:
        return "every parenthesis and bracket is opened and closed once"
    if "string" in message:
        return "a text ends with the quote it began with, on the same line"
    crossing = next((found for found in _CROSSES.finditer(line) if found.start() <= at < found.end()), None)
    if crossing:
        way = _WAYS.get(crossing[2], crossing[2])
        return f"write crosses_{way}({crossing[1]}, {crossing[3]})"
    word = _WORDS.search(line)
    if word:
        return f"write `{word[0].lower()}` in small letters"
    if not after.strip():
        return "the rule ends too early" if before else ""
    number = re.match(r"[\d.]+", after)
    called = re.search(r"[A-Za-z_]\w*\Z", before)
    if number and called:
        return f"a function takes its numbers in parentheses, for example {called[0]}({number[0]})"
    if called and called[0] in ("cross", "crosses"):
        return _CROSSES_HINT
    return next((hint for pattern, hint in _AT if pattern.match(after)), "")


def number_with_letters(line: str, at: int) -> re.Match[str] | None:
    """Return the number around a place in a line, counted from 0, that goes on in letters."""
    return next((found for found in _LETTERS.finditer(line) if found.start() <= at < found.end()), None)


def number_meant(found: re.Match[str]) -> str:
    """Return what to write instead of a number that goes on in letters."""
    digits, letters = found.groups()
    before = found.string[: found.start()]
    if before.endswith("."):
        return "columns are plain names, for example volume_24h"
    if letters in _POWERS:
        return f"write {digits}e{_POWERS[letters]}"
    if letters in ("and", "or", "not"):
        return f"leave a space before `{letters}`"
    label = found[0].lower()
    if label in BY_LABEL:
        field = _FIELD_OF.search(before)
        instead = f'{field[0]}("{label}")' if field else f'"{label}"'
        return f"intervals stand in quotes: {instead}"
    if letters.lower() in _SPANS:
        return f"intervals stand in quotes and are {', '.join(BY_LABEL)}"
    return "for example 1500, 1.5 or 1.5e3"


def thousands_meant(text: str, at: int) -> str:
    """Return what to write instead of the number around a place, from 0, whose thousands are set apart by commas."""
    for found in _THOUSANDS.finditer(text):
        if found.start() <= at < found.end():
            return f"numbers have no thousands separators; write {found[0].replace(',', '')}"
    return ""


def name_meant(name: str) -> str:
    """Return what to write instead of a name that people know from elsewhere, or that is one of several here."""
    family = [each for each in FUNCTIONS if each.startswith(f"{name.lower()}_")]
    return _NAMES.get(name.lower()) or (f"there are {', '.join(family)}" if len(family) > 1 else "")


def attribute_meant(node: ast.Attribute) -> str:
    """Return the function that is what an attribute elsewhere is, with the same arguments."""
    called = node.value.func if isinstance(node.value, ast.Call) else node.value
    name = f"{called.id}_{node.attr}" if isinstance(called, ast.Name) else ""
    if name not in FUNCTIONS:
        return ""
    arguments = map(ast.unparse, node.value.args) if isinstance(node.value, ast.Call) else ()
    written = ", ".join(arguments)
    return f"write {name}({written})" if 0 < len(written) <= _MOST_SHOWN else f"write {name}"


def history_meant(node: ast.Subscript) -> str:
    """Return how the past of what is no bar field is asked for."""
    column = ast.unparse(node.value)
    if isinstance(node.value, ast.Subscript) or len(column) > _MOST_SHOWN:
        return "for example close[1]; for others use change, rising and crosses_above"
    given = node.slice.value if isinstance(node.slice, ast.Constant) else 1
    bars = given if type(given) is int and given > 0 else 1
    return f"write change({column}, {bars}), rising({column}, {bars}), or crosses_above"
