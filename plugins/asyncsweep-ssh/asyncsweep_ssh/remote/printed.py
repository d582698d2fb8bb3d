"""What an attempt prints, on its way to who looks on: a small piece now and then, while there is something new.

The log goes back whole when the attempt has ended. This is only so that nobody has to wait for that, and it costs little: whoever prints
more than the pieces take is shown the end of it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from asyncsweep.worker.capture import look
from asyncsweep.worker.secrets import redacted, trimmed
from asyncsweep_ssh.frames import PRINTED_BYTES

EVERY_S = 0.25
# Looked at again with each piece: what a secret that was cut in two begins with.
_CONTEXT_BYTES = 4096


class Piece(NamedTuple):
    """A piece of what was printed; `offset` is where it begins, in bytes printed."""

    offset: int
    data: bytes


class Printed:
    """The output of a worker, an attempt at a time.

    Args:
        fd: The file that it prints to.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._secret: int | None = None
        self._offset = 0
        self._next_at = 0.0

    def piece(self, secret: int, limit_bytes: int, now: float) -> Piece | None:
        """What is new, if it is time for that.

        Args:
            secret: Tells the attempt that runs from others.
            limit_bytes: The largest log: what no log will have is not looked at.
            now: Seconds on any clock.
        """
        if secret != self._secret:
            self._secret, self._offset = secret, 0
        if now < self._next_at:
            return None
        size = os.fstat(self._fd).st_size
        if size <= self._offset:
            return None
        wanted = max(self._offset, size - PRINTED_BYTES)
        start = max(0, wanted - _CONTEXT_BYTES)
        found = look(self._fd, limit_bytes, start, wanted - start + PRINTED_BYTES)
        data = trimmed(redacted(found.data), ends=True)
        if found.offset > 0:
            data = trimmed(data, ends=False)
        begin = max(wanted, found.offset)
        data = data[begin - found.offset :]
        if not data:  # the attempt has ended meanwhile
            return None
        self._offset, self._next_at = begin + len(data), now + EVERY_S
        return Piece(begin, data)
