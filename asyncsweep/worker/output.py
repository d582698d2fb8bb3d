"""The worker's stdout and stderr. Wherever an objective sends or closes them, the next attempt finds them as they were."""

from __future__ import annotations

import contextlib
import os
import sys


class Output:
    """File descriptors 1 and 2 and the streams over them, as they are now; a closed one leads to nowhere."""

    def __init__(self) -> None:
        self._kept = [(fd, name, _kept(fd)) for fd, name in ((1, "stdout"), (2, "stderr"))]
        self.restore()
        for _, name, _ in self._kept:
            getattr(sys, name).reconfigure(line_buffering=True)

    def flush(self) -> None:
        for _, name, _ in self._kept:
            # The objective may have closed it, or put an object of its own there, whose `flush` may raise anything: then
            # there is nothing of ours to lose, and it must not cost the worker.
            with contextlib.suppress(Exception):
                getattr(sys, name).flush()

    def restore(self) -> None:
        """Undo what an objective closed or redirected. A stream that it replaced by another open one stays."""
        for fd, name, kept in self._kept:
            os.dup2(kept, fd)
            stream = getattr(sys, name)
            if stream is None or getattr(stream, "closed", False):
                setattr(sys, name, open(fd, "w", buffering=1, errors="backslashreplace", closefd=False))  # noqa: SIM115


def _kept(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError:  # the controller has none, as a daemon
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
