"""An open journal, appended to in groups, synced, closed.

Order of writing: `add` encodes events into memory, `commit` writes all of them at once, `sync` makes them survive a power
loss. After `commit` they survive the death of this process. When a commit fails, what it wrote in part is cut off again and
the journal takes no more: the sweep ends with the error and goes on from the last whole record.

What was synced is noted in the file by a mark (see `format`), which goes with the next write: it tells writes that a power
loss cut short from damage.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

from asyncsweep.core.events import Event
from asyncsweep.errors import JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, Held, JournalFile, reason, remove_folders

NAME = "journal.asyncsweep"
NEW_NAME = "journal.asyncsweep.new"

BEGINNING_BYTES = len(layout.beginning())


class Journal:
    """An open journal, locked against other writers; made by `create` or `resume`.

    Attributes:
        path: The file.
        files: Where it is.
        torn: How many bytes of a torn tail were cut off when it was opened.
        snapshot_bytes: The size of the snapshot that it begins with, 0 without one.
        seq: The number of the last event that was added; 0 for none.
        is_synced: False once `never_synced` was called.
    """

    def __init__(
        self,
        path: Path,
        files: Files,
        file: JournalFile,
        held: Held,
        found: layout.Content,
        made: tuple[Path, ...] = (),
    ) -> None:
        self.path = path
        self.files = files
        self.torn = found.torn
        self.snapshot_bytes = found.snapshot_bytes
        self.seq = found.seq
        self.is_synced = True
        self._made = made
        self._file = file
        self._held = held
        self._size = self._opened_size = self._synced_size = found.size
        self._marked_size = 0 if found.seq else found.size  # the beginning ends in a mark
        self._pending = bytearray()
        self._collected: bytearray | None = None
        self._must_sync_folder = False
        self._broken = False
        self._closed = False

    @property
    def tail_bytes(self) -> int:
        """How much was committed since the beginning or the snapshot: what a replay has to go through."""
        return max(0, self._size - BEGINNING_BYTES - self.snapshot_bytes)

    def add(self, event: Event) -> None:
        """Take an event into the next commit.

        Raises:
            TypeError, OverflowError, ValueError: It holds a value that cannot be stored; nothing was added.
        """
        layout.encode_into(self._pending, event)
        self.seq = event.seq

    def commit(self) -> bool:
        """Write what was added; False when there was nothing.

        Raises:
            JournalError: The system refused to write.
        """
        if not self._pending:
            return False
        if self._broken:
            raise JournalError(f"{self.path}: an earlier write failed", path=str(self.path), offset=self._size)
        try:
            self._append(self._mark() + self._pending)
        except OSError as error:
            raise JournalError(
                f"{self.path} cannot be written: {reason(error)}", path=str(self.path), offset=self._size
            ) from error
        if self._collected is not None:
            self._collected += self._pending
        self._pending.clear()
        return True

    def sync(self) -> None:
        """Make all that was committed survive a power loss. May be called from another thread, not after `close`.

        Raises:
            JournalError: The system could not.
        """
        size = self._size
        try:
            self._file.sync()
            if self._must_sync_folder:
                self.files.sync_folder(self.path.parent)
        except OSError as error:
            self._broken = True
            raise JournalError(f"{self.path} cannot be synced: {reason(error)}", path=str(self.path)) from error
        self._must_sync_folder = False
        self._synced_size = size

    def look(self) -> None:
        """See that the file is still there, where no `sync` does.

        Raises:
            JournalError: Somebody deleted it.
        """
        try:
            is_there = self.files.exists(self.path)
        except OSError:
            is_there = False
        if not is_there:
            self._broken = True
            raise JournalError(f"{self.path} was deleted while the sweep ran", path=str(self.path))

    def never_synced(self) -> None:
        """Note that `sync` will not be called from here on: so whole records behind a broken one mean that it was damaged."""
        self.is_synced = False
        self._pending += layout.mark(layout.NEVER_SYNCED)

    def close(self) -> None:
        """Let go of the file and the lock; what was added and not committed is dropped."""
        if self._closed:
            return
        self._closed = True
        if self._size > self._opened_size and not self._broken and (mark := self._mark()):
            with suppress(OSError):  # all events are there; without the mark they are only guarded less well
                self._append(mark)
        self._file.close()
        self._held.release()

    def discard(self) -> None:
        """Close, and delete what `create` made: the sweep never began."""
        if not self._closed:
            self._closed = True
            self._file.close()
            unmake(self.files, self.path, self._held, self._made)

    # -- for `compaction` ---------------------------------------------------------------------------------------------

    def start_collecting(self) -> None:
        """Commit, and from then on keep what is committed also for `collected`.

        Raises:
            JournalError: The system refused to write.
        """
        self.commit()
        self._collected = bytearray()

    def collected(self) -> bytes:
        """What was committed since `start_collecting`, or since this was called before."""
        assert self._collected is not None
        taken = bytes(self._collected)
        self._collected.clear()
        return taken

    def stop_collecting(self) -> None:
        self._collected = None

    def switch(self, file: JournalFile, size: int, synced_size: int, snapshot_bytes: int) -> JournalFile:
        """Go on in a file of the name `NEW_NAME`, which holds all that was committed; gives the old file, still open.

        Raises:
            OSError: The system refused, or the journal was closed or has failed meanwhile; nothing has changed.
        """
        if self._closed or self._broken:
            raise OSError(errno.EBADF, "the journal was closed meanwhile")
        self.files.replace(self.path.with_name(NEW_NAME), self.path)
        old, self._file = self._file, file
        self._must_sync_folder = True
        self._size, self._synced_size, self._marked_size = size, synced_size, synced_size
        self._opened_size = 0
        self.snapshot_bytes = snapshot_bytes
        return old

    # -- parts --------------------------------------------------------------------------------------------------------

    def _mark(self) -> bytes:
        """A mark, when more is synced than the last one says."""
        return layout.mark(self._size - self._synced_size) if self._synced_size > self._marked_size else b""

    def _append(self, data: bytes) -> None:
        """Write, or cut off what was written of it and take no more."""
        synced_size = self._synced_size
        try:
            self._file.append(data)
        except OSError:
            self._broken = True
            with suppress(OSError):  # then the torn tail stays, and is cut when the journal is opened again
                self._file.truncate(self._size)
            raise
        self._size += len(data)
        self._marked_size = synced_size


def unmake(files: Files, path: Path, held: Held, made: tuple[Path, ...]) -> None:
    """Delete a journal that never began, then the lock, while it is held, and the folders that were made for it."""
    for left in (path, path.with_name(NEW_NAME)):
        with suppress(OSError):  # whatever cannot be deleted stays, and is in nobody's way
            files.remove(left)
    held.discard()
    remove_folders(files, made)
