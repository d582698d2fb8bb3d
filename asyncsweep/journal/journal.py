"""The journal of one sweep: opened, appended to in groups, synced, closed.

Order of writing: `add` encodes events into memory, `commit` writes all of them at once, `sync` makes them survive a power
loss. After `commit` they survive the death of this process. When a commit fails, what it wrote in part is cut off again and
the journal takes no more: the sweep ends with the error and goes on from the last whole record.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from asyncsweep.core.events import Event
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, JournalFile, OsFiles

if TYPE_CHECKING:
    from asyncsweep.journal.lock import Lock

NAME = "journal.asyncsweep"


class Journal:
    """An open journal, locked against other writers; made by `create` or `resume`.

    Attributes:
        path: The file.
        torn: How many bytes of a torn tail were cut off when it was opened.
    """

    def __init__(
        self, path: Path, file: JournalFile, lock: Lock, size: int, torn: int, made: tuple[Path, ...] = ()
    ) -> None:
        self.path = path
        self.torn = torn
        self._made = made
        self._file = file
        self._lock = lock
        self._size = size
        self._pending = bytearray()
        self._broken = False
        self._closed = False

    def add(self, event: Event) -> None:
        """Take an event into the next commit.

        Raises:
            TypeError, OverflowError, ValueError: It holds a value that cannot be stored; nothing was added.
        """
        self._pending += layout.encode(event)

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
            self._file.append(self._pending)
        except OSError as error:
            self._broken = True
            self._cut()
            raise JournalError(
                f"{self.path} cannot be written: {error}", path=str(self.path), offset=self._size
            ) from error
        self._size += len(self._pending)
        self._pending.clear()
        return True

    def sync(self) -> None:
        """Make all that was committed survive a power loss. May be called from another thread, not after `close`.

        Raises:
            JournalError: The system could not.
        """
        try:
            self._file.sync()
        except OSError as error:
            self._broken = True
            raise JournalError(f"{self.path} cannot be synced: {error}", path=str(self.path)) from error

    def close(self) -> None:
        """Let go of the file and the lock; what was added and not committed is dropped."""
        if not self._closed:
            self._closed = True
            self._file.close()
            self._lock.release()

    def discard(self) -> None:
        """Close, and delete what `create` made: the sweep never began."""
        if not self._closed:
            self._closed = True
            self._file.close()
            _unmake(self.path, self._lock, self._made)

    def _cut(self) -> None:
        try:
            self._file.truncate(self._size)
        except OSError:
            return  # the torn tail stays, and is cut when the journal is opened again


def create(directory: Path, files: Files | None = None) -> Journal:
    """Begin the journal of a new sweep. A journal that was begun and holds no event yet is replaced.

    Raises:
        ConfigError: The directory cannot be made or written, or holds a sweep already; nothing is left behind.
        JournalError: Another process is at work in it.
    """
    files = files or OsFiles()
    path = directory / NAME
    refuse_used(directory)
    made = _missing(directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _locked(directory)
    except JournalError:
        raise
    except ConfigError:
        _remove_folders(made)
        raise
    except OSError as error:
        _remove_folders(made)
        raise ConfigError(f"directory={str(directory)!r} cannot be written: {error}") from error
    try:
        refuse_used(directory)  # again, now that nobody else can begin one
        path.unlink(missing_ok=True)
        return Journal(path, _begun(files, path), lock, len(layout.header()), 0, made)
    except ConfigError:
        lock.release()
        raise
    except OSError as error:
        _unmake(path, lock, made)
        raise ConfigError(f"directory={str(directory)!r} cannot be written: {error}") from error


def resume(directory: Path, files: Files | None = None) -> tuple[Journal, list[Event]]:
    """Open the journal of an earlier sweep to go on with it; a torn tail is cut off.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: Another process is at work in it, or it is damaged.
    """
    files = files or OsFiles()
    path = directory / NAME
    if not path.exists():
        raise ConfigError(f"directory={str(directory)!r} holds no sweep ({NAME} is not there)")
    try:
        lock = _locked(directory)
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(f"{path} cannot be locked: {error}", path=str(path)) from error
    try:
        file = _open(files, path, writing=True)
        try:
            content = layout.decode(file.read(), str(path))
            if content.torn:
                file.truncate(content.size)
        except BaseException:
            file.close()
            raise
    except BaseException:
        lock.release()
        raise
    return Journal(path, file, lock, content.size, content.torn), content.events


def read(directory: Path, files: Files | None = None) -> layout.Content:
    """What the journal in a directory holds, without locking or changing it; a running sweep may add to it meanwhile.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: It is damaged.
    """
    path = directory / NAME
    if not path.exists():
        raise ConfigError(f"directory={str(directory)!r} holds no sweep ({NAME} is not there)")
    file = _open(files or OsFiles(), path, writing=False)
    try:
        return layout.decode(file.read(), str(path))
    finally:
        file.close()


def refuse_used(directory: Path) -> None:
    """Refuse a directory for a new sweep that cannot be one.

    Raises:
        ConfigError: It holds a sweep, or is no directory.
    """
    path = directory / NAME
    try:
        if path.is_symlink():
            raise ConfigError(f"directory={str(directory)!r}: its {NAME} is a symbolic link, which is never followed")
        if path.exists() and _has_begun(path):
            raise ConfigError(_used(directory))
        exists = directory.exists()
    except OSError as error:
        raise ConfigError(f"directory={str(directory)!r} cannot be used: {error}") from error
    if exists and not directory.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is a file; name a folder, which may be a new one")
    above = next(parent for parent in directory.parents if parent.exists())
    if not above.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is under the file {str(above)!r}; name another folder")


def _locked(directory: Path) -> Lock:
    try:
        from asyncsweep.journal.lock import Lock  # brings fcntl, which not every system has
    except ImportError as error:
        raise ConfigError(
            f"directory={str(directory)!r}: this system has no POSIX file locks; use directory=None"
        ) from error
    return Lock(directory)


def _begun(files: Files, path: Path) -> JournalFile:
    """A new file with a header."""
    file = files.create(path)
    try:
        file.append(layout.header())
    except BaseException:
        file.close()
        raise
    return file


def _has_begun(path: Path) -> bool:
    """False for a journal without a whole event: its process was killed before the sweep began."""
    if not path.is_file() or path.stat().st_size > layout.RECORD_LIMIT_BYTES:
        return True
    try:
        return bool(layout.decode(path.read_bytes(), str(path)).events)
    except JournalError:
        return True  # it is for the user to look at


def _missing(directory: Path) -> tuple[Path, ...]:
    """The folder and its parents as far as they are not there, innermost first."""
    return tuple(path for path in (directory, *directory.parents) if not path.exists())


def _unmake(path: Path, lock: Lock, made: tuple[Path, ...]) -> None:
    """Delete a journal that never began, then the lock, while it is held, and the folders that were made for it."""
    with suppress(OSError):  # whatever cannot be deleted stays, and is in nobody's way
        path.unlink(missing_ok=True)
        lock.path.unlink(missing_ok=True)
    lock.release()
    _remove_folders(made)


def _remove_folders(made: tuple[Path, ...]) -> None:
    with suppress(OSError):  # something else is in it by now
        for folder in made:
            if folder.exists():
                folder.rmdir()


def _used(directory: Path) -> str:
    return (
        f"directory={str(directory)!r} holds a sweep already: go on with it by Sweep.resume(directory, objective), "
        f"or name another directory"
    )


def _open(files: Files, path: Path, *, writing: bool) -> JournalFile:
    try:
        return files.open(path, writing=writing)
    except OSError as error:
        raise JournalError(f"{path} cannot be opened: {error}", path=str(path)) from error
