"""MessagePack messages in a stream of bytes, with a limit on every size.

What a worker sends is data from code that we do not know, so nothing in it may cost more than its own bytes: a length that
claims more than `limit_bytes` ends the stream, extension types are refused, nesting is bounded by the decoder.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from typing import Any, cast

import msgpack

MESSAGE_LIMIT_BYTES = 16 * 2**20
SETUP_LIMIT_BYTES = 2**30


class StreamError(Exception):
    """The bytes are no message."""


def _refuse_extension(code: int, data: bytes) -> Any:
    raise StreamError(f"MessagePack extension type {code} is not accepted")


def pack(message: tuple[Any, ...]) -> bytes:
    """The bytes of one message.

    Raises:
        TypeError: A value is of a type that MessagePack does not have.
        OverflowError: An integer has more than 64 bits.
        ValueError: A text is no valid unicode, or the nesting is too deep.
    """
    return cast(bytes, msgpack.Packer().pack(message))


class Decoder:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self, limit_bytes: int = MESSAGE_LIMIT_BYTES) -> None:
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=limit_bytes,
            strict_map_key=False,
            # A list is made for as many elements as its head claims: 8 bytes each, before any has arrived.
            max_array_len=limit_bytes // 4,
            ext_hook=_refuse_extension,
            timestamp=1,  # the one extension that the hook does not see becomes a plain number
        )

    def feed(self, data: bytes | memoryview) -> None:
        """Take more bytes.

        Raises:
            StreamError: A message is larger than the limit.
        """
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull as error:
            raise StreamError("a message is larger than the limit") from error

    def __iter__(self) -> Iterator[list[Any]]:
        """The messages that are whole by now.

        Raises:
            StreamError: The bytes are no MessagePack, or a message is no array that starts with a tag.
        """
        try:
            for message in self._unpacker:
                if type(message) is not list or not message or type(message[0]) is not int:
                    raise StreamError(f"a message must be an array that starts with a tag, not {reprlib.repr(message)}")
                yield message
        except (msgpack.UnpackException, ValueError, TypeError, RecursionError, MemoryError) as error:
            raise StreamError(f"not a MessagePack message: {str(error) or type(error).__name__}") from error
