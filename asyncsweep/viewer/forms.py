"""The two forms of the stream: JSON in text messages, MessagePack in binary ones. What they say is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec


class Form:
    """How messages are written and read; there are two, `JSON` and `MSGPACK`.

    Attributes:
        name: As the subprotocol has it.
        encode: A value as bytes.
    """

    def __init__(
        self,
        name: str,
        encode: Callable[[Any], bytes],
        decode: Callable[..., Any],
        array: Callable[[Sequence[bytes]], bytes],
    ) -> None:
        self.name = name
        self.encode = encode
        self._decode = decode
        self._array = array

    def joined(self, items: Sequence[bytes]) -> msgspec.Raw:
        """An array of values that are encoded already, to be put into a value."""
        return msgspec.Raw(self._array(items))

    def decode(self, data: bytes | str, kind: Any = Any) -> Any:
        """A value of a type.

        Raises:
            msgspec.DecodeError: It is none.
        """
        try:
            return self._decode(data, type=kind)
        except (RecursionError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, msgspec.DecodeError):
                raise
            raise msgspec.DecodeError(
                "nested too deeply" if isinstance(error, RecursionError) else str(error)
            ) from None


def _json_array(items: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _msgpack_array(items: Sequence[bytes]) -> bytes:
    n = len(items)
    if n < 16:
        head = bytes([0x90 | n])
    elif n < 2**16:
        head = b"\xdc" + n.to_bytes(2)
    else:
        head = b"\xdd" + n.to_bytes(4)
    return head + b"".join(items)


JSON = Form("json", msgspec.json.Encoder().encode, msgspec.json.decode, _json_array)
MSGPACK = Form("msgpack", msgspec.msgpack.Encoder().encode, msgspec.msgpack.decode, _msgpack_array)
