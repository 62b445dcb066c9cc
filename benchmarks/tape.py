"""Ticks a second from one writer into 1, 4 and 25 reader processes, each checking continuity and payload.

Ours is the tape in replay mode: the writer overwrites nothing that a reader has not read, so that every reader gets
every record. "Per record" appends and publishes each record through TapeWriter; "batches of 64" appends blocks made
with NumPy. Readers that find nothing look again after a while (:func:`look_again`), those of a
peer without a blocking read after the same.
"""

import contextlib
import ctypes
import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fan_out import PRICE, BlockOfRecords, Transport, record, sized
from benchmarks.harness import Case, main
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import TapeReader, attach_reader
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.board.waiting import Timer
from tickfloor.contracts.records import RECORD_BYTES

CAPACITY = 1 << 17
RUN_ID = 1
BATCH = 64
READ = 2000
"""Records taken at once: a copy that malloc need not ask the kernel for."""


def look_again(readers: int) -> float:
    """Return the seconds between two looks of a reader that found nothing, ours and iceoryx2's; the others block.

    As many as 25 are displays, which look 60 times a second: nobody sees more.
    """
    return 1 / 60 if readers > 4 else 0.004


class Tape:
    """tickfloor's own."""

    def __init__(self, readers: int, batch: int) -> None:
        self._batch = batch
        self._fds = create_tape("benchmark", CAPACITY, RUN_ID)
        self._eyes = read_only(self._fds[0])
        for index in range(readers):
            attach_reader(self._fds[1], index)
        self._timer = Timer(look_again(readers), ())

    def open_writer(self) -> None:
        """Open the tape for writing."""
        self._writer = TapeWriter(*self._fds, run_id=RUN_ID, incarnation=1, doorbells={}, wait_for_readers=True)

    def write(self, count: int) -> None:
        """Append and publish."""
        writer = self._writer
        if self._batch == 1:
            append, publish = writer.append, writer.publish
            for _ in range(count):
                append(1, 2, 3, 1, 0, 0, PRICE, 2.0, 3.0, 4.0)
                publish()
            return
        block = BlockOfRecords()
        append_block, publish, renumber, made = writer.append_block, writer.publish, block.renumber, block.bytes
        for first in range(0, count, BATCH):
            renumber(first)
            append_block(made)
            publish()

    def open_reader(self, index: int) -> None:
        """Open the tape for reading."""
        self._reader = TapeReader(self._eyes, self._fds[1], run_id=RUN_ID, index=index)

    def read(self) -> bytes:
        """Return the next batch, and let go of the one before it."""
        reader = self._reader
        reader.commit(reader.position)
        copy = reader.read(READ)
        if not copy:
            self._timer.wait(reader, 1.0)
        return copy

    def close_reader(self) -> None:
        """Let go of the memory."""
        self._reader.close()

    def close(self) -> None:
        """Let go of the memory."""
        self._writer.close()
        for fd in (*self._fds, self._eyes):
            os.close(fd)


class Pipe:
    """A pipe per reader, as multiprocessing gives it."""

    def __init__(self, readers: int, batch: int) -> None:
        self._batch = batch
        self._pipes = [multiprocessing.Pipe(duplex=False) for _ in range(readers)]

    def open_writer(self) -> None:
        """Open nothing: pipes are there from the start."""

    def write(self, count: int) -> None:
        """Send to one after the other."""
        sends = [sender.send_bytes for _, sender in self._pipes]
        for message in _messages(count, self._batch):
            for send in sends:
                send(message)

    def open_reader(self, index: int) -> None:
        """Choose the reader's pipe."""
        self._receive = self._pipes[index][0].recv_bytes

    def read(self) -> bytes:
        """Block for the next message."""
        return self._receive()

    def close_reader(self) -> None:
        """Close nothing: the process's end does."""

    def close(self) -> None:
        """Close both ends."""
        for ends in self._pipes:
            for end in ends:
                end.close()


class ZeroMQ:
    """A publishing socket over ipc, set to block and not to drop."""

    _HELLO = b"hello"

    def __init__(self, readers: int, batch: int) -> None:
        self._readers, self._batch = readers, batch
        self._path = Path(f"/tmp/tickfloor-benchmark-{os.getpid()}-{secrets.token_hex(4)}")
        self._context: Any = None
        self._socket: Any = None

    def open_writer(self) -> None:
        """Bind, and wait for every subscription."""
        import zmq

        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        for option, value in ((zmq.XPUB_VERBOSE, 1), (zmq.SNDHWM, 50_000), (zmq.XPUB_NODROP, 1)):
            self._socket.setsockopt(option, value)
        self._socket.bind(f"ipc://{self._path}")
        for _ in range(self._readers):
            self._socket.recv()
        self._socket.send(self._HELLO)

    def write(self, count: int) -> None:
        """Publish."""
        send = self._socket.send
        for message in _messages(count, self._batch):
            send(message)

    def open_reader(self, index: int) -> None:
        """Subscribe; the first message proves that the subscription has arrived."""
        import zmq

        del index
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(f"ipc://{self._path}")
        self._socket.recv()

    def read(self) -> bytes:
        """Block for the next message."""
        message: bytes = self._socket.recv()
        return message

    def close_reader(self) -> None:
        """Close the socket."""
        self._context.destroy(linger=0)

    def close(self) -> None:
        """Close the socket and its file."""
        self._context.destroy(linger=0)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class Iceoryx2:
    """Shared memory publish and subscribe; the publisher waits when a subscriber's queue is full."""

    def __init__(self, readers: int, batch: int) -> None:
        self._batch = batch
        self._service_name = f"tickfloor-benchmark-{os.getpid()}-{secrets.token_hex(4)}"
        self._size = batch * RECORD_BYTES
        self._limits = readers + 1, readers + 2
        self._look_again = look_again(readers)

    def _open_service(self) -> Any:  # noqa: ANN401  (untyped library)
        import iceoryx2

        self._iceoryx2 = iceoryx2
        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        self._node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        return (
            self._node.service_builder(iceoryx2.ServiceName.new(self._service_name))
            .publish_subscribe(iceoryx2.Slice[ctypes.c_uint8])
            .max_subscribers(self._limits[0])
            .max_nodes(self._limits[1])
            .subscriber_max_buffer_size(4096)
            .enable_safe_overflow(False)
            .subscriber_max_borrowed_samples(4)
            .open_or_create()
        )

    def open_writer(self) -> None:
        """Make the publisher."""
        self._service = self._open_service()
        self._publisher = (
            self._service.publisher_builder()
            .initial_max_slice_len(self._size)
            .backpressure_strategy(self._iceoryx2.BackpressureStrategy.RetryUntilDelivered)
            .create()
        )

    def write(self, count: int) -> None:
        """Loan, fill and send."""
        loan, size, copy = self._publisher.loan_slice_uninit, self._size, ctypes.memmove
        for message in _messages(count, self._batch):
            sample = loan(size)
            copy(sample.payload_ptr, message, size)
            sample.assume_init().send()

    def open_reader(self, index: int) -> None:
        """Make a subscriber."""
        del index
        self._service = self._open_service()
        self._subscriber = self._service.subscriber_builder().buffer_size(4096).create()

    def read(self) -> bytes:
        """Take the next sample, or look again a little later."""
        sample = self._subscriber.receive()
        if sample is None:
            time.sleep(self._look_again)
            return b""
        copy = ctypes.string_at(sample.payload_ptr, self._size)
        sample.delete()
        return copy

    def close_reader(self) -> None:
        """Delete the subscriber and leave the service."""
        self._subscriber.delete()
        del self._subscriber, self._service, self._node

    def close(self) -> None:
        """Delete the publisher and leave the service."""
        self._publisher.delete()
        del self._service, self._node


def _messages(count: int, batch: int) -> Iterator[bytes]:
    """Yield what a peer sends, in messages of so many records."""
    if batch == 1:
        yield from map(record, range(count))
        return
    block = BlockOfRecords(batch)
    for first in range(0, count, batch):
        block.renumber(first)
        yield bytes(block.bytes)


PEERS: dict[str, type[Pipe] | type[ZeroMQ] | type[Iceoryx2]] = {
    "multiprocessing.Pipe": Pipe,
    "pyzmq": ZeroMQ,
    "iceoryx2": Iceoryx2,
}
TARGETS = {(25, 1): 800_000.0, (25, BATCH): 2_000_000.0}


def cases(quick: bool) -> Sequence[Case]:
    """Return the cases, 25 readers first."""
    seconds = 0.1 if quick else 1.0
    found = []
    for readers in (25, 4, 1):
        for batch in (1, BATCH):
            make: Callable[[], Transport] = partial(Tape, readers, batch)
            found.append(
                Case(
                    name=f"{readers} reader{'s' if readers > 1 else ''}, "
                    + ("per record" if batch == 1 else f"batches of {batch}"),
                    unit="ticks/s",
                    ours=sized(make, readers, seconds),
                    baselines={
                        name: sized(partial(peer, readers, batch), readers, seconds) for name, peer in PEERS.items()
                    },
                    target=TARGETS.get((readers, batch)),
                )
            )
    return found


if __name__ == "__main__":
    main("tape", __doc__, cases)
