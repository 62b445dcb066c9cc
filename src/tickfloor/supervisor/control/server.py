"""The control socket's server, in the floor's own loop: whatever comes in through it, the floor goes on."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from secrets import token_hex
from typing import Any, TypeVar

import msgspec

from tickfloor.contracts.errors import TickfloorError
from tickfloor.supervisor.control import address, dispatch
from tickfloor.supervisor.control.connection import Connection, MalformedError
from tickfloor.supervisor.control.floor_control import ControlRefusedError, FloorControl
from tickfloor.supervisor.control.listening import ListeningSocket
from tickfloor.supervisor.control.log_tail import LogSubscription
from tickfloor.supervisor.control.replies import Answer, LogsShown, RefusalKind, Refused
from tickfloor.supervisor.control.requests import EmergencyStop, FollowLogs, decode_request
from tickfloor.worker.correlation import current

T = TypeVar("T")

_ACCEPT_AGAIN_SECONDS = 1.0


class ControlStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What came in through the control socket.

    Attributes:
        clients: connected now; turned_away: too many at once, or another user's.
        requests: understood; refused: of them, without the effect.
        malformed: what was no request, too large, or not whole in time.
        hung_up: clients that did not take their answer.
        errors: of the floor itself, each told to ``on_error``, too.
    """

    clients: int
    turned_away: int
    requests: int
    refused: int
    malformed: int
    hung_up: int
    errors: int


class ControlServer:
    """Takes requests of the floor's own user and answers each when its effect is there.

    Clients that say nothing, say rubbish, do not listen or go away are let go and counted. What a client asked for
    before it went away is done all the same.
    """

    def __init__(
        self,
        floor: FloorControl,
        *,
        on_error: Callable[[str, Exception], None],
        owner: int | None = None,
        clients: int = 32,
        reserved: int = 8,
        patience: float = 10.0,
    ) -> None:
        """Make a server.

        Args:
            floor: who answers.
            on_error: hears, with the correlation id, of errors that are no refusal.
            owner: the one user whose requests are taken; the process's own without it.
            clients: connected at once; reserved: more of them, of whom nothing but an emergency stop is taken.
            patience: seconds in which a request must be whole and an answer be taken.
        """
        self._floor = floor
        self._on_error = on_error
        self._owner = os.geteuid() if owner is None else owner
        self._clients = clients
        self._most = clients + reserved
        self._patience = patience
        self._listening: ListeningSocket | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._turned_away = self._requests = self._refused = 0
        self._malformed = self._hung_up = self._errors = 0

    def statistics(self) -> ControlStatistics:
        """Return the counts."""
        return ControlStatistics(
            clients=len(self._serving),
            turned_away=self._turned_away,
            requests=self._requests,
            refused=self._refused,
            malformed=self._malformed,
            hung_up=self._hung_up,
            errors=self._errors,
        )

    def start(self, listening: ListeningSocket) -> None:
        """Take requests from now on; the socket is closed with the server."""
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening.connection, self._accept)

    async def close(self) -> None:
        """Take nothing more, tell whoever waits that the floor ends, and remove the socket."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.connection)
            self._listening.close()
            self._listening = None
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)

    # Clients

    def _accept(self) -> None:
        assert self._listening is not None
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = self._listening.connection.accept()
        except (BlockingIOError, ConnectionAbortedError):
            # Who rang has gone again.
            return
        except OSError as error:
            # No descriptor is left, most likely. The client stays in the queue; without a pause the loop would spin.
            self._errors += 1
            self._on_error("", error)
            loop.remove_reader(self._listening.connection)
            loop.call_later(_ACCEPT_AGAIN_SECONDS, self._accept_again)
            return
        connection = Connection(accepted, self._patience)
        uid = address.peer(accepted)[1]
        if uid != self._owner:
            reason = f"the floor takes requests of user {self._owner} only, not of user {uid}"
            self._turn_away(connection, Refused(reason=reason, kind=RefusalKind.REFUSED))
        elif len(self._serving) >= self._most:
            self._turn_away(connection, self._crowded())
        else:
            late = len(self._serving) >= self._clients
            task = loop.create_task(self._serve(connection, late))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    def _accept_again(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening.connection, self._accept)

    def _turn_away(self, connection: Connection, refused: Refused) -> None:
        self._turned_away += 1
        connection.say_last(Answer(correlation_id="", reply=refused))
        connection.close()

    def _crowded(self) -> Refused:
        reason = f"{self._clients} clients are connected to the floor already; try again when one has gone"
        return Refused(reason=reason, kind=RefusalKind.BUSY)

    async def _serve(self, connection: Connection, late: bool) -> None:
        last: Refused | None = None
        try:
            while (payload := await connection.receive()) is not None:
                await self._answer(connection, payload, late)
        except MalformedError as error:
            self._malformed += 1
            last = Refused(reason=str(error), kind=RefusalKind.REFUSED)
        except OSError:
            self._hung_up += 1
        except Exception as error:  # noqa: BLE001 - an error that nobody looks at ends the floor
            self._errors += 1
            self._on_error("", error)
            last = Refused(reason=f"internal error: {error!r}", kind=RefusalKind.FAILED)
        except asyncio.CancelledError:
            # Only close() cancels, and waits for this to end.
            last = Refused(reason="the floor is ending; whether it was done is not known", kind=RefusalKind.FAILED)
        finally:
            if last is not None:
                connection.say_last(Answer(correlation_id="", reply=last))
            connection.close()

    # Requests

    async def _answer(self, connection: Connection, payload: bytes, late: bool) -> None:
        try:
            request = decode_request(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedError(f"this is no request: {error}") from error
        self._requests += 1
        correlation_id = f"control-{token_hex(8)}"
        current.set(correlation_id)
        if late and not isinstance(request, EmergencyStop):
            self._refused += 1
            await connection.send(Answer(correlation_id=correlation_id, reply=self._crowded()))
            return
        if not isinstance(request, FollowLogs):
            reply = await self._granted(dispatch.answer(self._floor, request), correlation_id)
            await connection.send(Answer(correlation_id=correlation_id, reply=reply))
            return
        following = self._floor.follow_logs(request.worker, request.last)
        lines = await self._granted(following, correlation_id)
        if isinstance(lines, Refused):
            await connection.send(Answer(correlation_id=correlation_id, reply=lines))
            return
        with lines:
            await _pass_on(connection, lines, correlation_id)

    async def _granted(self, work: Coroutine[Any, Any, T], correlation_id: str) -> T | Refused:
        """Return what the floor gives, or why it gives nothing."""
        try:
            return await work
        except ControlRefusedError as error:
            self._refused += 1
            return Refused(reason=str(error), kind=error.kind, problems=error.problems)
        except TimeoutError as error:
            self._refused += 1
            return Refused(reason=str(error) or "the floor did not get it done in time", kind=RefusalKind.TIMEOUT)
        except Exception as error:  # noqa: BLE001 - whatever it is, the asker is told and the floor goes on
            self._refused += 1
            self._errors += 1
            self._on_error(correlation_id, error)
            told = str(error) if isinstance(error, TickfloorError) else f"internal error: {error!r}"
            return Refused(reason=told, kind=RefusalKind.FAILED)


async def _pass_on(connection: Connection, lines: LogSubscription, correlation_id: str) -> None:
    """Send lines as they come until the client hangs up; a client that is slow misses some, and is told how many."""

    async def send_all() -> None:
        # At once, so that the follower knows that it follows, however quiet the floor is.
        shown = LogsShown(lines=())
        while True:
            await connection.send_patiently(Answer(correlation_id=correlation_id, reply=shown))
            batch, dropped = await lines.read()
            shown = LogsShown(lines=batch, dropped=dropped)

    sending, gone = asyncio.ensure_future(send_all()), asyncio.ensure_future(connection.gone())
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        gone.cancel()
        # Their errors are looked at here: nobody else does, and an error that nobody looks at ends the floor.
        ended, _ = await asyncio.gather(sending, gone, return_exceptions=True)
    raise ended if isinstance(ended, Exception) else ConnectionResetError("the follower has gone")
