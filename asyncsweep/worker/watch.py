"""A thread of the worker that looks after what the objective may not: a dead controller, and output without end.

The controller ends a worker with a message. When the link closes without one, the controller has died: nobody will hear the
result, so the worker and its process group end at once. A process that the controller forked may keep the link open all the
same; then the worker notices that it has another parent. No thread runs while the objective holds the GIL, and a group is not all
that an objective may have started: on Linux the worker's parent, its `guard`, sees to the rest.
"""

from __future__ import annotations

import os
import select
import signal
import threading

from asyncsweep.worker.capture import Capture

LOOK_EVERY_MS = 1000
LOOK_AT_OUTPUT_EVERY_MS = 200
# Linux tells of a closed peer without reading; elsewhere POLLHUP alone has to do.
CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Watch:
    """Watches from `start` on, until `end`.

    Attributes:
        lock: Held while the output is being moved; whoever else moves it takes it too.
    """

    def __init__(self, fd: int, capture: Capture | None) -> None:
        self._fd = fd
        self._parent = os.getppid()
        self._ended = False
        self.lock = threading.Lock()
        self._capture = capture
        self._thread: threading.Thread | None = None
        self._wakes: tuple[int, int] | None = None

    def start(self) -> None:
        self._wakes = os.pipe()
        self._thread = threading.Thread(target=self._run, args=self._wakes[:1], name="asyncsweep-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end: no thread is left."""
        if self._thread is None or self._wakes is None:
            return
        self._ended = True
        read, write = self._wakes
        os.close(write)
        self._thread.join()
        os.close(read)
        self._thread = self._wakes = None

    def end(self) -> None:
        """The controller said goodbye: its closing of the link means nothing any more."""
        self._ended = True

    def _run(self, wakes: int) -> None:
        poll = select.poll()
        poll.register(self._fd, CLOSED)
        poll.register(wakes, CLOSED)
        while True:
            closed = poll.poll(LOOK_EVERY_MS if self._capture is None else LOOK_AT_OUTPUT_EVERY_MS)
            if self._ended:
                return
            if closed or os.getppid() != self._parent:
                end_group()
            if self._capture is not None:
                with self.lock:
                    self._capture.shrink()


def end_group() -> None:
    """End this process and everything in its group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
