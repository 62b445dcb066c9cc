"""The rule that a command is about: a text, or a trader of a rules file, and what options say of it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, fail
from tickfloor.cli.rules import read_rules, say_problems
from tickfloor.cli.rules_file import RulesFile, parse_duration
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
    file = None if options.rules is None else read_rules(options.rules)
    traders = () if file is None else _traders_of(file, rule)
    spec = next((trader for trader in traders if trader.name == rule), None)
    others = [trader for trader in traders if trader is not spec]
    chosen = spec is not None
    spec = _with_options(spec or TraderSpec(name="rule", rule=rule), options)
    try:
        spec = _checked(spec, {} if file is None else file.rules)
    except RuleError as error:
        from tickfloor.traders.language.errors import render

        besides = "" if chosen or file is None else f"\n{_no_trader(rule, traders, file)}"
        fail(f"the rule cannot run\n{render(error)}{besides}", ExitCode.INVALID)
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


def _traders_of(file: RulesFile, rule: str) -> Sequence[TraderSpec]:
    """Return the rules of a file, or end the command with what is wrong with them or with the one that is asked for."""
    from tickfloor.traders.check import check_traders

    if any(spec.strategy for spec in file.specs if spec.name == rule):
        fail(printable(f"trader {rule!r} is a strategy, which decides by itself; only rules can be asked about"))
    specs = [spec for spec in file.specs if not spec.strategy]
    problems = check_traders(specs).problems
    if problems:
        say_problems(file, problems)
        fail(printable(f"{file.path}: {len(problems)} of {counted(len(specs), 'rule')} cannot run"), ExitCode.INVALID)
    return specs


def _checked(spec: TraderSpec, rules: Mapping[str, str]) -> TraderSpec:
    """Return the trader with the named rules and the defaults of its parameters filled in.

    Raises:
        RuleError: its rule cannot run.
    """
    from tickfloor.traders.language.templates import expand
    from tickfloor.traders.plans import planned

    spec = replace(spec, rule=expand(spec.rule, rules, {}).text)
    planned(spec)
    return spec


def _no_trader(rule: str, traders: Sequence[TraderSpec], file: RulesFile) -> str:
    """Return that what is no rule is no trader's name either, and whose it may have been."""
    near = get_close_matches(rule, [*(trader.name for trader in traders), *file.rules], 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return printable(f"{file.path} has no trader of that name either{meant}")
