"""R2: a journal that was cut off anywhere opens, keeps every whole record, and goes on for ever after."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

from asyncsweep.core.events import Event
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.testing.events import Bench, attr_set, finished, reported, spec, started, suggested, worker_joined
from asyncsweep.testing.files import MemoryFiles

SWEEP = Path("/sweep")
JOURNAL = SWEEP / journals.NAME
HEADER_BYTES = len(layout.header())


def sweep(n_trials: int) -> list[Event]:
    bench = Bench(spec(n_trials=n_trials), worker_joined())
    for number in range(n_trials):
        bench.send(suggested(number, x=number / n_trials), started(number))
        bench.send(attr_set(number, "note", "long " * 340 * number), reported(number, 0, 0.5), finished(number, 0.2))
    return bench.journal


EVENTS = sweep(6)


def written() -> tuple[bytes, list[int]]:
    """The journal of a sweep that synced from time to time, and where each event ends."""
    parts = [layout.beginning()]
    for number, event in enumerate(EVENTS):
        parts.append(layout.encode(event) + (layout.mark(100) if number % 7 == 6 else b""))
    return b"".join(parts), list(accumulate(map(len, parts)))[1:]


DATA, ENDS = written()


def found_in(size: int) -> list[Event]:
    """The events that are whole in so many bytes; a mark that is cut off behind one takes nothing from it."""
    records = [end - len(layout.mark(0)) if n % 7 == 6 else end for n, end in enumerate(ENDS)]
    return EVENTS[: bisect_right(records, size)]


def cut(size: int) -> MemoryFiles:
    files = MemoryFiles()
    files.make_folder(SWEEP)
    files.put(JOURNAL, DATA[:size])
    return files


def grown(files: MemoryFiles, n_more: int) -> list[Event]:
    """What a sweep finds that is resumed, having written the next events, as many as there are."""
    journal, found = journals.resume(SWEEP, files)
    for event in EVENTS[len(found) : len(found) + n_more]:
        journal.add(event)
    journal.commit()
    journal.sync()
    journal.close()
    return found


def test_the_journal_has_25_kilobytes() -> None:
    assert 25_000 < len(DATA) < 30_000 and layout.decode(DATA, "journal").events == EVENTS


def test_every_prefix_opens_with_every_whole_record_and_goes_on() -> None:
    wrong = []
    for size in range(len(DATA) + 1):
        files, whole = cut(size), found_in(size)
        found = grown(files, 2)
        again = journals.read(SWEEP, files)
        if found != whole or again.events != EVENTS[: len(whole) + 2] or again.torn:
            wrong.append(size)
    assert wrong == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_journal_that_is_cut_and_resumed_again_and_again_is_read_to_its_end(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    wrong = []
    for _ in range(100):
        size = random.randrange(HEADER_BYTES, len(DATA))
        directory = tmp_path / str(size)
        directory.mkdir(exist_ok=True)
        path = directory / journals.NAME
        path.write_bytes(DATA[:size])
        for _ in range(2):
            journal, found = journals.resume(directory)
            for event in EVENTS[len(found) : len(found) + 3]:
                journal.add(event)
            journal.commit()
            journal.close()
            path.write_bytes(path.read_bytes()[: -random.randrange(1, 20)])  # killed amid a write
        if journals.read(directory).events != EVENTS[: len(journals.read(directory).events)]:
            wrong.append(size)
        if len(journals.read(directory).events) < len(found_in(size)):
            wrong.append(size)
    assert wrong == []


@pytest.mark.parametrize("size", [0, 1, 15, HEADER_BYTES, HEADER_BYTES + 7, 200])
def test_a_journal_of_nothing_but_zeros_was_never_begun(size: int) -> None:
    files = cut(0)
    files.put(JOURNAL, bytes(size))
    journal = journals.create(SWEEP, files)
    journal.add(EVENTS[0])
    journal.commit()
    journal.close()
    assert journals.read(SWEEP, files).events == EVENTS[:1]


def test_what_was_cut_off_cannot_come_back_by_a_power_loss() -> None:
    """Records of the torn tail would be whole again, and follow what was written in the place of the broken one."""
    whole = ENDS[10]
    files = cut(0)
    torn = bytearray(DATA)
    torn[whole + 2] ^= 1
    files.put(JOURNAL, bytes(torn[: whole + 300]).replace(layout.mark(100), b""))
    journal, found = journals.resume(SWEEP, files)
    after = journals.resume(SWEEP, files.crash(Random(1)))[1]
    journal.close()
    assert found == after
