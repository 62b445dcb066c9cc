"""``tickfloor simulate``: a local exchange."""

import asyncio
import signal
from pathlib import Path

import msgspec
import typer
import uvloop

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.simulate_progress import reading
from tickfloor.cli.simulate_settings import settings_text
from tickfloor.contracts.errors import CaptureError
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.scenario import read_scenario
from tickfloor.simulator.settings import DEFAULT_VENUES, SimulatorSettings
from tickfloor.simulator.simulator import Simulator


def run_simulate(
    venues: list[str] | None,
    instruments: int,
    rate: float,
    seed: int,
    speed: str,
    captures: list[Path] | None,
    scenario: Path | None,
    stream_port: int,
    rest_port: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Serve a seeded market, or captures, until Ctrl-C or for so many seconds (0: without end)."""
    for path in [*(captures or []), *([scenario] if scenario else [])]:
        if not path.exists():
            fail(f"there is no file {path}", ExitCode.NOT_FOUND)
    try:
        settings = SimulatorSettings(
            venues=tuple(venues) if venues else DEFAULT_VENUES,
            instruments=instruments,
            rate=rate,
            seed=seed,
            speed=_speed_of(speed),
            captures=tuple(str(path) for path in captures or ()),
            scenario=read_scenario(scenario) if scenario else (),
            stream_port=stream_port,
            rest_port=rest_port,
        )
        # Not in the loop, where Ctrl-C would have to wait until all is read.
        with reading(settings.captures) as progress:
            simulator = Simulator(settings, progress, trouble=lambda done: say(f"trouble: {done}"))
        interrupted = uvloop.run(_serve(simulator, seconds, as_json=as_json))
    except (SimulatorError, CaptureError) as error:
        fail(str(error), ExitCode.INVALID)
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


async def _serve(simulator: Simulator, seconds: float, *, as_json: bool) -> bool:
    """Serve until it is time; say whether somebody asked for the end."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    async with simulator:
        _tell(simulator, as_json=as_json)
        end = asyncio.create_task(simulator.wait())
        asking = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait((end, asking), timeout=seconds or None, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                end.result()
                say("the captures have ended; Ctrl-C ends the exchange")
                await asyncio.wait((asking,), timeout=seconds or None)
        finally:
            end.cancel()
            asking.cancel()
            await asyncio.wait((end, asking))
        _summarise(simulator)
    return asked.is_set()


def _tell(simulator: Simulator, *, as_json: bool) -> None:
    urls = {"stream_url": simulator.stream_url, "rest_url": simulator.rest_url}
    if as_json:
        print(msgspec.json.encode(urls).decode(), flush=True)
        return
    data(f"streams      {simulator.stream_url}")
    data(f"REST         {simulator.rest_url}")
    data(f"hostility    POST {simulator.rest_url}/simulator/hostility")
    print(f"\n# settings of a floor that is to receive it\n{settings_text(simulator)}", flush=True)


def _summarise(simulator: Simulator) -> None:
    server = simulator.server
    lost = f", {counted(server.too_slow, 'slow client')} dropped" if server.too_slow else ""
    say(f"{counted(simulator.frames(), 'frame')} sent over {counted(server.accepted, 'connection')}{lost}")


def _speed_of(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not speed > 0:
        fail(f"--speed must be a number above 0, or max, not {text!r}", ExitCode.USAGE)
    return speed
