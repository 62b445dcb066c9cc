"""The text of a rules file, and where in it a rule's characters stand."""

import re
from dataclasses import dataclass

_TRADER = re.compile(r"\s*\[\[\s*trader\s*\]\]")
_RULES = re.compile(r"\s*\[\s*rules\s*\]")
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[ \t]*\n\s*|.)")
"""In a text in double quotes: one character, or, before a line's end, none."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, counted from 1."""

    line: int
    column: int


class RulesText:
    """A rules file's text, and its lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Only \n ends a line in TOML; str.splitlines knows more ends.
        self._lines = text.split("\n")
        self._traders = [number for number, line in enumerate(self._lines) if _TRADER.match(line)]
        self._rules = next((number for number, line in enumerate(self._lines) if _RULES.match(line)), None)

    def line_of(self, index: int) -> int | None:
        """Return the line of a trader's header; None if it is written without one."""
        return self._traders[index] + 1 if index < len(self._traders) else None

    def in_trader(self, index: int, key: str, column: int) -> Place:
        """Return where a column of a trader's text stands."""
        return self._in(self._traders[index] if index < len(self._traders) else None, key, column)

    def in_rules(self, name: str, column: int) -> Place:
        """Return where a column of a named rule's text stands."""
        return self._in(self._rules, name, column)

    def _in(self, header: int | None, key: str, column: int) -> Place:
        """Return the place in a table that begins at a header; the header's where the key is not found."""
        if header is None:
            return Place(1, 1)
        begins = re.compile(rf"""[ \t]*(?:{key}|"{key}"|'{key}')[ \t]*=[ \t]*("{{3}}|'{{3}}|"|')""")
        for number in range(header + 1, len(self._lines)):
            line = self._lines[number]
            found = begins.match(line)
            if found is not None:
                start = sum(len(before) + 1 for before in self._lines[:number]) + found.end()
                return self._at(_offset_of(self._text, start, found[1], column - 1))
            if _TRADER.match(line) or _RULES.match(line):
                break
        return Place(header + 1, 1)

    def _at(self, offset: int) -> Place:
        before = self._text[:offset]
        return Place(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


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
