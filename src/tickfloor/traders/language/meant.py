"""What may have been meant where text is no expression."""

import re

_WORDS = re.compile(r"\b(AND|OR|NOT|And|Or|Not)\b")
_AT = (
    (re.compile(r"=[<>]"), "write `>=` or `<=`"),
    (re.compile(r"<>"), "write `!=`"),
    (re.compile(r"="), "write `==` to compare"),
    (re.compile(r"!(?!=)"), "write `not`"),
    (re.compile(r"if\b|then\b|when\b"), "a rule is the condition alone"),
    (re.compile(r"above\b|over\b"), "write `>`, or crosses_above(a, b)"),
    (re.compile(r"below\b|under\b"), "write `<`, or crosses_below(a, b)"),
    (re.compile(r"crosses_(above|below)\b"), "a function comes first, for example crosses_above(ema(12), ema(26))"),
    (re.compile(r"(and|or)\b|[<>=!*/%,)]"), "something is missing before this"),
    (re.compile(r"[A-Za-z_\"']"), "join conditions with `and` and `or`"),
)
"""By what stands where Python's parser gave up; the first that fits."""


def meant(line: str, at: int, message: str) -> str:
    """Return what to do about a parser's message for a place in a line, counted from 0; empty where that is unclear."""
    before, after = line[:at].rstrip(), line[at:]
    if "never closed" in message or "does not match" in message or "unmatched" in message:
        return "every parenthesis and bracket is opened and closed once"
    if "string" in message:
        return "a text ends with the quote it began with, on the same line"
    word = _WORDS.search(line)
    if word:
        return f"write `{word[0].lower()}` in small letters"
    if not after.strip():
        return "the rule ends too early" if before else ""
    number = re.match(r"[\d.]+", after)
    called = re.search(r"[A-Za-z_]\w*\Z", before)
    if number and called:
        return f"a function takes its numbers in parentheses, for example {called[0]}({number[0]})"
    return next((hint for pattern, hint in _AT if pattern.match(after)), "")
