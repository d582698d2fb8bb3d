"""The journal of one sweep: opened, appended to in groups, synced, closed.

Order of writing: `add` encodes events into memory, `commit` writes all of them at once, `sync` makes them survive a power
loss. After `commit` they survive the death of this process. When a commit fails, what it wrote in part is cut off again and
the journal takes no more: the sweep ends with the error and goes on from the last whole record.

What was synced is noted in the file by a mark (see `format`), which goes with the next write: it tells writes that a power
loss cut short from damage. `resume` syncs what it found before anything is built upon it, for whoever wrote it may not have;
and a torn tail that it cut can then not come back between later records.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

from asyncsweep.core.events import Event
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, Held, JournalFile, OsFiles, make_folders, reason, remove_folders

NAME = "journal.asyncsweep"
NEW_NAME = "journal.asyncsweep.new"

_BEGINNING_BYTES = len(layout.beginning())


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
        self.seq = found.events[-1].seq if found.events else 0
        self.is_synced = True
        self._made = made
        self._file = file
        self._held = held
        self._size = self._opened_size = self._synced_size = found.size
        self._marked_size = 0 if found.events else found.size  # the beginning ends in a mark
        self._pending = bytearray()
        self._collected: bytearray | None = None
        self._must_sync_folder = False
        self._broken = False
        self._closed = False

    @property
    def tail_bytes(self) -> int:
        """How much was committed since the beginning or the snapshot: what a replay has to go through."""
        return max(0, self._size - _BEGINNING_BYTES - self.snapshot_bytes)

    def add(self, event: Event) -> None:
        """Take an event into the next commit.

        Raises:
            TypeError, OverflowError, ValueError: It holds a value that cannot be stored; nothing was added.
        """
        self._pending += layout.encode(event)
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
            _unmake(self.files, self.path, self._held, self._made)

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


def create(directory: Path, files: Files | None = None) -> Journal:
    """Begin the journal of a new sweep. A journal that was begun and holds no event yet is replaced.

    Raises:
        ConfigError: The directory cannot be made or written, or holds a sweep already; nothing is left behind.
        JournalError: Another process is at work in it.
    """
    files = files or OsFiles()
    path = directory / NAME
    refuse_used(directory, files)
    try:
        made = make_folders(files, directory)
        try:
            held = files.lock(directory)
        except (ConfigError, OSError):
            remove_folders(files, made)
            raise
    except JournalError:
        raise
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        refuse_used(directory, files)  # again, now that nobody else can begin one
        for left in (path, path.with_name(NEW_NAME)):
            with suppress(FileNotFoundError):
                files.remove(left)
        file = _begun(files, path)
    except ConfigError:
        if made:
            held.discard()
            remove_folders(files, made)
        else:
            held.release()
        raise
    except OSError as error:
        _unmake(files, path, held, made)
        raise _unwritable(directory, error) from error
    return Journal(path, files, file, held, layout.Content([], _BEGINNING_BYTES, 0), made)


def resume(directory: Path, files: Files | None = None) -> tuple[Journal, list[Event]]:
    """Open the journal of an earlier sweep to go on with it; a torn tail is cut off. What is there is synced.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: Another process is at work in it, it is damaged, or the system refuses.
    """
    files = files or OsFiles()
    path = directory / NAME
    _see(files, directory)
    try:
        held = files.lock(directory)
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(f"{path} cannot be locked: {reason(error)}", path=str(path)) from error
    try:
        with suppress(
            OSError
        ):  # of a compaction that was cut short; it is never read, and the next one removes it, too
            files.remove(path.with_name(NEW_NAME))
        file = _open(files, path, writing=True)
        try:
            found = _settled(files, path, file)
        except BaseException:
            file.close()
            raise
    except BaseException:
        held.release()
        raise
    return Journal(path, files, file, held, found), found.events


def read(directory: Path, files: Files | None = None) -> layout.Content:
    """What the journal in a directory holds, without locking or changing it; a running sweep may add to it meanwhile.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: It is damaged, or the system refuses.
    """
    files = files or OsFiles()
    path = directory / NAME
    _see(files, directory)
    file = _open(files, path, writing=False)
    try:
        return layout.decode(_content(file, path), str(path))
    finally:
        file.close()


def refuse_used(directory: Path, files: Files | None = None) -> None:
    """Refuse a directory for a new sweep that cannot be one.

    Raises:
        ConfigError: It holds a sweep, or is no directory.
    """
    files = files or OsFiles()
    named = f"directory={str(directory)!r}"
    try:
        if _has_begun(files, directory / NAME):
            raise ConfigError(_used(directory))
        if files.exists(directory):
            if not files.is_folder(directory):
                raise ConfigError(f"{named} is a file; name a folder, which may be a new one")
            return
        above = next(parent for parent in directory.parents if files.exists(parent))
        if not files.is_folder(above):
            raise ConfigError(f"{named}: {above.name!r} in it is a file; name another folder")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{named}: its {NAME} is a symbolic link, which is never followed") from error
        raise ConfigError(f"{named} cannot be used: {reason(error)}") from error


def _has_begun(files: Files, path: Path) -> bool:
    """False for a journal without a whole event: its process was killed before the sweep began."""
    try:
        file = files.open(path, writing=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return file.size() > layout.RECORD_LIMIT_BYTES or bool(layout.decode(file.read(), str(path)).events)
    except JournalError:
        return True  # it is for the user to look at
    finally:
        file.close()


def _begun(files: Files, path: Path) -> JournalFile:
    """A new file with nothing but its beginning, which survives a power loss: without it nothing that follows could be read."""
    file = files.create(path)
    try:
        file.append(layout.beginning())
        file.sync()
        files.sync_folder(path.parent)
    except BaseException:
        file.close()
        raise
    return file


def _settled(files: Files, path: Path, file: JournalFile) -> layout.Content:
    """What a journal holds, with nothing behind it, all of it synced."""
    found = layout.decode(_content(file, path), str(path))
    try:
        if found.torn:
            file.truncate(found.size)
        if not found.size:  # killed amid its first write
            file.append(layout.beginning())
            found = found._replace(size=_BEGINNING_BYTES)
        file.sync()
        files.sync_folder(path.parent)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {reason(error)}", path=str(path)) from error
    return found


def _see(files: Files, directory: Path) -> None:
    if not files.exists(directory / NAME):
        raise ConfigError(f"directory={str(directory)!r} holds no sweep ({NAME} is not there)")


def _open(files: Files, path: Path, *, writing: bool) -> JournalFile:
    try:
        return files.open(path, writing=writing)
    except OSError as error:
        raise JournalError(f"{path} cannot be opened: {reason(error)}", path=str(path)) from error


def _content(file: JournalFile, path: Path) -> bytes:
    try:
        return file.read()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {reason(error)}", path=str(path)) from error


def _used(directory: Path) -> str:
    return (
        f"directory={str(directory)!r} holds a sweep already: go on with it by Sweep.resume(directory, objective), "
        f"or name another directory"
    )


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(f"directory={str(directory)!r} cannot be written: {reason(error)}")


def _unmake(files: Files, path: Path, held: Held, made: tuple[Path, ...]) -> None:
    """Delete a journal that never began, then the lock, while it is held, and the folders that were made for it."""
    for left in (path, path.with_name(NEW_NAME)):
        with suppress(OSError):  # whatever cannot be deleted stays, and is in nobody's way
            files.remove(left)
    held.discard()
    remove_folders(files, made)
