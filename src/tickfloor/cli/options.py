"""Options and arguments that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class When(StrEnum):
    """When a trader is decided."""

    TICK = "tick"
    CLOSE = "close"


class By(StrEnum):
    """What traders are ranked by."""

    TIME = "time"
    SIGNALS = "signals"
    MATCHES = "matches"


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file (TOML).", envvar="TICKFLOOR_CONFIG", show_default=False),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db", help="Database: path of an SQLite file, or a URL.  [default: tickfloor.db]", show_default=False
    ),
]
DemoDatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db", help="Database: path of an SQLite file, or a URL.  [default: tickfloor-demo.db]", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Rules file (TOML) with the traders to run.", show_default=False)
]
FloorOption = Annotated[
    str | None,
    typer.Option(
        "--floor",
        metavar="PID|PATH",
        help="Which floor, by its process or its control socket.  [default: the only one]",
        envvar="TICKFLOOR_CONTROL_SOCKET",
        show_default=False,
    ),
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for the floor's answer.")]
WorkerArgument = Annotated[str, typer.Argument(metavar="NAME", help="For example trader-1.", show_default=False)]
ScaleArgument = Annotated[int, typer.Argument(metavar="N", min=1, max=16, help="How many.", show_default=False)]
TraderArgument = Annotated[str, typer.Argument(metavar="NAME", help="A trader's name.", show_default=False)]
MaybeTraderArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The trader's name; with --rules, only this one of the file's.")
]
RuleOption = Annotated[str | None, typer.Option("--rule", help="Rule text, see docs/rules.md.", show_default=False)]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="GLOB", help="Where it applies; may be repeated.", show_default=False),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="What to leave out of it; may be repeated.", show_default=False),
]
QuoteOption = Annotated[
    str | None, typer.Option("--quote", metavar="ASSET", help="Quote asset, for example USDT.", show_default=False)
]
LiveOption = Annotated[
    bool | None,
    typer.Option(
        "--requires-live/--even-if-not-live",
        help="Matches only while the data is live, or whatever it is.",
        show_default=False,
    ),
]
IntervalOption = Annotated[
    str | None, typer.Option("--interval", help="Interval of the rule's columns, for example 1m.", show_default=False)
]
WhenOption = Annotated[
    When | None, typer.Option("--when", help="Decided at every tick, or at each bar's close.", show_default=False)
]
CooldownOption = Annotated[
    str | None,
    typer.Option("--cooldown", help="Least time between two signals, for example 30s.", show_default=False),
]
RuleArgument = Annotated[str, typer.Argument(help="Rule text, or the name of a trader of --rules.", show_default=False)]
TradersFileOption = Annotated[
    Path | None,
    typer.Option("--rules", help="Rules file (TOML): where the trader is, and its neighbours.", show_default=False),
]
SECONDS = 60.0
