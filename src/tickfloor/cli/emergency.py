"""``tickfloor emergency``: stop what a running floor does to the world outside, and bring a floor back."""

import msgspec
import typer

from tickfloor.cli.control_client import connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, say
from tickfloor.supervisor.control.replies import EffectsSwitched, EmergencyRecovered
from tickfloor.supervisor.control.requests import EmergencyRecover, EmergencyResume, EmergencyStop


def stop(floor: str | None, seconds: float, as_json: bool) -> None:
    """Stop all effects."""
    _switch(EmergencyStop(), "all effects are stopped", floor, seconds, as_json)


def resume(floor: str | None, seconds: float, as_json: bool) -> None:
    """Allow effects again."""
    _switch(EmergencyResume(), "effects are allowed", floor, seconds, as_json)


def recover(floor: str | None, seconds: float, as_json: bool) -> None:
    """Restart every worker and restore what shall be; exit code 6 if something could not be brought back."""
    with connected(floor, seconds) as connection:
        recovered = connection.ask(EmergencyRecover(), EmergencyRecovered)
        effect = connection.effect(recovered)
    if as_json:
        data(msgspec.json.encode(effect).decode())
    else:
        workers, traders = counted(len(recovered.workers), "worker"), counted(recovered.traders, "trader")
        displays = counted(recovered.displays, "display")
        data(f"{workers} restarted in {recovered.seconds:,.1f} s; {traders} and {displays} restored")
    for worker, reason in recovered.failed.items():
        say(f"{worker}: {reason}")
    if recovered.failed:
        raise typer.Exit(ExitCode.UNHEALTHY)


def _switch(
    request: EmergencyStop | EmergencyResume, state: str, floor: str | None, seconds: float, as_json: bool
) -> None:
    with connected(floor, seconds) as connection:
        switched = connection.ask(request, EffectsSwitched)
        effect = connection.effect(switched)
    if as_json:
        data(msgspec.json.encode(effect).decode())
    else:
        data(state if switched.changed else f"{state}, as before")
