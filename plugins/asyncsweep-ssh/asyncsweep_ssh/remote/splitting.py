"""The messages of a worker, told apart without being changed: the agent passes them on as the bytes that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack

from asyncsweep.wire.messages import FAILED, FINISHED, PRUNED

_ENDS = (FINISHED, PRUNED, FAILED)
_LIMIT_BYTES = 16 * 2**20


class Piece(NamedTuple):
    """Some whole messages; `secret` is that of the attempt which the last of them ends, None when none does."""

    data: bytes
    secret: int | None


class Splitter:
    """Takes a worker's bytes and gives them in pieces that stop behind the end of an attempt.

    What is no message is passed on as it is: to complain is the controller's business.
    """

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=_LIMIT_BYTES, strict_map_key=False, max_array_len=_LIMIT_BYTES // 4, ext_hook=_no_extension
        )
        self._data = bytearray()
        self._start = 0
        self._is_broken = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The pieces that are whole by now."""
        self._data += data
        if not self._is_broken:
            try:
                self._unpacker.feed(data)
                yield from self._ended()
            except Exception:  # the decoder's own complaint: the controller makes it
                self._is_broken = True
        size = len(self._data) if self._is_broken else self._unpacker.tell() - self._start
        if size:
            yield Piece(self._take(size), None)

    def rest(self) -> bytes:
        """What was begun and never ended."""
        return self._take(len(self._data))

    def _ended(self) -> Iterator[Piece]:
        while True:
            try:
                message = self._unpacker.unpack()
            except msgpack.OutOfData:
                return
            secret = _secret_of(message)
            if secret is not None:
                yield Piece(self._take(self._unpacker.tell() - self._start), secret)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._start += size
        return taken


def _secret_of(message: Any) -> int | None:
    if type(message) is list and len(message) > 1 and message[0] in _ENDS and type(message[1]) is int:
        return message[1]
    return None


def _no_extension(code: int, data: bytes) -> None:
    raise ValueError("an extension type")
