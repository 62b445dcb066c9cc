"""The rule that a command is about: a text, or a trader of a rules file, and what options say of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from msgspec.structs import replace

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, fail
from tickfloor.cli.rules import read_rules, say_problems
from tickfloor.cli.rules_file import parse_duration
from tickfloor.cli.table import printable
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec


class Options(NamedTuple):
    """What the options say; None where they say nothing."""

    rules: Path | None
    when: str | None
    interval: str | None
    cooldown: str | None = None


class AskedRule(NamedTuple):
    """A rule that can run.

    Attributes:
        spec: the trader; of a mere text, with the defaults of traders.
        others: the other rules of the file.
        chosen_when, chosen_interval: whether the user has said this.
    """

    spec: TraderSpec
    others: Sequence[TraderSpec]
    chosen_when: bool
    chosen_interval: bool

    def on(self, *, when: str, interval: str) -> TraderSpec:
        """Return the trader, decided as the data can be where the user has not said how."""
        spec = self.spec
        if not self.chosen_when:
            spec = replace(spec, when="close" if when == "close" else "tick")
        return spec if self.chosen_interval else replace(spec, interval=interval)


def asked_rule(rule: str, options: Options) -> AskedRule:
    """Return the rule, or end the command with what is wrong with it."""
    if options.interval is not None and options.interval not in BY_LABEL:
        fail(f"--interval must be one of {', '.join(BY_LABEL)}, not {options.interval!r}", ExitCode.USAGE)
    traders = () if options.rules is None else _traders_of(options.rules)
    spec = next((trader for trader in traders if trader.name == rule), None)
    others = [trader for trader in traders if trader is not spec]
    chosen = spec is not None
    spec = _with_options(spec or TraderSpec(name="rule", rule=_expanded(rule)), options)
    _check(spec)
    return AskedRule(spec, others, chosen or options.when is not None, chosen or options.interval is not None)


def _with_options(spec: TraderSpec, options: Options) -> TraderSpec:
    if options.when is not None:
        spec = replace(spec, when="close" if options.when == "close" else "tick")
    if options.interval is not None:
        spec = replace(spec, interval=options.interval)
    if options.cooldown is not None:
        try:
            spec = replace(spec, cooldown_ns=parse_duration(options.cooldown))
        except ValueError as error:
            fail(f"--cooldown: {error}", ExitCode.USAGE)
    return spec


def _traders_of(rules: Path) -> Sequence[TraderSpec]:
    """Return the rules of a file, or end the command with what is wrong with them."""
    from tickfloor.traders.check import check_traders

    file = read_rules(rules)
    specs = [spec for spec in file.specs if not spec.strategy]
    problems = check_traders(specs).problems
    if problems:
        say_problems(file, problems)
        fail(printable(f"{rules}: {len(problems)} of {counted(len(specs), 'rule')} cannot run"), ExitCode.INVALID)
    return specs


def _expanded(rule: str) -> str:
    """Return a rule with the defaults of its parameters."""
    from tickfloor.traders.language.templates import expand

    try:
        return expand(rule, {}, {}).text
    except RuleError as error:
        _refuse(error)


def _check(spec: TraderSpec) -> None:
    from tickfloor.traders.plans import planned

    try:
        planned(spec)
    except RuleError as error:
        _refuse(error)


def _refuse(error: RuleError) -> NoReturn:
    from tickfloor.traders.language.errors import render

    fail(f"the rule cannot run\n{render(error)}", ExitCode.INVALID)
