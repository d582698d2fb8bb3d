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

_LOOK_EVERY_MS = 1000
_LOOK_AT_OUTPUT_EVERY_MS = 200
# Linux tells of a closed peer without reading; elsewhere POLLHUP alone has to do.
_CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


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

    def start(self) -> None:
        threading.Thread(target=self._run, name="asyncsweep-watch", daemon=True).start()

    def end(self) -> None:
        """The controller said goodbye: its closing of the link means nothing any more."""
        self._ended = True

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, _CLOSED)
        while True:
            closed = poll.poll(_LOOK_EVERY_MS if self._capture is None else _LOOK_AT_OUTPUT_EVERY_MS)
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
