"""What an objective prints, kept for each attempt, at no cost for one that prints nothing.

A worker's file descriptors 1 and 2 are one file, opened for appending by its parent, so that output is there also after a
crash, and output of child processes too. At the end of an attempt the file's content becomes the attempt's log and the file
is emptied. A log has at most `limit_bytes`: the first and the last half of it, with a line between that says what was left
out. While an attempt writes without end, `Capture.shrink` (called a few times a second) keeps the file itself small.
"""

from __future__ import annotations

import os

_COPY_BYTES = 1 << 20


class Capture:
    """The output of one worker at a time.

    Args:
        fd: The output file, open for reading and appending.
        limit_bytes: The largest log.
    """

    def __init__(self, fd: int, limit_bytes: int) -> None:
        self._fd = fd
        self._half = limit_bytes // 2
        self._head = b""
        self._tail = b""
        self._dropped = 0

    def shrink(self) -> None:
        """Keep the ends of what was written so far in memory when it is more than a log may hold, and empty the file."""
        if os.fstat(self._fd).st_size > 2 * self._half:
            self._take()

    def collect(self, path: str | None) -> None:
        """Write what was captured to `path` (nothing when there is no output, or no path) and start anew."""
        size = os.fstat(self._fd).st_size
        if not size and not self._head:
            return
        self._take()
        if path is not None:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as log:
                log.write(self._head)
                if self._dropped:
                    log.write(b"\n... %d bytes left out ...\n" % self._dropped)
                log.write(self._tail)
        self._head = self._tail = b""
        self._dropped = 0

    def _take(self) -> None:
        """Move the file's content into head and tail."""
        size = os.fstat(self._fd).st_size
        offset = 0
        if len(self._head) < self._half:
            fresh = _read(self._fd, 0, self._half - len(self._head))
            self._head += fresh
            offset = len(fresh)
        start = max(offset, size - self._half)
        tail = self._tail + _read(self._fd, start, size - start)
        os.ftruncate(self._fd, 0)
        self._dropped += (start - offset) + max(0, len(tail) - self._half)
        self._tail = tail[-self._half :] if self._half else b""


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
