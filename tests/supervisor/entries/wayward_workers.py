"""Workers that answer and do nothing, or leave things behind; loaded in worker processes only."""

import mmap
import os
import signal
import threading

from odd_workers import Plain

from tickfloor.contracts.commands import Progress


class Stuck(Plain):
    """Answers every ping, and never does what waits to be done."""

    def progress(self):
        return Progress(7, 3)


class Idle(Plain):
    """Answers every ping, and has nothing to do."""

    def progress(self):
        return Progress(7, 0)


class Careless(Plain):
    """Leaves one of everything behind."""

    def close(self):
        threading.Thread(target=threading.Event().wait, name="forgotten thread", daemon=True).start()
        timer = threading.Timer(3600, print)
        timer.name = "forgotten timer"
        timer.daemon = True
        timer.start()
        signal.setitimer(signal.ITIMER_REAL, 3600)
        os.open("/dev/null", os.O_RDONLY)
        memory = os.memfd_create("forgotten-view")
        os.truncate(memory, mmap.PAGESIZE)
        self.view = mmap.mmap(memory, mmap.PAGESIZE)
        os.close(memory)
