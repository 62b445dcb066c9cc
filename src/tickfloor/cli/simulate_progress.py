"""How far the reading of captures is, before they are served."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tickfloor.cli.output import counted, say
from tickfloor.simulator.playback import Progress, unheard


@contextmanager
def reading(captures: Sequence[str]) -> Iterator[Progress]:
    """Show a bar where somebody watches, and say it in a line elsewhere; without captures nothing."""
    if not captures:
        yield unheard
        return
    if not sys.stderr.isatty():
        say(f"reading {counted(len(captures), 'capture')}")
        yield unheard
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda read, of: bar.update(task, completed=read, total=of)
