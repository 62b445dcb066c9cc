"""Workers that misbehave; loaded in worker processes only, never by the tests."""

import mmap
import os
import signal
import sys
import threading
import time

from tickfloor.contracts.commands import Begin, Drain, Progress, StopFeed
from tickfloor.contracts.errors import StorageError, TickfloorError
from tickfloor.worker.inbox import Later
from tickfloor.worker.runtime import FORKED


class Plain:
    """Does what a worker must; answers Drain late, and dies by SIGKILL of StopFeed."""

    def __init__(self, runtime, settings):
        self.runtime = runtime
        self.late = None

    def apply(self, sequence, body):
        if isinstance(body, Drain):
            self.late = sequence
            raise Later
        if isinstance(body, StopFeed):
            os.kill(os.getpid(), signal.SIGKILL)
        if not isinstance(body, Begin):
            raise TickfloorError(f"no {type(body).__name__} here")

    def receive(self, message):
        pass

    def step(self):
        if self.late is not None:
            self.runtime.applied(self.late)
            self.late = None
        return False

    def wait(self, seconds):
        self.runtime.wait_for_message(seconds)

    def progress(self):
        return Progress(0, 0)

    def traders_held(self):
        return None

    def details(self):
        return {}

    def close(self):
        pass


class Deaf(Plain):
    """Hears neither its supervisor, once it is ready, nor SIGTERM."""

    def __init__(self, runtime, settings):
        super().__init__(runtime, settings)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def step(self):
        time.sleep(3600)


class Leaky(Plain):
    """Leaves a thread and a descriptor behind."""

    def close(self):
        os.open("/dev/null", os.O_RDONLY)
        threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()


class Babbler(Plain):
    """Says what is no message."""

    def apply(self, sequence, body):
        self.runtime.channel._socket.send(b"\xff" * 64)


class Crashing(Plain):
    """Raises what it should not."""

    def apply(self, sequence, body):
        return {}[type(body).__name__]


class LongStep(Plain):
    """Hears its supervisor only within a step that does not end by itself."""

    def step(self):
        while not self.runtime.stopping:
            self.runtime.wait_for_message(1.0)
            self.runtime.poll_messages()
        return False

    def wait(self, seconds):
        raise AssertionError("it was told to leave within its step")


def refuses(runtime, settings):
    raise StorageError("the disk is on fire")


def killed_once(runtime, settings):
    """Die by SIGKILL in the first incarnation, before it is ready."""
    if runtime.incarnation == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return Plain(runtime, settings)


def fails_later(runtime, settings):
    """Be well in the first incarnation and never again."""
    if runtime.incarnation > 1:
        raise StorageError("the disk is gone")
    return Plain(runtime, settings)


def is_preloaded(runtime, settings):
    assert "odd_workers" in sys.modules
    return Plain(runtime, settings)


class Recording(Plain):
    """Notes each command that it applies in memory that outlives it, and answers nothing while it is held back.

    The memory's words: how many were noted, whether it is held back, then ``incarnation << 32 | sequence`` of each.
    """

    def __init__(self, runtime, settings):
        super().__init__(runtime, settings)
        self.mapping = mmap.mmap(runtime.descriptors["record"], 0)
        self.words = memoryview(self.mapping).cast("Q")
        self.unanswered = []

    def apply(self, sequence, body):
        words = self.words
        words[2 + words[0]] = self.runtime.incarnation << 32 | sequence
        words[0] += 1
        if words[1]:
            self.unanswered.append(sequence)
            raise Later

    def step(self):
        if not self.words[1]:
            for sequence in self.unanswered:
                self.runtime.applied(sequence)
            self.unanswered.clear()
        return False

    def wait(self, seconds):
        # Nobody rings when it is let go on.
        self.runtime.wait_for_message(0.001 if self.unanswered else seconds)

    def close(self):
        self.words.release()
        self.mapping.close()


class Forking(Plain):
    """Forks itself when it is to begin, as a strategy might."""

    def apply(self, sequence, body):
        pid = os.fork()
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != FORKED:
            raise TickfloorError("the child has gone on")
