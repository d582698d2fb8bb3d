"""The bytes of a journal: what was written is read again, and no damage passes for something else."""

from __future__ import annotations

import itertools
import struct
from zlib import crc32

import pytest

from asyncsweep.core.events import Reported
from asyncsweep.errors import JournalError
from asyncsweep.journal import format as layout
from tests.journal import small

HEADER_SIZE = len(layout.header())


def decode(data: bytes) -> layout.Content:
    return layout.decode(data, "journal")


def test_a_journal_gives_back_its_events() -> None:
    assert decode(small.journal()).events == small.events()


def test_every_prefix_gives_the_whole_records_before_it_and_calls_the_rest_torn() -> None:
    data, events = small.journal(), small.events()
    ends = list(itertools.accumulate(map(len, small.records())))
    found = [decode(data[:size]) for size in range(HEADER_SIZE, len(data) + 1)]
    whole = [sum(end <= size for end in ends) - 1 for size in range(HEADER_SIZE, len(data) + 1)]
    assert [(content.events, content.size, content.torn) for content in found] == [
        (events[:n], ends[n], size - ends[n]) for size, n in zip(range(HEADER_SIZE, len(data) + 1), whole, strict=True)
    ]


def test_a_header_that_was_cut_off_is_a_journal_without_events() -> None:
    found = [decode(layout.header()[:size]) for size in range(HEADER_SIZE)]
    assert found == [layout.Content([], 0, size) for size in range(HEADER_SIZE)]


def test_no_flipped_bit_changes_an_event() -> None:
    data, events = bytearray(small.journal()), small.events()
    undetected = []
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        try:
            content = decode(bytes(data))
        except JournalError:
            pass
        else:
            if not content.torn or content.events != events[: len(content.events)]:
                undetected.append(bit)
        data[bit // 8] ^= 1 << bit % 8
    assert undetected == []


def test_damage_in_the_middle_is_an_error_with_its_offset() -> None:
    records = small.records()
    data = bytearray(b"".join(records))
    offset = sum(map(len, records[:3]))
    data[offset + 10] ^= 0xFF
    with pytest.raises(JournalError, match=f"damaged at byte {offset}.*2 events before it are intact") as caught:
        decode(bytes(data))
    assert caught.value.offset == offset


def test_a_record_that_vanished_from_the_middle_is_an_error() -> None:
    records = small.records()
    offset = sum(map(len, records[:4]))
    with pytest.raises(JournalError, match=rf"event 5 is out of order \(offset {offset}\)"):
        decode(b"".join(records[:4] + records[5:]))


@pytest.mark.parametrize("size", [1, 8, 4096])
def test_a_tail_of_zero_bytes_is_torn(size: int) -> None:
    content = decode(small.journal() + bytes(size))
    assert (len(content.events), content.torn) == (len(small.events()), size)


def test_a_newer_format_is_refused_with_the_way_out() -> None:
    head = layout.MAGIC + struct.pack("<I", layout.VERSION + 1)
    newer = head + struct.pack("<I", crc32(head)) + small.journal()[HEADER_SIZE:]
    with pytest.raises(JournalError, match=r"format 2, this asyncsweep reads up to 1: install a newer one"):
        decode(newer)


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(JournalError, match="no asyncsweep journal"):
        decode(b"PK\x03\x04" + bytes(100))


def test_a_whole_record_that_is_no_event_is_an_error_with_its_offset() -> None:
    payload = b"\x93\x01\x02\x03"
    record = struct.pack("<II", len(payload), crc32(payload, len(payload))) + payload
    with pytest.raises(JournalError, match=f"the record at byte {HEADER_SIZE} is whole but is no event"):
        decode(layout.header() + record)


def test_a_record_over_the_limit_is_refused_when_it_is_written() -> None:
    event = Reported(0, 1, 0, 0.0, {"x" * layout.RECORD_LIMIT_BYTES: 0.0})
    with pytest.raises(ValueError, match="over the limit"):
        layout.encode(event)
