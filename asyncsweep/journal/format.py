"""The bytes of a journal.

    header   8 bytes magic, then format version and CRC-32 of magic and version, each a little-endian u32
    record   length and CRC-32, each a little-endian u32, then `length` bytes of MessagePack: one event
    ...

The CRC covers the length too. The first event is `SweepOpened`, so the settings follow the header. A record that is cut off
or damaged with no whole record behind it is a torn tail, left by a write that never ended: it can be cut. With a whole record
behind it, it is damage, and nothing is skipped silently. No record is empty: a tail of zero bytes, which a power loss leaves
on some file systems, is a torn one.
"""

from __future__ import annotations

import gc
import struct
from functools import reduce
from operator import or_
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from asyncsweep.core.events import EVENTS, Event, SweepOpened
from asyncsweep.errors import JournalError

MAGIC = b"\x89ASWEEP\n"
VERSION = 1
RECORD_LIMIT_BYTES = 16 * 2**20

_HEADER = struct.Struct("<8sII")
_PREFIX = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, EVENTS))


class Content(NamedTuple):
    """What a journal holds.

    Attributes:
        events: Every whole event, in order.
        size: The bytes up to the end of the last whole record.
        torn: How many bytes follow that, left by a write that never ended.
    """

    events: list[Event]
    size: int
    torn: int


class Record(NamedTuple):
    """A whole record.

    Attributes:
        offset: Where it begins.
        end: Where it ends.
        event: What it holds; None when that is no event of this format.
    """

    offset: int
    end: int
    event: Event | None


def header() -> bytes:
    return _HEADER.pack(MAGIC, VERSION, crc32(MAGIC + _LENGTH.pack(VERSION)))


def encode(event: Event) -> bytes:
    """One record.

    Raises:
        TypeError: A value in the event is of a type that MessagePack does not have.
        OverflowError: An integer has more than 64 bits.
        ValueError: The record is larger than the limit.
    """
    payload = _encoder.encode(event)
    length = len(payload)
    if length > RECORD_LIMIT_BYTES:
        raise ValueError(f"a {type(event).__name__} of {length} bytes is over the limit of {RECORD_LIMIT_BYTES}")
    return _PREFIX.pack(length, crc32(payload, length)) + payload


def decode(data: bytes, path: str) -> Content:
    """Read a journal; one that was cut off within its header holds nothing.

    Raises:
        JournalError: It is no journal, of a newer format, or damaged before its end.
    """
    if header().startswith(data):
        return Content([], 0, len(data)) if len(data) < _HEADER.size else Content([], len(data), 0)
    _check_header(data, path)
    events: list[Event] = []
    offset, end = _HEADER.size, len(data)
    view = memoryview(data)
    # Millions of small objects that all stay: looking for cycles among them would take most of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        while offset < end:
            after = _record_end(view, offset)
            if after is None:
                break
            event = _event(view[offset + _PREFIX.size : after], offset, path)
            if event.seq != len(events) + 1 or isinstance(event, SweepOpened) != (not events):
                raise JournalError(
                    f"{path}: event {event.seq} is out of order (offset {offset})", path=path, offset=offset
                )
            events.append(event)
            offset = after
    finally:
        if collecting:
            gc.enable()
    if offset < end and next_record(view, offset + 1) is not None:
        raise JournalError(
            f"{path} is damaged at byte {offset}: the record there is broken and whole ones follow it; "
            f"{len(events)} events before it are intact",
            path=path,
            offset=offset,
        )
    return Content(events, offset, end - offset)


def _check_header(data: bytes, path: str) -> None:
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise JournalError(f"{path} is no asyncsweep journal", path=path, offset=0)
    _, version, checksum = _HEADER.unpack_from(data)
    if checksum != crc32(data[: len(MAGIC) + _LENGTH.size]):
        raise JournalError(f"{path}: its header is damaged", path=path, offset=0)
    if version > VERSION:
        raise JournalError(
            f"{path} has format {version}, this asyncsweep reads up to {VERSION}: install a newer one",
            path=path,
            offset=8,
        )


def _record_end(view: memoryview, offset: int) -> int | None:
    """Where the record at `offset` ends; None when it is not whole."""
    if len(view) - offset < _PREFIX.size:
        return None
    length, checksum = _PREFIX.unpack_from(view, offset)
    after: int = offset + _PREFIX.size + length
    if not 0 < length <= RECORD_LIMIT_BYTES or after > len(view):
        return None
    return after if crc32(view[offset + _PREFIX.size : after], length) == checksum else None


def _event(payload: memoryview, offset: int, path: str) -> Event:
    try:
        event: Event = _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise JournalError(
            f"{path}: the record at byte {offset} is whole but is no event: {error}", path=path, offset=offset
        ) from error
    return event


def record_at(view: memoryview, offset: int) -> Record | None:
    """The record that begins at `offset`; None when it is not whole."""
    end = _record_end(view, offset)
    if end is None:
        return None
    try:
        return Record(offset, end, _decoder.decode(view[offset + _PREFIX.size : end]))
    except msgspec.MsgspecError:
        return Record(offset, end, None)


def next_record(view: memoryview, start: int) -> Record | None:
    """The first whole record with an event that begins at `start` or behind it; None when there is none."""
    for offset in range(start, len(view) - _PREFIX.size):
        record = record_at(view, offset)
        if record is not None and record.event is not None:
            return record
    return None
