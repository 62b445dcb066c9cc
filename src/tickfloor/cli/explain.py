"""``tickfloor rules explain``: how a rule is read, and what it costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tickfloor.cli.asked_rule import Options, asked_rule
from tickfloor.cli.output import counted, data
from tickfloor.cli.table import UNKNOWN, Cell, Column, printable, show_table
from tickfloor.contracts.intervals import BY_LABEL

if TYPE_CHECKING:
    from tickfloor.traders.explain import ColumnExplained, RuleExplained

_COLUMNS = (
    Column("column", gives_way=True),
    Column("bars"),
    Column("kind"),
    Column("known with", right=True),
    Column("ns", right=True),
    Column("shared with", gives_way=True),
)
_NAMED = 3
"""Names of traders that are shown of one column."""
_SPANS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))


def explain_rule(rule: str, options: Options, as_json: bool) -> None:
    """Show a rule as the engine has it."""
    from tickfloor.traders.explain import explained

    asked = asked_rule(rule, options)
    found = explained(asked.spec, asked.others)
    if as_json:
        data(msgspec.json.encode(found).decode())
    else:
        _show(found, None if options.rules is None else len(asked.others))


def _show(found: "RuleExplained", others: int | None) -> None:
    data(printable(f"condition   {found.condition}"))
    data(f"decided at  {', '.join(found.decided_by)}")
    data(f"known       {_known(found)}")
    for text in found.indexed:
        data(printable(f"indexed     {text}"))
    for text in found.compared:
        data(printable(f"evaluated   {text}"))
    data("")
    show_table(_COLUMNS, [_row(column, others) for column in found.columns])
    data("")
    computed = [column.nanoseconds for column in found.columns if column.nanoseconds is not None]
    data(f"{counted(len(computed), 'computed column')}: {sum(computed):,.0f} ns an update on this machine")
    if found.compared:
        what = counted(len(found.compared), "evaluated comparison")
        data(f"{what}: {found.nanoseconds:,.0f} ns when a column of theirs has changed")
    if others is not None:
        shared = [column for column in found.columns if column.shared_with and column.nanoseconds is not None]
        saved = sum(column.nanoseconds or 0.0 for column in shared)
        saves = f", which saves {saved:,.0f} ns" if shared else ""
        data(f"{counted(len(shared), 'computed column')} shared with other traders{saves}")


def _known(found: "RuleExplained") -> str:
    if not found.known_after_ms:
        return "as soon as its columns have a value"
    span_ms, unit = next(span for span in (*_SPANS, (1, "ms")) if found.known_after_ms >= span[0])
    last = max(found.columns, key=lambda column: (column.known_with or 0) * BY_LABEL[column.interval or "1m"].ms)
    spans = found.known_after_ms / span_ms
    span = f"{spans:,.0f} {unit}" if spans >= 100.0 else f"{spans:.3g} {unit}"
    return f"in all its parts after {counted(last.known_with or 0, f'{last.interval} bar')} ({span})"


def _row(column: "ColumnExplained", others: int | None) -> list[Cell | str]:
    return [
        column.text,
        column.interval or UNKNOWN,
        column.kind,
        UNKNOWN if column.known_with is None else counted(column.known_with, "bar"),
        UNKNOWN if column.nanoseconds is None else f"{column.nanoseconds:,.0f}",
        UNKNOWN if others is None else _names(column.shared_with),
    ]


def _names(traders: Sequence[str]) -> str:
    if len(traders) > _NAMED:
        return f"{', '.join(traders[:_NAMED])} and {len(traders) - _NAMED:,} more"
    return ", ".join(traders) or "nobody"
