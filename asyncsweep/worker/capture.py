"""What an objective prints, kept for each attempt, at no cost for one that prints nothing.

A worker's file descriptors 1 and 2 are one file, opened for appending by its parent, so that output is there also after a
crash, and output of child processes too. At the end of an attempt the file's content becomes the attempt's log and the file
is emptied. A log has at most `limit_bytes`: the first and the last half of it, with a line between that says what was left
out. While an attempt writes without end, `Capture.shrink` (called a few times a second) moves the first half to the log
already and keeps only the newest in the file. So whoever collects after a crash finds both ends.
"""

from __future__ import annotations

import contextlib
import os

_COPY_BYTES = 1 << 20


class Capture:
    """The output of one worker, an attempt at a time.

    Args:
        fd: The output file, open for reading and appending.
        limit_bytes: The largest log.
        path: The log of the attempt that runs; None throws its output away.
        has_head: The log's first half was written by another `Capture` of the same file.

    Attributes:
        path: As the argument; set it before an attempt begins.
    """

    def __init__(self, fd: int, limit_bytes: int, path: str | None = None, *, has_head: bool = False) -> None:
        self._fd = fd
        self._half = limit_bytes // 2
        self._has_head = has_head
        self._dropped = 0
        self.path = path

    def shrink(self) -> None:
        """Keep only both ends of what was written so far, when that is more than a log may hold.

        Raises:
            OSError: The log cannot be written.
        """
        size = os.fstat(self._fd).st_size
        if size <= 2 * self._half:
            return
        start = 0
        if not self._has_head:
            self._write(os.O_TRUNC, _read(self._fd, 0, self._half))
            self._has_head = True
            start = self._half
        tail = _read(self._fd, size - self._half, self._half)
        # What the objective writes between these two lines is lost, and counted.
        self._dropped += os.fstat(self._fd).st_size - start - len(tail)
        os.ftruncate(self._fd, 0)
        os.write(self._fd, tail)

    def collect(self) -> None:
        """Complete the log of the attempt (there is none when nothing was printed) and start anew.

        Raises:
            OSError: The log cannot be written; the output is lost.
        """
        size = os.fstat(self._fd).st_size
        if not size and not self._has_head:
            return
        try:
            if self._has_head or size > 2 * self._half:
                start = 0
                if not self._has_head:
                    self._write(os.O_TRUNC, _read(self._fd, 0, self._half))
                    start = self._half
                tail = _read(self._fd, max(start, size - self._half), self._half)
                dropped = self._dropped + size - start - len(tail)
                self._write(
                    os.O_APPEND, b"\n... %s left out ...\n" % (b"%d bytes" % dropped if dropped else b"output"), tail
                )
            else:
                self._write(os.O_TRUNC, _read(self._fd, 0, size))
        finally:
            os.ftruncate(self._fd, 0)
            self._has_head = False
            self._dropped = 0

    def _write(self, how: int, *parts: bytes) -> None:
        if self.path is None:
            return
        folder = os.path.dirname(self.path)
        for missing in (os.path.dirname(folder), folder):
            with contextlib.suppress(FileExistsError):  # made for an earlier attempt
                os.mkdir(missing, 0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
        with open(os.open(self.path, flags, 0o600), "wb") as log:
            for part in parts:
                log.write(part)


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
