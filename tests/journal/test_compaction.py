"""R6: a journal made short is the old one or the new one, never anything between, whenever and however its process ends."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path
from random import Random
from typing import NamedTuple

import anyio
import anyio.to_thread
import msgspec
import pytest

from asyncsweep.core.events import Enqueued, Event, Kept
from asyncsweep.errors import JournalError
from asyncsweep.journal import compaction
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.journal.compaction import compact
from asyncsweep.testing.files import Fault, MemoryFiles, Operation
from tests.journal import small
from tests.journal.histories import SWEEP, Writer, is_kept, last, opening

NEW = SWEEP / journals.NEW_NAME
pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _each_record_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_WRITTEN_AT_ONCE_BYTES", 1)


class Moment(NamedTuple):
    """What a process leaves behind that ends just then, and the numbers of the events that must be there."""

    operation: Operation | None
    files: MemoryFiles
    least: int
    n_added: int


class Witness:
    """Looks at the files at every step of what a writer does; and at each step of another thread, the writer writes on."""

    def __init__(self, writer: Writer, n_power_losses: int) -> None:
        self.moments: list[Moment] = []
        self._writer = writer
        self._n_power_losses = n_power_losses
        self._is_looking = False

    def __enter__(self) -> Witness:
        self._writer.files.on_step = self.look
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.files.on_step = None
        self.look(None)

    def look(self, operation: Operation | None) -> None:
        if self._is_looking:
            return
        writer, files = self._writer, self._writer.files
        self.moments.append(Moment(operation, files.kill(), writer.committed, len(writer.added)))
        for seed in range(self._n_power_losses):
            self.moments.append(Moment(operation, files.crash(Random(seed)), writer.synced, len(writer.added)))
        if operation is not None and threading.current_thread() is not threading.main_thread():
            self._is_looking = True
            writer.add()
            writer.commit()
            self._is_looking = False


async def witnessed(n_power_losses: int) -> tuple[Writer, list[Moment]]:
    """Two compactions with syncs between and after, of a journal that grows meanwhile."""
    writer = Writer(MemoryFiles(), Random(1))
    for _ in range(20):
        writer.add()
    writer.commit()
    writer.sync()
    for _ in range(5):
        writer.add()
    writer.commit()
    with Witness(writer, n_power_losses) as witness:
        for _ in range(2):
            await writer.compact()
            writer.add()
            writer.commit()
            writer.sync()
    return writer, witness.moments


async def test_every_step_of_a_compaction_leaves_a_journal_with_everything() -> None:
    writer, moments = await witnessed(n_power_losses=30)
    assert writer.errors == []
    lost = []
    for number, (operation, files, least, n_added) in enumerate(moments):
        journal, found = journals.resume(SWEEP, files)
        journal.close()
        if not is_kept(found, writer.added[:n_added], least):
            lost.append((number, operation, least, last(found)))
    assert lost == []


async def test_a_compaction_has_many_steps_and_both_ends_are_seen() -> None:
    """What the test before this one rests on."""
    _, moments = await witnessed(n_power_losses=0)
    kinds = [moment.operation.kind for moment in moments if moment.operation is not None]
    found = [isinstance(journals.resume(SWEEP, moment.files)[1][0], Kept) for moment in moments]
    assert kinds.count("append") > 20 and kinds.count("replace") == kinds.count("sync_folder") == 2
    assert found == sorted(found) and not found[0] and found[-1]


async def test_a_journal_opens_after_each_step_and_is_compacted_again() -> None:
    writer, moments = await witnessed(n_power_losses=1)
    for _, files, _, _ in moments:
        after = Writer(files, Random(2), before=writer_of(writer))
        await after.compact()
        after.add()
        after.commit()
        after.journal.close()
        journal, found = journals.resume(SWEEP, files)
        journal.close()
        assert after.errors == [] and is_kept(found, after.added, after.committed)
        assert files.names(SWEEP) == [journals.NAME]


def writer_of(writer: Writer) -> Writer:
    """The same, to go on from: a writer takes its list of events over."""
    copy = object.__new__(Writer)
    copy.added = list(writer.added)
    return copy


async def test_a_compacted_journal_begins_with_the_snapshot_and_goes_on_with_the_next_event() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    for _ in range(5):
        writer.add()
    await writer.compact()
    writer.add()
    writer.commit()
    writer.journal.close()
    assert journals.read(SWEEP, writer.files).events == [*small.snapshot(5, n_kept=2), writer.added[-1]]


async def test_what_was_added_and_not_committed_is_in_the_snapshot_alone() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    writer.add()
    await writer.compact()
    assert journals.read(SWEEP, writer.files).events == small.snapshot(2, n_kept=2)


async def test_the_sizes_are_those_of_the_snapshot_and_of_what_follows() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    sizes = [(writer.journal.snapshot_bytes, writer.journal.tail_bytes)]
    await writer.compact()
    snapshot_bytes = sum(len(layout.encode(event)) for event in small.snapshot(1, n_kept=2))
    mark_bytes = len(layout.mark(0))
    sizes.append((writer.journal.snapshot_bytes, writer.journal.tail_bytes))
    writer.journal.close()
    journal, _ = journals.resume(SWEEP, writer.files)
    sizes.append((journal.snapshot_bytes, journal.tail_bytes))
    first = len(layout.encode(writer.added[0]))
    assert sizes == [(0, first), (snapshot_bytes, 2 * mark_bytes), (snapshot_bytes, 2 * mark_bytes)]


async def n_operations() -> int:
    """How many operations a compaction takes, up to the rename."""
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    before = len(writer.files.operations)
    await writer.compact()
    return len(writer.files.operations) - before


@pytest.mark.parametrize("is_short", [False, True], ids=["whole", "short"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
async def test_a_compaction_that_is_refused_leaves_the_journal_as_it_was(error: int, is_short: bool) -> None:
    for number in range(1, await n_operations()):  # the first one writes what was added to the journal itself
        writer = Writer(MemoryFiles(), Random(1))
        writer.add()
        writer.files.fault = Fault(len(writer.files.operations) + number, error, is_short=is_short)
        await writer.compact()
        if writer.files.operations[writer.files.fault.nth].kind == "remove":
            continue  # of a file that is not there
        assert [getattr(error_, "errno", None) for error_ in writer.errors] == [error]
        writer.add()
        writer.commit()
        writer.sync()
        writer.journal.close()
        assert journals.read(SWEEP, writer.files).events == writer.added
        assert (writer.files.names(SWEEP), writer.files.n_open) == ([journals.NAME], 0)


async def test_a_journal_that_cannot_be_written_is_no_matter_of_the_compaction() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.files.fault = Fault(len(writer.files.operations), errno.ENOSPC)
    with pytest.raises(JournalError, match="cannot be written: No space left"):
        await writer.compact()


@pytest.mark.parametrize(
    ("frozen", "told"),
    [
        (small.snapshot(1)[:-1], "the snapshot of event 1 has no end"),
        (small.snapshot(2), "Kept 2 is in the snapshot of event 1"),
        ([*small.snapshot(1), small.snapshot(1)[0]], "Kept 1 is in the snapshot of event 1"),
        ([opening()], "SweepOpened 1 is in the snapshot of event 1"),
    ],
    ids=["no end", "another moment", "more behind its end", "another event"],
)
async def test_what_is_no_snapshot_of_the_last_event_never_becomes_the_journal(frozen: list[Event], told: str) -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    assert str(await compact(writer.journal, frozen)) == told
    assert journals.read(SWEEP, writer.files).events == writer.added


async def test_a_value_that_cannot_be_stored_is_told_and_changes_nothing() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    events = [msgspec.structs.replace(small.snapshot(1)[0], trials=object()), small.snapshot(1)[1]]
    assert isinstance(await compact(writer.journal, events), TypeError)
    assert writer.files.names(SWEEP) == [journals.NAME]


async def test_what_an_earlier_compaction_left_is_replaced() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.files.put(NEW, b"of a process that was killed")
    await writer.compact()
    assert writer.errors == [] and writer.files.names(SWEEP) == [journals.NAME]


async def test_what_an_earlier_compaction_left_is_removed_when_the_sweep_is_resumed() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    writer.journal.close()
    writer.files.put(NEW, b"of a process that was killed")
    journal, found = journals.resume(SWEEP, writer.files)
    journal.close()
    assert found == writer.added and writer.files.names(SWEEP) == [journals.NAME]


# The steps of a compaction in its thread: remove, create, 3 + 1 appends with two steps each, 2 syncs.
LAST = 2 + 2 * 4 + 2


class Blocked:
    """Files that stop at the `nth` operation from now on until they are let go."""

    def __init__(self, files: MemoryFiles, nth: int) -> None:
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self._left = nth
        files.on_step = self._step

    def _step(self, operation: Operation) -> None:
        if threading.current_thread() is not threading.main_thread():
            self._left -= 1
            if self._left == 0:
                self.stopped.set()
                assert self.go_on.wait(10)


async def cancelled(writer: Writer, blocked: Blocked) -> None:
    """A compaction that is cancelled where it is blocked."""

    async def let_go() -> None:
        await anyio.to_thread.run_sync(blocked.stopped.wait, 10)
        tasks.cancel_scope.cancel()
        blocked.go_on.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(let_go)
        await writer.compact()


async def test_a_compaction_that_is_cancelled_in_its_last_step_is_done() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    await cancelled(writer, Blocked(writer.files, LAST))
    assert (writer.files.names(SWEEP), writer.files.n_open) == ([journals.NAME], 1)
    assert journals.read(SWEEP, writer.files).events == small.snapshot(1, n_kept=2)


@pytest.mark.parametrize("nth", range(1, LAST))
async def test_a_cancelled_compaction_leaves_the_journal_as_it_was(nth: int) -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    blocked = Blocked(writer.files, nth)

    await cancelled(writer, blocked)
    assert (writer.files.names(SWEEP), writer.files.n_open) == ([journals.NAME], 1)
    writer.add()
    writer.commit()
    writer.journal.close()
    assert journals.read(SWEEP, writer.files).events == writer.added


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("nth", range(1, LAST + 1))
async def test_a_thread_whose_task_asyncio_took_away_cleans_up_itself(nth: int) -> None:
    """asyncio's own cancellation does not wait for threads."""
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()
    blocked = Blocked(writer.files, nth)
    task = asyncio.ensure_future(writer.compact())
    await anyio.to_thread.run_sync(blocked.stopped.wait, 10)
    writer.files.on_step = None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocked.go_on.set()
    writer.journal.close()
    with anyio.fail_after(10):
        while writer.files.n_open:
            await anyio.to_thread.run_sync(threading.Event().wait, 0.001)
    assert writer.files.names(SWEEP) == [journals.NAME]
    assert journals.read(SWEEP, writer.files).events == writer.added


async def test_a_journal_that_is_closed_meanwhile_keeps_its_old_file() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.add()
    writer.commit()

    def close(operation: Operation) -> None:
        if operation.kind == "sync":
            writer.files.on_step = None
            writer.journal.close()

    writer.files.on_step = close
    await writer.compact()
    assert [str(error) for error in writer.errors] == [f"[Errno {errno.EBADF}] the journal was closed meanwhile"]
    assert (writer.files.names(SWEEP), writer.files.n_open) == ([journals.NAME], 0)
    assert journals.read(SWEEP, writer.files).events == writer.added


async def test_a_writer_that_never_syncs_says_so_again_in_the_new_file() -> None:
    writer = Writer(MemoryFiles(), Random(1))
    writer.journal.never_synced()
    writer.add()
    await writer.compact()
    writer.add()
    writer.add()
    writer.commit()
    writer.journal.close()
    data = bytearray(writer.files.content(SWEEP / journals.NAME))
    data[-len(layout.encode(writer.added[-1])) - 1] ^= 1
    with pytest.raises(JournalError, match="damaged at byte"):
        layout.decode(bytes(data), "journal")


async def test_a_real_journal_is_compacted(tmp_path: Path) -> None:
    journal = journals.create(tmp_path / "sweep")
    journal.add(opening())
    assert await compact(journal, small.snapshot(1)) is None
    journal.add(after := Enqueued({}, seq=2))
    journal.commit()
    journal.sync()
    journal.close()
    assert journals.read(tmp_path / "sweep").events == [*small.snapshot(1), after]
    assert sorted(os.listdir(tmp_path / "sweep")) == [journals.NAME, "lock"]
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
