"""A journal looked at: what it holds, whether it is whole, and where it is not; nothing is changed."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from asyncsweep.core.effects import Finish
from asyncsweep.core.events import Event, Killed, Started
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import State
from asyncsweep.core.snapshot import freeze
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.inspection import Damage, Reading, Report, check
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import Bench, finished, reported, spec, started, suggested, worker_joined
from tests.journal import small


def checked(directory: Path, data: bytes) -> Report:
    (directory / NAME).write_bytes(data)
    return check(directory)


def record(payload: bytes) -> bytes:
    return struct.pack("<II", len(payload), crc32(payload, len(payload))) + payload


def encoded(events: list[Event]) -> bytes:
    return layout.header() + b"".join(map(layout.encode, events))


def snapshot(n_events: int = 6) -> list[Event]:
    """The small sweep as a snapshot after some events, and the events behind it."""
    machine = Machine()
    events = small.events()
    for event in events[:n_events]:
        machine.handle(event)
    return [*freeze(machine), *events[n_events:]]


def test_a_whole_journal_is_fine(tmp_path: Path) -> None:
    data, events = small.journal(), small.events()
    trials = dict.fromkeys(State, 0) | {State.COMPLETE: 1, State.RUNNING: 1}
    assert checked(tmp_path, data) == Report(
        tmp_path / NAME, len(data), len(events), len(events), trials, 0.0, 0.0, None, 0, None, 0
    )


def test_how_the_sweep_ended_is_told(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=1), worker_joined())
    bench.send(suggested(0), started(0), finished(0, 1.0), after_s=2.0)
    report = checked(tmp_path, encoded(bench.journal))
    assert (report.finish, report.first_at, report.last_at) == (Finish("n_trials reached"), 0.0, 6.0)


@pytest.mark.parametrize("size", [0, 5, 16])
def test_a_journal_that_never_began_is_fine(tmp_path: Path, size: int) -> None:
    report = checked(tmp_path, small.journal()[:size])
    assert (report.n_events, report.last_at, report.damage, report.torn) == (0, None, None, size % 16)


def test_a_torn_tail_is_fine_and_told(tmp_path: Path) -> None:
    report = checked(tmp_path, small.journal()[:-3])
    torn = len(small.records()[-1]) - 3
    assert (report.damage, report.torn, report.n_events) == (None, torn, len(small.events()) - 1)


def test_a_broken_record_in_the_middle_is_damage_with_its_place_and_what_is_left(tmp_path: Path) -> None:
    records = small.records()
    data = bytearray(b"".join(records))
    offset = sum(map(len, records[:4]))
    data[offset + 9] ^= 1
    report = checked(tmp_path, bytes(data))
    assert report.damage == Damage(offset, "the record there is broken, and it was whole once")
    assert (report.n_events, report.n_after, report.torn) == (3, len(records) - 5, 0)


def test_what_stands_between_several_damages_is_counted(tmp_path: Path) -> None:
    records = small.records()
    broken = [bytes(len(one)) if place in (4, 6) else one for place, one in enumerate(records)]
    assert checked(tmp_path, b"".join(broken)).n_after == len(records) - 6


def test_a_missing_record_is_damage(tmp_path: Path) -> None:
    records = small.records()
    report = checked(tmp_path, b"".join(records[:4] + records[5:]))
    assert report.damage is not None
    assert report.damage.reason == "event 5 (Reported) is out of order: it follows event 3"


def test_an_event_that_cannot_follow_is_damage(tmp_path: Path) -> None:
    events = small.events()
    report = checked(tmp_path, encoded([*events, Killed(0, 1, seq=len(events) + 1)]))
    assert report.damage is not None
    assert report.damage.offset == len(small.journal())
    assert report.damage.reason.startswith(
        f"event {len(events) + 1} cannot follow those before it: Killed cannot happen"
    )


def test_a_record_that_is_no_event_is_damage(tmp_path: Path) -> None:
    report = checked(tmp_path, small.journal() + record(b"\x93\x01\x02\x03"))
    assert report.damage == Damage(len(small.journal()), "the record there is whole but is no event")


def test_an_event_that_no_sweep_of_ours_writes_is_damage_and_no_crash(tmp_path: Path) -> None:
    kept, *rest = snapshot()
    trial = msgspec.structs.replace(kept.trials.trials[0], metric_names=7)  # type: ignore[attr-defined]
    wrong = msgspec.structs.replace(kept, trials=msgspec.structs.replace(kept.trials, trials=[trial]))  # type: ignore[attr-defined]
    report = checked(tmp_path, encoded([wrong, *rest]))
    assert report.damage is not None
    assert report.damage.reason.startswith("event 6 (Kept) cannot be taken in: IndexError")


def test_a_damaged_header_of_a_journal_is_damage(tmp_path: Path) -> None:
    data = bytearray(small.journal())
    for byte in range(len(layout.header())):
        data[byte] ^= 0x10
        assert checked(tmp_path, bytes(data)).damage == Damage(0, "its header is damaged")
        data[byte] ^= 0x10


@pytest.mark.parametrize("head", [b"", b"x" * 100])
def test_a_header_that_is_missing_or_too_long_is_damage(tmp_path: Path, head: bytes) -> None:
    report = checked(tmp_path, head + small.journal()[len(layout.header()) :])
    assert (report.damage, report.n_after) == (Damage(0, "its header is damaged"), len(small.events()))


@pytest.mark.parametrize("broken", [b"", b"\x00"])
def test_a_newer_format_is_refused_though_its_first_byte_is_damaged(tmp_path: Path, broken: bytes) -> None:
    head = layout.MAGIC + struct.pack("<I", layout.VERSION + 1)
    head = broken + (head + struct.pack("<I", crc32(head)))[len(broken) :]
    with pytest.raises(JournalError, match="install a newer one"):
        checked(tmp_path, head + small.journal()[len(head) :])


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(10_000), random.Random(1).randbytes(10_000), b"PK"])
def test_a_file_of_another_kind_is_no_journal(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(JournalError, match="is no asyncsweep journal"):
        checked(tmp_path, data)


def test_a_journal_that_begins_with_a_snapshot_is_fine(tmp_path: Path) -> None:
    events = snapshot()
    report = checked(tmp_path, encoded(events))
    assert (report.damage, report.n_events, report.last_seq) == (None, len(events), len(small.events()))
    assert report.trials[State.COMPLETE] == 1


def test_how_a_sweep_ended_is_known_from_a_snapshot_alone(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=1), worker_joined())
    bench.send(suggested(0), started(0), finished(0, 1.0))
    assert checked(tmp_path, encoded(list(freeze(bench.machine)))).finish == Finish("n_trials reached")


@pytest.mark.parametrize("size", [0, 5])
def test_a_snapshot_that_is_cut_off_is_damage_and_no_torn_tail(tmp_path: Path, size: int) -> None:
    events = snapshot()
    whole = len(encoded(events[:1]))
    report = checked(tmp_path, encoded(events)[: whole + size])
    assert report.damage == Damage(whole, "the snapshot that the journal begins with is cut off")


def test_a_snapshot_of_another_moment_than_its_trials_is_damage(tmp_path: Path) -> None:
    kept, end, *_ = snapshot()
    report = checked(tmp_path, encoded([kept, msgspec.structs.replace(end, seq=7)]))
    assert report.damage is not None
    assert report.damage.reason == "event 7 (Snapshot) is out of order: it follows event 6"


def test_a_journal_that_grows_is_checked_up_to_its_last_whole_record(tmp_path: Path) -> None:
    data = small.journal()
    ends = list(accumulate(map(len, small.records())))
    found = [checked(tmp_path, data[:size]) for size in range(ends[1], len(data), 7)]
    assert [(report.damage, report.n_events) for report in found] == [
        (None, sum(end <= size for end in ends) - 1) for size in range(ends[1], len(data), 7)
    ]


def test_checking_changes_nothing_and_leaves_no_lock(tmp_path: Path) -> None:
    checked(tmp_path, small.journal() + b"torn")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == small.journal() + b"torn"


@pytest.mark.parametrize("directory", ["empty", "missing", "file/below"])
def test_a_directory_without_a_sweep_is_bad_usage(tmp_path: Path, directory: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="holds no sweep"):
        check(tmp_path / directory)


def test_a_journal_that_is_a_symbolic_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(small.journal())
    (tmp_path / NAME).symlink_to(tmp_path / "real")
    with pytest.raises(JournalError, match="cannot be read"):
        check(tmp_path)


# -- R3: no flipped bit passes for something else ----------------------------------------------------------------------


def realistic(has_marks: bool) -> tuple[bytes, int]:
    """Some 25 kB: trials with reports, errors, text and odd numbers; and from where on a broken byte may be a torn tail."""
    bench = Bench(spec(n_trials=60, retries=1), worker_joined("w", 4))
    draw = random.Random(3)
    for trial in range(60):
        bench.send(suggested(trial, x=draw.random(), name="n\u00e4me" * draw.randrange(4)), after_s=draw.random())
        bench.send(started(trial))
        for step in range(draw.randrange(12)):
            bench.send(reported(trial, step, draw.choice([0.0, -0.0, float("inf"), draw.gauss(0, 1)])), after_s=0.1)
        bench.send(finished(trial, draw.random(), more=float("nan")))
    if not has_marks:
        data = encoded(bench.journal)
        return data, len(data) - len(layout.encode(bench.journal[-1]))
    records = [layout.encode(event) + layout.mark(0) * (event.seq % 20 == 0) for event in bench.journal]
    data = layout.beginning() + b"".join(records)
    return data + layout.mark(0), len(data)


def undetected(data: bytes, last: int, bits: Iterable[int]) -> list[int]:
    """The bits that are flipped one after the other, and a reader does not notice, or calls torn before `last`."""
    whole = bytearray(data)
    events = [*map(layout.encode, layout.decode(data, "journal").events)]
    missed = []
    for bit in bits:
        whole[bit // 8] ^= 1 << bit % 8
        try:
            content = layout.decode(bytes(whole), "journal")
        except JournalError:
            pass
        else:
            found = [*map(layout.encode, content.events)]
            if not content.torn or bit // 8 < last or found != events[: len(found)]:
                missed.append(bit)
        reading = Reading(bytes(whole), "journal")
        found = [layout.encode(event) for _, event in reading]
        is_noticed = reading.damage is not None or (reading.torn and bit // 8 >= last)
        if not is_noticed or found != events[: len(found)]:
            missed.append(bit)
        whole[bit // 8] ^= 1 << bit % 8
    return missed


def flips(data: bytes, n: int) -> list[int]:
    draw = random.Random(n)
    return [draw.randrange(8 * len(data)) for _ in range(n)]


@pytest.mark.parametrize("has_marks", [False, True])
def test_no_flipped_bit_of_a_realistic_journal_is_missed(has_marks: bool) -> None:
    data, last = realistic(has_marks)
    ends = [*range(8 * 60), *range(8 * (len(data) - 40), 8 * len(data))]
    assert undetected(data, last, [*ends[::5], *flips(data, 200)]) == []


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("has_marks", [False, True])
def test_none_of_10000_flipped_bits_is_missed(has_marks: bool) -> None:
    data, last = realistic(has_marks)
    assert undetected(data, last, flips(data, 10_000)) == []


def test_a_stale_event_of_a_worker_is_no_damage(tmp_path: Path) -> None:
    events = small.events()
    late = Started(0, 1, seq=len(events) + 1)
    assert checked(tmp_path, encoded([*events, late])).damage is None
