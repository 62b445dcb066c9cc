"""Rules that nobody would write, for hours: as text for the language, and as traders for engines.

Every round has a seed of its own and does three things. Hundreds of texts, random, put together from the language's
words, or made from good rules by breaking them, are given to the language: each is a rule, or an error with its
column, and nothing is run or imported for it. Random rules then run over a random tape, record by record, beside the
slow reference. Last, an engine that is disturbed in every allowed way gives the signals of one that is not: records
in any batches, checkpoints restored in the middle, its traders spread over two, strangers coming and going.

The reference and the writers of random rules and tapes are those of the tests. Round N of a run with seed S is the
first of a run with seed S + N.
"""

import argparse
import importlib
import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.records import RECORD
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.language.errors import render
from tickfloor.traders.language.plan import Plan, plan

# The tests are not typed.
REFERENCE: Any = importlib.import_module("tests.traders.reference")
STREAMS: Any = importlib.import_module("tests.traders.streams")
TAPES: Any = importlib.import_module("tests.traders.tapes")

ROOT: Final = Path(__file__).parents[1]
GOOD_RULES: Final[list[str]] = [
    each["rule"] for each in json.loads((ROOT / "tests/cases/rules.json").read_text())["valid"]
]
WORDS: Final = (
    *sorted({word for rule in GOOD_RULES for word in re.split(r"\s+|([(),\[\]])", rule) if word}),
    "{", "}", "if", "else", "for", "in", "lambda", "await", "yield", ":=", "*", "**", "None", "True", "__class__",
    "__import__('os')", "f'{close}'", "b''", "...", "1e400", "-1", "0x10", "1_0", "1j", "''", "\\", "\n", "\t", ";",
    "#", "\x00", "\ud800", "\u202e", "\uff41", "\u20ac", "9" * 400, "(" * 60, "not " * 60, "[1]" * 60, "-" * 60,
)  # fmt: skip

NEAR_COLUMNS: Final = (
    "close", "last", "high", "low", "open", 'close("5m")', "close[1]", 'high("5m")', "highest(close, 2)",
    "lowest(low, 3)", "sma(close, 1)", "sma(close, 2)", "ema(close, 1)", "mid", "bid",
)  # fmt: skip
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")

TEXTS: Final = 300
LONGEST_WORDS: Final = 40
RULES, RECORDS = 14, 160
PACES_MS: Final = (20_000, 90_000, 240_000)
SLOW_SECONDS: Final = 0.25
MOST_FAILURES: Final = 10
PROGRESS_SECONDS: Final = 10.0

RULE, ERROR, SLOW, BROKEN, RAN = (
    "text is a rule", "text is refused", "took long", "broke the language", "text was run",
)  # fmt: skip
SAME, SIGNALS, DIFFERS, DISTURBED, MOVED = (
    "record as reference", "signal", "differs from reference", "undisturbed", "disturbed differs",
)  # fmt: skip

OUTCOMES: Final = (
    Outcome(RULE, Verdict.ACCEPTABLE, "and what a signal shows of it can be written in a rule again"),
    Outcome(ERROR, Verdict.ACCEPTABLE, "by an error that names its column"),
    Outcome(SLOW, Verdict.INTERESTING, f"more than {SLOW_SECONDS} s for a text"),
    Outcome(BROKEN, Verdict.FORBIDDEN, "anything but a rule or a rule error"),
    Outcome(RAN, Verdict.FORBIDDEN, "code that did not come from a file was run while a text was read"),
    Outcome(SAME, Verdict.ACCEPTABLE, "an engine's signals of a record are those of the slow reference"),
    Outcome(SIGNALS, Verdict.ACCEPTABLE, "in all those records"),
    Outcome(DIFFERS, Verdict.FORBIDDEN, "they are not, or one of the two failed"),
    Outcome(DISTURBED, Verdict.ACCEPTABLE, "a tape through a disturbed engine, with the same signals"),
    Outcome(MOVED, Verdict.FORBIDDEN, "with others, or it failed"),
)


STRANGER: Final = "stranger"

Working = tuple[Engine, list[TraderSpec]]
"""An engine and those of its traders whose signals count."""


class Watch:
    """Sees code that is run while it looks."""

    def __init__(self) -> None:
        self.looks = False
        self.seen = 0
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.looks and event == "exec":
            name = getattr(arguments[0], "co_filename", "<unknown>")
            self.seen += name.startswith("<") and not name.startswith("<frozen")


# --- texts


def texts(random: Random) -> Iterator[str]:
    """Yield the texts of a round."""
    for _ in range(TEXTS):
        kind = random.random()
        if kind < 0.1:
            yield "".join(
                chr(random.choice((random.randrange(128), random.randrange(0x11_0000))))
                for _ in range(random.randrange(80))
            )
        elif kind < 0.4:
            between = random.choice(("", " "))
            yield between.join(random.choice(WORDS) for _ in range(random.randrange(LONGEST_WORDS)))
        elif kind < 0.6:
            yield STREAMS.specs(random.getrandbits(32), 1)[0].rule
        else:
            yield broken(random, random.choice(GOOD_RULES))


def broken(random: Random, text: str) -> str:
    """Return a rule with a few things done to it, most of which make it none."""
    for _ in range(random.choice((1, 1, 2, 5))):
        start, end = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
        match random.randrange(7):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + random.choice(WORDS) + text[start:]
            case 2:
                text = text[:end] + text[start:]
            case 3:
                text = f"({text}) {random.choice(('and', 'or', '+', '<'))} ({random.choice(GOOD_RULES)})"
            case 4:
                text = random.choice(("not ", "-", "(", "abs(")) * random.randrange(1, 120) + text
            case 5:
                text = text[:start] + random.choice("()[]{},.<>=!+-*/%\"' 0123456789\n\x00é") + text[end:]
            case _:
                text = " and ".join([text] * random.choice((2, 10, 100)))
    return text


def read(text: str, random: Random) -> Plan:
    """Return the plan of a text with random other settings; it is decided alike a second time."""
    spec = TraderSpec(name="t", rule=text, when=random.choice(("tick", "close")), interval=random.choice(("1m", "1h")))
    planned = plan(spec)
    if repr(plan(spec)) != repr(planned):  # not by ==: an unknown constant equals nothing
        raise AssertionError(f"planned twice, and not the same: {text!r}")
    for shown, node in planned.shown:
        again = plan(TraderSpec(name="t", rule=f"{shown} > 0 and trades > 0", when=spec.when, interval=spec.interval))
        if again.shown[0] != (shown, node):
            raise AssertionError(f"{shown!r} is another column when it is written in a rule")
    return planned


def read_texts(random: Random, tally: Tally, watch: Watch) -> None:
    """Give texts to the language."""
    for text in texts(random):
        began = time.perf_counter()
        seen = watch.seen
        watch.looks = True
        try:
            read(text, random)
            tally.add(0, RULE)
        except RuleError as error:
            watch.looks = False
            if not 1 <= error.column <= len(text) + 1 or not render(error):
                raise AssertionError(f"column {error.column} of {text!r}") from error
            tally.add(0, ERROR)
        except Exception as error:
            error.add_note(f"the text: {text!r}")
            raise
        finally:
            watch.looks = False
        tally.add(0, SLOW, int(time.perf_counter() - began > SLOW_SECONDS))
        tally.add(0, RAN, watch.seen - seen)


# --- engines


def traders(random: Random, count: int) -> list[TraderSpec]:
    """Return random traders: half as the tests write them, half with thresholds that prices keep hitting exactly."""
    return [
        *STREAMS.specs(random.getrandbits(32), count // 2),
        *(
            TraderSpec(
                name=f"near {number}",
                rule=near(random),
                when=random.choice(("tick", "tick", "close")),
                requires_live=False,
            )
            for number in range(count - count // 2)
        ),
    ]


def near(random: Random) -> str:
    """Return a rule over prices; those of the tapes begin at 100 and move by eighths."""
    parts = []
    for _ in range(random.randrange(1, 4)):
        column = random.choice(NEAR_COLUMNS)
        against = repr(100 + random.randrange(-16, 17) / 8)
        if random.random() < 0.3:
            against = f"{random.choice(('', '0.99 * ', '1.01 * ', '0.125 + '))}{random.choice(NEAR_COLUMNS)}"
        parts.append(f"{random.choice(('', '', 'not '))}{column} {random.choice(COMPARISONS)} {against}")
    return random.choice((" and ", " or ")).join(parts)


def beside_reference(random: Random, tally: Tally) -> None:
    """Run rules over a tape, record by record, beside the slow reference."""
    chosen = traders(random, RULES)
    made, reference = TAPES.engine(*chosen), REFERENCE.Reference(chosen, STREAMS.describe)
    for record in STREAMS.tape(random.getrandbits(32), RECORDS, longest_step_ms=random.choice(PACES_MS)):
        got, wanted = TAPES.brief(made.process(record)), reference.record(*RECORD.unpack(record))
        if got != wanted:
            raise AssertionError(f"at {RECORD.unpack(record)}: {got}, and not {wanted}, of {chosen}")
        tally.add(0, SAME)
        tally.add(0, SIGNALS, len(got))


def disturbed(random: Random, tally: Tally) -> None:
    """Run rules over a tape in one go, and again with disturbances."""
    chosen = traders(random, RULES)
    records = STREAMS.tape(random.getrandbits(32), 2 * RECORDS, longest_step_ms=random.choice(PACES_MS))
    wanted = TAPES.brief(TAPES.engine(*chosen).process(b"".join(records)))
    strangers = [
        TraderSpec(name=f"{STRANGER} {number}", rule=each.rule, when=each.when, interval=each.interval)
        for number, each in enumerate(STREAMS.specs(random.getrandbits(32), 3))
    ]
    working = _working(random, chosen)
    got: list[tuple[Any, ...]] = []
    at = 0
    while at < len(records):
        end = at + random.choice((1, 2, 3, random.randrange(1, 60)))
        for made, _ in working:
            found = TAPES.brief(made.process(b"".join(records[at:end])))
            got += (each for each in found if not each[0].startswith(STRANGER))
        at = end
        working = _disturb(random, working, chosen, strangers)
    got.sort(key=lambda each: (each[2], each[0]))
    if got != wanted:
        raise AssertionError(f"{sorted(set(got) ^ set(wanted))} of {chosen}")
    tally.add(0, DISTURBED)


def _working(random: Random, chosen: list[TraderSpec]) -> list[Working]:
    """Return one engine for all traders, or two for a share each."""
    mixed = random.sample(chosen, len(chosen))
    cut = random.choice((len(mixed), random.randrange(1, len(mixed))))
    return [(TAPES.engine(*share), share) for share in (mixed[:cut], mixed[cut:]) if share]


def _disturb(
    random: Random, working: list[Working], chosen: list[TraderSpec], strangers: list[TraderSpec]
) -> list[Working]:
    """Do something to the engines that their signals must not show; return those that go on."""
    what = random.random()
    made, share = random.choice(working)
    if what < 0.1:
        blobs = [each.checkpoint() for each, _ in working]
        working = _working(random, chosen)
        for each, _ in working:
            each.restore(blobs)
    elif what < 0.3:
        made.sync([*share, *random.sample(strangers, random.randrange(len(strangers) + 1))])
    elif what < 0.4:
        made.run()
    elif what < 0.5:
        made.open_next()
    return working


# --- a run


def play(seed: int, tally: Tally, watch: Watch) -> int:
    """Play one round; return how many of its parts failed, each of which has been printed."""
    parts: list[tuple[str, Callable[[Random], None]]] = [
        (BROKEN, lambda random: read_texts(random, tally, watch)),
        (DIFFERS, lambda random: beside_reference(random, tally)),
        (MOVED, lambda random: disturbed(random, tally)),
    ]
    failed = 0
    for number, (outcome, part) in enumerate(parts):
        try:
            part(Random(f"{seed} {number}"))
        except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
            failed += 1
            tally.add(0, outcome)
            traceback.print_exc()
            print(f"again: python -m stress.rules_fuzz --rounds 1 --seed {seed}", file=sys.stderr)
    return failed


def main() -> int:
    """Play rounds for as long as was asked; return 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5, help="how long to go on (default %(default)s)")
    parser.add_argument("--rounds", type=int, help="go on for so many rounds instead")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the first round")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    tally, watch = Tally("rules_fuzz", OUTCOMES), Watch()
    began = said = time.monotonic()
    rounds = failed = 0
    while failed < MOST_FAILURES:
        now = time.monotonic()
        if rounds == arguments.rounds or (arguments.rounds is None and now - began >= arguments.minutes * 60):
            break
        if now - said >= PROGRESS_SECONDS:
            said = now
            seen = ", ".join(f"{tally.count(each):,} {each}" for each in (RULE, ERROR, SAME, DISTURBED))
            print(f"{(now - began) / 60:.1f} min, round {rounds:,}: {seen}; {failed} failed", file=sys.stderr)
        failed += play(arguments.seed + rounds, tally, watch)
        rounds += 1
    print(tally.as_json() if arguments.json else tally.as_table())
    return 0 if tally.passed else 1


if __name__ == "__main__":
    sys.exit(main())
