"""What is put around a sweep to count what it sends and writes, and to keep time out of it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from asyncsweep.journal.files import OsFile

_STANDING_S = 1000.0


@contextlib.contextmanager
def stillness() -> Iterator[None]:
    """The clock that the event loop and the driver go by stands still: no timer fires, and no time is too long ago."""
    with patch.object(time, "monotonic", itertools.repeat(_STANDING_S).__next__):
        yield


class Traffic:
    """The bytes on the links to the workers, both ways, and the writes of the journal, since it was made."""

    def __init__(self) -> None:
        self.link_bytes = 0
        self.journal_writes = 0

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        append, pair = OsFile.append, socket.socketpair

        def counting_append(file: OsFile, data: bytes | bytearray) -> None:
            self.journal_writes += 1
            append(file, data)

        def counting_pair(*arguments: Any) -> tuple[socket.socket, socket.socket]:
            ours, theirs = pair(*arguments)
            caller = sys._getframe(1).f_globals["__name__"]
            if not caller.startswith("asyncsweep."):  # the event loop has one of its own
                return ours, theirs
            return _Counting(self._add, fileno=ours.detach()), theirs

        with patch.object(OsFile, "append", counting_append), patch.object(socket, "socketpair", counting_pair):
            yield

    def _add(self, n_bytes: int) -> None:
        self.link_bytes += n_bytes


class _Counting(socket.socket):
    """A socket that tells how much went through it."""

    def __init__(self, add: Callable[[int], None], fileno: int) -> None:
        super().__init__(fileno=fileno)
        self._add = add

    def send(self, data: Any, flags: int = 0) -> int:
        return self._told(super().send(data, flags))

    def sendall(self, data: Any, flags: int = 0) -> None:
        super().sendall(data, flags)
        self._add(len(data))

    def sendmsg(self, *arguments: Any) -> int:
        return self._told(super().sendmsg(*arguments))

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        self._add(len(data))
        return data

    def recv_into(self, *arguments: Any) -> int:
        return self._told(super().recv_into(*arguments))

    def _told(self, n_bytes: int) -> int:
        self._add(n_bytes)
        return n_bytes
