"""A rule error as text: the message, the rule with a caret under the column, and what to write instead."""

from tickfloor.contracts.errors import RuleError

WIDTH = 100
"""Most characters of the rule that are shown around the error."""


def render(error: RuleError) -> str:
    """Return the error for a terminal or a log, several lines without a newline at the end."""
    line, caret = excerpt(error.text, error.column)
    lines = [f"column {error.column}: {error.message}", f"  {line}", f"  {caret}"]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def excerpt(text: str, column: int) -> tuple[str, str]:
    """Return the line of a rule around a column, safe for a terminal, and a caret for the line below it."""
    at = min(max(column - 1, 0), len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end].expandtabs(1)
    caret = at - start
    cut = max(0, caret - WIDTH * 2 // 3) if len(line) > WIDTH else 0
    before = "..." if cut else ""
    after = "..." if len(line) > cut + WIDTH else ""
    shown = "".join(character if character.isprintable() else "?" for character in line[cut : cut + WIDTH])
    return f"{before}{shown}{after}", " " * (len(before) + caret - cut) + "^"
