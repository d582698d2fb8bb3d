"""The bytes of a journal.

    header   8 bytes magic, then format version and CRC-32 of magic and version, each a little-endian u32
    record   length and CRC-32, each a little-endian u32, then `length` bytes of MessagePack: one event
    mark     u32 0xFFFFFFFF and CRC-32, then u64 N: but for the N bytes before it, all had been synced when it was written
    ...

The CRC covers the length too. The first event is `SweepOpened`, number 1, so the settings follow the header; or it is a
snapshot, which stands for the events up to number S: any number of `Kept`, then one `Snapshot`, all with the number S, and
event S + 1 is next. A snapshot is written before its file gets the journal's name, so it is whole.

What a broken record means depends on where it is. A process that is killed leaves whole records and at most one that was cut
off. A power loss can also take some blocks of what was not synced and leave later ones. So what no mark says to be synced may
be broken in any way: it is a torn tail, left by writes that never ended, and is cut at the first broken record. A record that
is broken though a mark says that it was synced was damaged later: nothing is skipped silently, nothing after it is believed.
A writer that never syncs says so by a mark with N = 2**64 - 1; from there on, and in a file without marks, whole records
behind a broken one are taken for a sign of damage. No record is empty: a tail of zero bytes, which a power loss leaves, is a
torn one, and so is a file of nothing else.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_
from pathlib import PurePath
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from asyncsweep.core.events import EVENTS, Event, Kept, Snapshot, SweepOpened
from asyncsweep.errors import JournalError

MAGIC = b"\x89ASWEEP\n"
VERSION = 1
RECORD_LIMIT_BYTES = 16 * 2**20
NEVER_SYNCED = 2**64 - 1

_HEADER = struct.Struct("<8sII")
_PREFIX = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_UNSYNCED = struct.Struct("<Q")
_MARK = 0xFFFFFFFF
MARK_BYTES = _PREFIX.size + _UNSYNCED.size
_pack_prefix = _PREFIX.pack
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, EVENTS))


class Content(NamedTuple):
    """What a journal holds.

    Attributes:
        events: Every whole event, in order; empty when they were taken one by one.
        size: The bytes up to the end of the last whole record.
        torn: How many bytes follow that, left by writes that never ended.
        snapshot_bytes: The bytes of the snapshot at its beginning, 0 when there is none.
        seq: The number of the last event; 0 when there is none.
    """

    events: list[Event]
    size: int
    torn: int
    snapshot_bytes: int = 0
    seq: int = 0


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


def beginning() -> bytes:
    """What a new journal begins with: the header, and a mark that says that marks will follow."""
    return header() + mark(0)


def mark(unsynced: int) -> bytes:
    """Says that all but the `unsynced` bytes before it had been synced; `NEVER_SYNCED`, that what follows it never will be."""
    payload = _UNSYNCED.pack(unsynced)
    return _PREFIX.pack(_MARK, crc32(payload, _MARK)) + payload


def encode(event: Event) -> bytes:
    """One record.

    Raises:
        TypeError: A value in the event is of a type that MessagePack does not have.
        OverflowError: An integer has more than 64 bits.
        ValueError: The record is larger than the limit.
    """
    record = bytearray()
    encode_into(record, event)
    return bytes(record)


def encode_into(records: bytearray, event: Event) -> None:
    """Append a record. It raises what `encode` does, and has appended nothing then."""
    payload = _encode(event)
    length = len(payload)
    if length > RECORD_LIMIT_BYTES:
        raise ValueError(f"a {type(event).__name__} of {length} bytes is over the limit of {RECORD_LIMIT_BYTES}")
    records += _pack_prefix(length, crc32(payload, length))
    records += payload


def decode(data: bytes, path: str, take: Callable[[Event], object] | None = None) -> Content:
    """Read a journal; one that was cut off within its header holds nothing.

    Args:
        data: Its bytes.
        path: Where it is, for errors.
        take: Gets each event in turn, which is then in no list; None lists them.

    Raises:
        JournalError: It is no journal, of a newer format, or damaged.
    """
    if header().startswith(data):
        return Content([], 0, len(data)) if len(data) < _HEADER.size else Content([], len(data), 0)
    if not data.strip(b"\0"):
        return Content([], 0, len(data))
    _check_header(data, path)
    reading = _Reading(data, path, take)
    # Millions of small objects that all stay: looking for cycles among them would take most of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        reading.run()
    finally:
        if collecting:
            gc.enable()
    return reading.content()


class _Reading:
    """The way through the records of one journal, up to the first broken one."""

    def __init__(self, data: bytes, path: str, take: Callable[[Event], object] | None) -> None:
        self._view = memoryview(data)
        self._path = path
        self._events: list[Event] = []
        self._take = take or self._events.append
        self._before: Event | None = None
        self._n_events = 0
        self._offset = _HEADER.size
        self._may_be_torn = False
        self._snapshot_bytes = 0

    def run(self) -> None:
        view, end = self._view, len(self._view)
        unpack, decode_event, take, prefix_bytes = _PREFIX.unpack_from, _decoder.decode, self._take, _PREFIX.size
        offset, following, n_events = self._offset, 0, 0
        while end - offset >= prefix_bytes:
            length, checksum = unpack(view, offset)
            start = offset + prefix_bytes
            after = start + length
            if not 0 < length <= RECORD_LIMIT_BYTES or after > end:
                if (synced := synced_at(view, offset)) is None:
                    break
                self._may_be_torn = synced != NEVER_SYNCED
                offset += MARK_BYTES
                continue
            payload = view[start:after]
            if crc32(payload, length) != checksum:
                break
            self._offset = offset
            try:
                event = decode_event(payload)
            except msgspec.MsgspecError as error:
                raise self._error(f"the record at byte {offset} is whole but is no event: {error}") from error
            if event.seq != following or event.__class__ in _FIRST:
                following = self._first(event, after)
            else:
                following += 1
            take(event)
            n_events += 1
            self._before = event
            offset = after
        self._offset = offset
        self._n_events = n_events

    def content(self) -> Content:
        """What was found.

        Raises:
            JournalError: What stopped the reading is no torn tail.
        """
        offset, end, last = self._offset, len(self._view), self._before
        if offset < end and is_damage(self._view, offset, self._may_be_torn):
            raise self._error(
                f"damaged at byte {offset}: the record there is broken, and it was whole once; "
                f"{self._n_events} events before it are intact. "
                f"Mend it with: asyncsweep journal repair {PurePath(self._path).parent}"
            )
        if isinstance(last, Kept):
            raise self._error(f"damaged at byte {offset}: the snapshot that it begins with is cut off there")
        return Content(self._events, offset, end - offset, self._snapshot_bytes, 0 if last is None else last.seq)

    def _first(self, event: Event, after: int) -> int:
        """See that one of the first events is in its place; gives the number of the next one, -1 for one of a snapshot.

        Raises:
            JournalError: It is not, or an event does not have the number that is next.
        """
        before = self._before
        if isinstance(event, SweepOpened):
            if before is None and event.seq == 1:
                return 2
        elif isinstance(event, Kept | Snapshot) and (
            event.seq > 0 if before is None else isinstance(before, Kept) and event.seq == before.seq
        ):
            if isinstance(event, Kept):
                return -1
            self._snapshot_bytes = after - len(beginning())
            return event.seq + 1
        raise self._error(f"event {event.seq} is out of order (offset {self._offset})")

    def _error(self, what: str) -> JournalError:
        return JournalError(f"{self._path}: {what}", path=self._path, offset=self._offset)


_FIRST = frozenset((SweepOpened, Kept, Snapshot))


def follows(event: Event, before: Event | None) -> bool:
    """Whether an event can stand behind another one, or with None at the beginning, by their types and numbers."""
    if isinstance(event, Kept | Snapshot):
        return before is None or (isinstance(before, Kept) and event.seq == before.seq)
    if before is None:
        return isinstance(event, SweepOpened) and event.seq == 1
    return event.seq == before.seq + 1 and not isinstance(before, Kept) and not isinstance(event, SweepOpened)


def is_damage(view: memoryview, offset: int, may_be_torn: bool) -> bool:
    """Whether the broken record at `offset` was whole once; False when a kill or a power loss may have left it and the rest.

    Args:
        view: The journal.
        offset: Where no whole record and no whole mark begins.
        may_be_torn: Whether the last mark before it says that later writes are synced in time.
    """
    if any(synced > offset for synced in _synced_from(view, offset + 1)):
        return True
    return not may_be_torn and next_record(view, offset + 1) is not None


def record_at(view: memoryview, offset: int) -> Record | None:
    """The record that begins there; None when there is no whole one."""
    if len(view) - offset < _PREFIX.size:
        return None
    length, checksum = _PREFIX.unpack_from(view, offset)
    start = offset + _PREFIX.size
    after = start + length
    if not 0 < length <= RECORD_LIMIT_BYTES or after > len(view) or crc32(view[start:after], length) != checksum:
        return None
    try:
        return Record(offset, after, _decoder.decode(view[start:after]))
    except msgspec.MsgspecError:
        return Record(offset, after, None)


def next_record(view: memoryview, start: int) -> Record | None:
    """The first whole record with an event that begins somewhere from `start` on, whatever is before it."""
    for offset in range(start, len(view) - _PREFIX.size):
        record = record_at(view, offset)
        if record is not None and record.event is not None:
            return record
    return None


def after_marks(view: memoryview, offset: int, may_be_torn: bool) -> tuple[int, bool]:
    """Where the marks that stand at `offset` end, and whether what follows may be torn: as before where there are none."""
    while (synced := synced_at(view, offset)) is not None:
        offset += MARK_BYTES
        may_be_torn = synced != NEVER_SYNCED
    return offset, may_be_torn


def synced_at(view: memoryview, offset: int) -> int | None:
    """Up to which byte all was synced, says the mark at `offset`, or `NEVER_SYNCED`; None when there is no whole mark."""
    if len(view) - offset < MARK_BYTES:
        return None
    kind, checksum = _PREFIX.unpack_from(view, offset)
    payload = view[offset + _PREFIX.size : offset + MARK_BYTES]
    if kind != _MARK or crc32(payload, _MARK) != checksum:
        return None
    unsynced: int = _UNSYNCED.unpack(payload)[0]
    return NEVER_SYNCED if unsynced == NEVER_SYNCED else max(0, offset - unsynced)


def _synced_from(view: memoryview, start: int) -> Iterator[int]:
    """What every whole mark says that begins somewhere from `start` on."""
    data, sign = bytes(view[start:]), _LENGTH.pack(_MARK)
    at = data.find(sign)
    while at >= 0:
        if (synced := synced_at(view, start + at)) is not None:
            yield synced
        at = data.find(sign, at + 1)


def _check_header(data: bytes, path: str) -> None:
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise JournalError(
            f"{path} is no asyncsweep journal, or its first bytes are damaged, which this would tell: "
            f"asyncsweep journal check {PurePath(path).parent}",
            path=path,
            offset=0,
        )
    _, version, checksum = _HEADER.unpack_from(data)
    if checksum != crc32(data[: len(MAGIC) + _LENGTH.size]):
        raise JournalError(f"{path}: its header is damaged", path=path, offset=0)
    if version > VERSION:
        raise JournalError(
            f"{path} has format {version}, this asyncsweep reads up to {VERSION}: install a newer one",
            path=path,
            offset=8,
        )
