"""What an objective prints, kept for each attempt, at no cost for one that prints nothing.

A worker's file descriptors 1 and 2 are one file, opened for appending by its parent, so that output is there also after a
crash, and output of child processes too. At the end of an attempt the file's content becomes the attempt's log and the file
is emptied. A log has at most `limit_bytes`: the first and the last half of it, with a line between that says what was left
out. While an attempt writes without end, `Capture.shrink` (called a few times a second) gives the middle of the file back to
the disk: it becomes a hole, nothing moves, and so nothing that is written meanwhile can be lost.

The file has a name, that of its worker, while the worker lives: what a parent that was killed leaves can be made logs of by the
next one.

A log is written without the secrets that this process knows (`asyncsweep.worker.secrets`).
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import NamedTuple

from asyncsweep.worker.folders import make
from asyncsweep.worker.secrets import redacted, trimmed

_COPY_BYTES = 1 << 20
_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02
_OUTPUT = re.compile(r"worker-(process-[1-9][0-9]{0,17}|[0-9a-f]{8})\.log")


def output_name(worker: str) -> str:
    """The name of the file with a worker's output, in the sweep's directory."""
    return f"worker-{worker}.log"


def worker_of(name: str) -> str | None:
    """Whose output a file of this name holds; None for any other file."""
    found = _OUTPUT.fullmatch(name)
    return None if found is None else found[1]


class Output(NamedTuple):
    """A piece of what an attempt that runs has printed.

    Attributes:
        data: The piece; empty when there is nothing (more) yet.
        offset: Where it begins, in bytes printed. That is beyond what was asked for where nobody keeps what is between.
        total: How many bytes were printed so far.
    """

    data: bytes
    offset: int
    total: int


class Capture:
    """The output of one worker, an attempt at a time.

    Args:
        fd: The output file, open for reading and appending.
        limit_bytes: The largest log.
        path: The log of the attempt that runs; None throws its output away.

    Attributes:
        path: As the argument; set it before an attempt begins.
    """

    def __init__(self, fd: int, limit_bytes: int, path: str | None = None) -> None:
        self._fd = fd
        self._limit_bytes = limit_bytes
        self._half = limit_bytes // 2
        self._hole_ends = 0
        self.path = path

    def shrink(self) -> None:
        """Give back the disk space of what no log will have.

        Where that cannot be done (not Linux, or a file system without holes), the file is as long as what was printed, until
        the attempt ends.
        """
        end = os.fstat(self._fd).st_size - self._half
        start = max(self._half, self._hole_ends)
        if end - start > 2 * self._half and sys.platform == "linux":
            import ctypes  # for the few that print so much

            libc = ctypes.CDLL(None)
            libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
            libc.fallocate(self._fd, _KEEP_SIZE_AND_PUNCH_HOLE, start, end - start)
            self._hole_ends = end

    def last(self, count: int) -> bytes:
        """The end of what the attempt printed, at most so many bytes."""
        size = os.fstat(self._fd).st_size
        return _read(self._fd, max(0, size - count), min(size, count))

    def close(self) -> None:
        """Have nothing more to do with the output: this process is a fork of the one that keeps it."""
        os.close(self._fd)

    def collect(self) -> None:
        """Write the log of the attempt (there is none when nothing was printed) and start anew.

        Raises:
            OSError: The log cannot be written; the output is lost.
        """
        if not os.fstat(self._fd).st_size:
            return
        try:
            if self.path is not None:
                write_log(self._fd, self._limit_bytes, self.path)
        finally:
            os.ftruncate(self._fd, 0)
            self._hole_ends = 0


def write_log(fd: int, limit_bytes: int, path: str) -> None:
    """Make a log of what is in an output file. The trial's folder is made if it is missing.

    Args:
        fd: The output file.
        limit_bytes: The largest log.
        path: The log.

    Raises:
        OSError: It cannot be written; nothing is left by half.
    """
    size, half = os.fstat(fd).st_size, limit_bytes // 2
    folder = os.path.dirname(path)
    make(os.path.dirname(folder), os.path.basename(folder))
    new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(new, "wb") as log:
            os.fchmod(log.fileno(), 0o600)
            left_out = size - 2 * half
            if left_out > 0:
                log.write(redacted(trimmed(_read(fd, 0, half), ends=True)))
                log.write(b"\n... %d bytes left out ...\n" % left_out)
                log.write(redacted(trimmed(_read(fd, size - half, half), ends=False)))
            else:
                log.write(redacted(_read(fd, 0, size)))
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        raise


def look(fd: int, limit_bytes: int, offset: int, count: int) -> Output:
    """Read from the output of an attempt that runs, which may be shrunk and collected meanwhile.

    Args:
        fd: The output file.
        limit_bytes: The largest log.
        offset: Where to begin, in bytes printed.
        count: The most bytes to read.
    """
    half = limit_bytes // 2
    while True:
        total = os.fstat(fd).st_size
        if half <= offset < total - half:  # a hole by now, or soon: skip to what stays for a while
            offset = total - half // 2
        elif offset < half < total - half:
            count = min(count, half - offset)
        data = os.pread(fd, count, offset)
        if offset < half or offset >= os.fstat(fd).st_size - half:
            return Output(data, offset, total)


def _read(fd: int, offset: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = os.pread(fd, min(count, _COPY_BYTES), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return b"".join(parts)
