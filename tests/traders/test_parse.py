"""The first pass looks at a tree twice: quickly, and thoroughly only when there is something to refuse."""

import ast

import pytest

from tickfloor.traders.language.parse import Source, _find_fault, _is_plain

NESTED = [
    ("-", "close > 0", ""),
    ("abs(", "close", ")"),
    ("not ", "close > 0", ""),
    ("close + (", "close", ")"),
    ("close > 1 and ", "close > 1", ""),
    ("1 < ", "close", ""),
    ("", "close", "[1]"),
    ("abs(close, ", "a.b", ")"),
]


@pytest.mark.parametrize(("before", "inside", "after"), NESTED)
def test_the_quick_look_at_a_tree_passes_nothing_that_the_thorough_one_refuses(before, inside, after):
    passed = 0
    for depth in range(1, 260):
        source = Source(before * depth + inside + after * depth)
        try:
            tree = ast.parse(source.text, mode="eval").body
        except SyntaxError:  # such a rule comes to neither
            continue
        if _is_plain(tree):
            passed += 1
            _find_fault(source, tree)
    assert (passed > 20) == (inside != "a.b")
