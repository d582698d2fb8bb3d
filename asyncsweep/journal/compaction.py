"""A journal made short: a snapshot in place of the events that it stands for, while the sweep goes on writing.

The new journal is made beside the old one, as `journal.asyncsweep.new`:

1. From the call on, what is committed goes into the old file, as ever, and is collected besides.
2. A thread writes the snapshot and syncs it.
3. The thread appends what was collected meanwhile and syncs that.
4. On the loop, with nothing between: what was collected since then is appended, and the new file is renamed to be the journal.
5. The next `Journal.sync` also syncs the folder, before it returns.

Why nothing is lost. Until the rename in 4, the journal is the old file, and all that was committed is in it: whoever kills the
process, cuts the power, or has a step fail, finds it as if nothing had been tried. The new file is never read under its first
name; what is left of it is removed by the next `compact` or `resume`. The rename is one step, and the new file has everything
by then: the snapshot stands for what was committed before the call, and the rest was collected. A power loss after the rename
finds the one or the other. The old file has all that had been synced, for nothing was since: no `Journal.sync` may run during
the call, and the next one does not return before the rename is durable. The new file has the same, synced in 2 and 3; the
writes of 4 were never said to be durable, and a mark before them says so, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import anyio
import anyio.to_thread

from asyncsweep.core.events import Event, Kept, Snapshot
from asyncsweep.core.snapshot import halves
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import JournalFile
from asyncsweep.journal.writer import NEW_NAME, Journal

_WRITTEN_AT_ONCE_BYTES = 2**20

Value = TypeVar("Value")


async def compact(journal: Journal, frozen: Iterable[Event]) -> Exception | None:
    """Replace the journal's file by one that begins with a snapshot.

    Call it on the loop's thread, with the events of a snapshot that was made since the last `journal.add` and no await ago.
    The loop goes on to `add` and `commit` meanwhile; until this returns nobody may call `journal.sync`.

    Args:
        journal: An open journal.
        frozen: `Kept` events and then one `Snapshot`, which are taken one by one in another thread.

    Returns:
        None when it is done. Otherwise why it is not: the system refused, or the snapshot cannot be stored. The journal is as
        good as before, and the sweep can go on with it.

    Raises:
        JournalError: The journal itself could not be written before anything was begun.
    """
    journal.start_collecting()
    copy = _Copy(journal)
    thread = anyio.CapacityLimiter(1)  # of its own: others may have taken all that the loop's limit allows

    async def in_thread(function: Callable[..., Value], *arguments: object) -> Value:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=thread)

    try:
        await in_thread(copy.write_snapshot, frozen)
        await in_thread(copy.append, journal.collected())
        copy.replace(journal.collected())
    except (OSError, TypeError, ValueError, OverflowError) as error:
        copy.abandon()
        return error
    except BaseException:
        copy.abandon()
        raise
    finally:
        journal.stop_collecting()
    try:
        with anyio.CancelScope(shield=True):
            await in_thread(copy.close_old)  # which frees its space on the disk, and may take a while
    finally:
        copy.close_old()  # asyncio's own cancellation may have come before the thread
    return None


def _records(event: Event) -> Iterator[bytes]:
    """An event of a snapshot as one record, or as several where its trials are too large for one.

    Raises:
        ValueError: One trial alone is.
    """
    try:
        yield layout.encode(event)
    except ValueError:
        if not isinstance(event, Kept) or len(event.trials.trials) < 2:
            raise
        for half in halves(event):
            yield from _records(half)


class _Abandoned(Exception):
    """Raised in the thread when nobody waits for it any more."""


class _Copy:
    """The new file, of which one at a time is the owner: the thread that is at work on it, or else the loop.

    A cancelled task may be gone while its thread still works. The thread then stops at the next event or write, and removes
    the file itself.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seq = journal.seq
        self._path = journal.path.with_name(NEW_NAME)
        self._file: JournalFile | None = None
        self._old: JournalFile | None = None
        self._size = 0
        self._synced_size = 0
        self._snapshot_bytes = 0
        self._owning = threading.Lock()
        self._is_wanted = True
        self._at_work = False

    def write_snapshot(self, frozen: Iterable[Event]) -> None:
        """Begin the file with a snapshot, and sync it. In a thread."""
        with self._work():
            with suppress(FileNotFoundError):
                self._journal.files.remove(self._path)
            self._file = self._journal.files.create(self._path)
            waiting = bytearray(layout.beginning())
            for event in self._checked(frozen):
                for record in _records(event):
                    self._snapshot_bytes += len(record)
                    waiting += record
                if len(waiting) >= _WRITTEN_AT_ONCE_BYTES:
                    self._write(waiting)
                    waiting.clear()
            waiting += layout.mark(0)  # true when anybody can read it: the file is synced before it is the journal
            if not self._journal.is_synced:
                waiting += layout.mark(layout.NEVER_SYNCED)
            self._write(waiting)
            self._sync()

    def append(self, data: bytes) -> None:
        """Write more, and sync it. In a thread."""
        with self._work():
            self._write(data)
            self._sync()

    def replace(self, data: bytes) -> None:
        """Write the rest and be the journal."""
        assert self._file is not None
        mark = layout.mark(0) if self._journal.is_synced else b""
        self._write(mark + data)
        self._old = self._journal.switch(self._file, self._size, self._synced_size, self._snapshot_bytes)

    def close_old(self) -> None:
        """Close what was the journal's file, once."""
        with self._owning:
            old, self._old = self._old, None
        if old is not None:
            old.close()

    def abandon(self) -> None:
        """Remove the file, now or as soon as the thread that is at work on it lets go."""
        with self._owning:
            self._is_wanted = False
            if not self._at_work:
                self._remove()

    @contextmanager
    def _work(self) -> Iterator[None]:
        with self._owning:
            if not self._is_wanted:
                raise _Abandoned
            self._at_work = True
        try:
            yield
        finally:
            with self._owning:
                self._at_work = False
                if not self._is_wanted:
                    self._remove()

    def _checked(self, frozen: Iterable[Event]) -> Iterator[Event]:
        """The events of the snapshot, as long as it is wanted.

        Raises:
            ValueError: They are no snapshot of the journal's last event.
        """
        last: Event | None = None
        for event in frozen:
            if not self._is_wanted:
                raise _Abandoned
            if event.seq != self._seq or not isinstance(event, Kept | Snapshot) or isinstance(last, Snapshot):
                raise ValueError(f"{type(event).__name__} {event.seq} is in the snapshot of event {self._seq}")
            yield event
            last = event
        if not isinstance(last, Snapshot):
            raise ValueError(f"the snapshot of event {self._seq} has no end")

    def _write(self, data: bytes | bytearray) -> None:
        assert self._file is not None
        if data:
            self._file.append(data)
            self._size += len(data)

    def _sync(self) -> None:
        assert self._file is not None
        self._file.sync()
        self._synced_size = self._size

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
            with suppress(OSError):  # it is never read, and the next one begins with removing it
                self._journal.files.remove(self._path)
