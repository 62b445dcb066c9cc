"""First pass: text to a bounded Python syntax tree that holds only what a rule may hold.

User text is never evaluated or compiled to code. What the language does not need is refused by character
first, so that the Python parser sees only plain ASCII expressions: then its byte offsets are character offsets.
"""

import ast
import re
import warnings

from tickfloor.contracts.errors import RuleError
from tickfloor.traders.language.meant import attribute_meant, meant, number_meant, number_with_letters, thousands_meant
from tickfloor.traders.language.vocabulary import MOST_CHARACTERS, MOST_DEPTH, MOST_NODES

_FOREIGN = re.compile(r"""[^A-Za-z0-9_\s.,()\[\]<>=!+\-*/%"']|[^\x09\x0a\x0d\x20-\x7e]""")
_TEXT = re.compile(r""""[^"\n]*"|'[^'\n]*'""")
_COMMA = re.compile(r"[\s)]*,")
_INSTEAD = {
    "&": "write `and`",
    "|": "write `or`",
    "^": "write `**` for a power",
    "#": "comments belong in the rules file, outside the rule",
    "{": "a parameter such as {length=14} is filled in where a rules file is read",
    "}": "a parameter such as {length=14} is filled in where a rules file is read",
    ";": "a rule is one expression",
    ":": "a rule is one expression, without statements, lambda or slices",
}

_STRUCTURE = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.Mod, ast.Pow, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.Subscript,
)  # fmt: skip

_OPERATORS = frozenset(_STRUCTURE).difference(
    (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Subscript)
)

_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Attribute: ("a rule has no attributes", "columns are plain names, for example volume_24h"),
    ast.IfExp: ("a rule has no if ... else", "join conditions with `and` and `or`"),
    ast.JoinedStr: ("a rule has no f-strings", ""),
    ast.ListComp: ("a rule has no comprehensions", ""),
    ast.GeneratorExp: ("a rule has no comprehensions", ""),
    ast.Tuple: ("a comma outside a function call", "join conditions with `and` or `or`"),
    ast.List: ("a rule has no lists", "history is written close[1]"),
    ast.UAdd: ("a plus sign with nothing before it", "leave it out"),
    ast.FloorDiv: ("`//` is not part of the rule language", "write `/`"),
    ast.Is: ("`is` is not part of the rule language", "write `==`"),
    ast.IsNot: ("`is not` is not part of the rule language", "write `!=`"),
    ast.In: ("`in` is not part of the rule language", "compare with `==` and join with `or`"),
    ast.NotIn: ("`not in` is not part of the rule language", "compare with `!=` and join with `and`"),
    ast.keyword: ("arguments are given by position", "for example sma(close, 20)"),
    ast.Starred: ("a rule has no starred arguments", ""),
}


class Source:
    """A rule's text and where its nodes stand in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = len(text) - len(text.lstrip())

    def column(self, node: ast.AST) -> int:
        """Return a node's place in the text, from 1."""
        return self.offset + int(getattr(node, "col_offset", 0)) + 1

    def error(self, message: str, column: int, hint: str = "") -> RuleError:
        """Return the error at a place in the text."""
        return RuleError(message, text=self.text, column=column, hint=hint)


def parse(text: str) -> tuple[Source, ast.expr]:
    """Return a rule's syntax tree: only whitelisted nodes, within the limits on length, depth and count.

    Raises:
        RuleError: naming the column where the text stops being a rule.
    """
    source = Source(text)
    _check_characters(source)
    tree = _read(source)
    _check_nodes(source, tree)
    return source, tree


def _check_characters(source: Source) -> None:
    text = source.text
    if len(text) > MOST_CHARACTERS:
        raise source.error(
            f"the rule has {len(text):,} characters; the most is {MOST_CHARACTERS:,}",
            MOST_CHARACTERS + 1,
            "split it into several traders",
        )
    if not text.strip():
        raise source.error("the rule is empty", 1, "write a condition, for example rsi(14) < 30")
    # A colon may stand in a text: in a time, or in an instrument's key.
    found = _FOREIGN.search(_TEXT.sub(lambda quoted: quoted.group().replace(":", "."), text))
    if found:
        character = text[found.start()]
        shown = f"`{character}`" if character.isprintable() else f"character {ord(character):#04x}"
        raise source.error(f"{shown} is not part of the rule language", found.start() + 1, _INSTEAD.get(character, ""))


def _read(source: Source) -> ast.expr:
    line = re.sub(r"\s", " ", source.text).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns about text like `1and 2`
            return ast.parse(line, mode="eval").body
    except SyntaxError as error:
        at_end = error.lineno != 1 or not error.offset
        offset = len(line) + 1 if at_end else min(error.offset or 1, len(line) + 1)
        message = error.msg.replace("Perhaps you forgot a comma?", "").strip().rstrip(".")
        number = number_with_letters(line, offset - 1) if "decimal literal" in message else None
        if number is not None:
            column = source.offset + number.start() + 1
            raise source.error(f"`{number[0]}` is no number", column, number_meant(number)) from None
        hint = meant(line, offset - 1, message)
        raise source.error(f"not a valid expression: {message}", source.offset + offset, hint) from None
    except (ValueError, RecursionError, MemoryError):
        raise source.error("the rule is nested too deeply", source.offset + 1, "split it") from None


def _check_nodes(source: Source, tree: ast.expr) -> None:
    """Refuse what a rule may not hold; the place is looked for only when there is something to refuse."""
    if not _is_plain(tree):
        _find_fault(source, tree)


def _is_plain(tree: ast.expr) -> bool:
    """Return whether all is certainly well; False may be a matter of one level of nesting."""
    level: list[ast.expr] = [tree]
    depth = count = 0
    while level:
        depth += 1
        count += len(level)
        # An operator lies a level deeper than what it joins.
        if depth >= MOST_DEPTH or count > MOST_NODES:
            return False
        inner: list[ast.expr] = []
        for node in level:
            if isinstance(node, ast.Constant | ast.Name):
                continue
            parts = _parts(node)
            if parts is None:
                return False
            inner += parts
        level = inner
    return True


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """Return the expressions within an expression, or None if it may not stand in a rule."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return [left, *comparators] if all(type(op) in _OPERATORS for op in ops) else None
        case ast.BoolOp(values=values):
            return values
        case ast.BinOp(left=left, op=op, right=right):
            return [left, right] if type(op) in _OPERATORS else None
        case ast.Call(func=function, args=arguments, keywords=[]):
            return [function, *arguments]
        case ast.UnaryOp(op=op, operand=operand):
            return [operand] if type(op) in _OPERATORS else None
        case ast.Subscript(value=value, slice=index):
            return [value, index]
        case _:
            return None


def _find_fault(source: Source, tree: ast.expr) -> None:
    waiting: list[tuple[ast.AST, int, int]] = [(tree, 1, source.column(tree))]
    count = 0
    while waiting:
        node, depth, column = waiting.pop()
        if not isinstance(node, _STRUCTURE):
            name = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
            message, hint = _REFUSED.get(type(node), (f"a rule has no {name}", ""))
            if isinstance(node, ast.Attribute):
                hint = attribute_meant(node) or hint
            elif isinstance(node, ast.Tuple) and node.elts:
                comma = _COMMA.match(source.text, source.offset + (node.elts[0].end_col_offset or 0))
                if comma is not None:  # `close[*open]` is one without
                    column = comma.end()
                    hint = thousands_meant(source.text, column - 1) or hint
            raise source.error(message, column, hint)
        if depth > MOST_DEPTH:
            raise source.error(f"the rule is nested more than {MOST_DEPTH} deep", column, "split it")
        if not isinstance(node, ast.operator | ast.cmpop | ast.boolop | ast.unaryop | ast.expr_context):
            count += 1
        if count > MOST_NODES:
            raise source.error(f"the rule has more than {MOST_NODES} parts", column, "split it into several traders")
        inner = [
            (child, depth + 1, source.column(child) if hasattr(child, "col_offset") else column)
            for child in ast.iter_child_nodes(node)
        ]
        waiting.extend(reversed(inner))
