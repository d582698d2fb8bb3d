"""The worker's stdout and stderr. Wherever an objective sends or closes them, the next attempt finds them as they were.

What Python prints on a full disk is lost, and is no error of the objective. (What other programs print they write themselves.)
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any


class Output:
    """File descriptors 1 and 2 and the streams over them, as they are now; a closed one leads to nowhere."""

    def __init__(self) -> None:
        self._kept = [(fd, name, _kept(fd)) for fd, name in ((1, "stdout"), (2, "stderr"))]
        self.restore()
        for fd, name, _ in self._kept:
            getattr(sys, name).flush()
            setattr(sys, name, _stream(fd))

    def flush(self) -> None:
        for _, name, _ in self._kept:
            # The objective may have closed it, or put an object of its own there, whose `flush` may raise anything: then
            # there is nothing of ours to lose, and it must not cost the worker.
            with contextlib.suppress(Exception):
                getattr(sys, name).flush()

    def give_up(self) -> None:
        """The streams are the process's own from now on: nothing is kept, and Python knows no older ones."""
        for _, name, kept in self._kept:
            os.close(kept)
            setattr(sys, f"__{name}__", getattr(sys, name))
        self._kept.clear()

    def restore(self) -> None:
        """Undo what an objective closed or redirected. A stream that it replaced by another open one stays."""
        for fd, name, kept in self._kept:
            os.dup2(kept, fd)
            stream = getattr(sys, name)
            if stream is None or getattr(stream, "closed", False):
                setattr(sys, name, _stream(fd))


class _Lenient(io.FileIO):
    """A file descriptor whose disk may be full."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return len(memoryview(data).cast("B"))


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _stream(fd: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(_Lenient(fd, "w", closefd=False))
    return io.TextIOWrapper(raw, errors="backslashreplace", line_buffering=True)


def _kept(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError:  # the controller has none, as a daemon
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
