"""The bytes of a journal: what was written is read again, and no damage passes for something else."""

from __future__ import annotations

import itertools
import struct
from zlib import crc32

import pytest

from asyncsweep.core.events import AttrSet, Event, Paused, Reported
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


def snapshot_journal(*events: Event) -> bytes:
    return layout.beginning() + b"".join(map(layout.encode, events))


def following(seq: int) -> Event:
    return Paused(seq=seq)


def test_a_snapshot_stands_for_the_events_before_it() -> None:
    kept, end = small.snapshot(7)
    events = [kept, kept, end, following(8), following(9)]
    content = decode(snapshot_journal(*events))
    assert content.events == events
    assert content.snapshot_bytes == sum(len(layout.encode(event)) for event in events[:3])


def test_a_snapshot_without_trials_is_one() -> None:
    end = small.snapshot(7)[-1]
    assert decode(snapshot_journal(end)).events == [end]


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([*small.snapshot(7), following(9)], 9),
        ([*small.snapshot(7), following(7)], 7),
        ([*small.snapshot(7), *small.snapshot(7)], 7),
        ([*small.snapshot(7), *small.snapshot(8)], 8),
        ([small.snapshot(7)[0], small.snapshot(8)[1]], 8),
        ([small.snapshot(7)[0], following(8)], 8),
        ([small.snapshot(7)[0], following(7)], 7),
        ([small.snapshot(7)[0], small.opened()], 1),
        ([*small.snapshot(1), small.opened()], 1),
        ([small.opened(), *small.snapshot(1)], 1),
        ([small.opened(), *small.snapshot(2)], 2),
        ([*small.snapshot(0)], 0),
        ([following(1)], 1),
        ([small.opened(), small.opened()], 1),
    ],
)  # fmt: skip
def test_what_cannot_stand_beside_a_snapshot_is_out_of_order(events: list[Event], wrong: int) -> None:
    with pytest.raises(JournalError, match=f"event {wrong} is out of order"):
        decode(snapshot_journal(*events))


def test_a_snapshot_that_is_cut_off_is_damage_and_no_torn_tail() -> None:
    data = snapshot_journal(*small.snapshot(7))
    kept = len(snapshot_journal(small.snapshot(7)[0]))
    for size in range(kept, len(data)):
        with pytest.raises(JournalError, match="the snapshot that it begins with is cut off there"):
            decode(data[:size])


def marked(*n_unsynced: int) -> tuple[bytes, list[int]]:
    """The small journal with a mark behind each record that says how much before it was not synced; where records begin."""
    data, begins = layout.beginning(), []
    for record, unsynced in zip(small.records()[1:], n_unsynced, strict=True):
        begins.append(len(data))
        data += record + layout.mark(unsynced)
    return data, begins


def test_marks_are_no_events() -> None:
    data, _ = marked(*[0] * len(small.events()))
    assert decode(data) == layout.Content(small.events(), len(data), 0, 0, len(small.events()))


def test_a_broken_record_that_had_been_synced_is_damage() -> None:
    data, begins = marked(*[0] * len(small.events()))
    for n, begin in enumerate(begins):
        broken = bytearray(data)
        broken[begin + 9] ^= 1
        with pytest.raises(JournalError, match=f"damaged at byte {begin}: .*; {n} events before it are intact"):
            decode(bytes(broken))


def test_a_broken_record_that_had_not_been_synced_is_torn_with_all_that_follows() -> None:
    data, begins = marked(*[2**62] * len(small.events()))
    for n, begin in enumerate(begins):
        broken = bytearray(data)
        broken[begin + 9] ^= 1
        content = decode(bytes(broken))
        assert content == layout.Content(small.events()[:n], begin, len(data) - begin, 0, n)


def test_a_broken_mark_is_torn_as_a_record_is() -> None:
    data, begins = marked(*[2**62] * len(small.events()))
    broken = bytearray(data)
    broken[begins[3] - 1] ^= 1
    assert decode(bytes(broken)).events == small.events()[:3]


def test_behind_a_writer_that_never_syncs_whole_records_are_a_sign_of_damage() -> None:
    events = small.records()[1:]
    data = layout.beginning() + layout.mark(layout.NEVER_SYNCED) + b"".join(events)
    broken = bytearray(data)
    broken[-len(events[-1]) - 1] ^= 1
    with pytest.raises(JournalError, match="damaged at byte"):
        decode(bytes(broken))


def test_behind_a_writer_that_never_syncs_a_last_record_that_is_cut_off_is_torn() -> None:
    data = layout.beginning() + layout.mark(layout.NEVER_SYNCED) + b"".join(small.records()[1:])
    assert decode(data[:-1]).events == small.events()[:-1]


def test_a_writer_that_syncs_again_is_believed_again() -> None:
    events = small.records()[1:]
    data = layout.beginning() + layout.mark(layout.NEVER_SYNCED) + events[0] + layout.mark(0) + b"".join(events[1:])
    broken = bytearray(data)
    broken[-len(events[-1]) - 1] ^= 1
    assert decode(bytes(broken)).events == small.events()[:-2]


@pytest.mark.parametrize("limit", [-1, 0])
def test_a_record_may_be_as_large_as_the_limit_and_no_larger(limit: int) -> None:
    room = (
        layout.RECORD_LIMIT_BYTES - len(layout.encode(AttrSet(0, 1, "x", b""))) + 8 - 3
    )  # a longer length takes 3 more
    event = AttrSet(0, 1, "x", bytes(room - limit))
    if limit:
        with pytest.raises(ValueError, match="over the limit"):
            layout.encode(event)
    else:
        assert len(layout.encode(event)) == layout.RECORD_LIMIT_BYTES + 8
