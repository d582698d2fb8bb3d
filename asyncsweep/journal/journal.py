"""The journal of one sweep: opened, appended to in groups, synced, closed.

Order of writing: `add` encodes events into memory, `commit` writes all of them at once, `sync` makes them survive a power
loss. After `commit` they survive the death of this process. When a commit fails, what it wrote in part is cut off again and
the journal takes no more: the sweep ends with the error and goes on from the last whole record.
"""

from __future__ import annotations

from pathlib import Path

from asyncsweep.core.events import Event
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, JournalFile, OsFiles
from asyncsweep.journal.lock import Lock

NAME = "journal.asyncsweep"


class Journal:
    """An open journal, locked against other writers; made by `create` or `resume`.

    Attributes:
        path: The file.
        torn: How many bytes of a torn tail were cut off when it was opened.
    """

    def __init__(self, path: Path, file: JournalFile, lock: Lock, size: int, torn: int) -> None:
        self.path = path
        self.torn = torn
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
            raise JournalError(f"{self.path} cannot be written: {error}", path=str(self.path), offset=self._size) from error
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

    def _cut(self) -> None:
        try:
            self._file.truncate(self._size)
        except OSError:
            return  # the torn tail stays, and is cut when the journal is opened again


def create(directory: Path, files: Files | None = None) -> Journal:
    """Begin the journal of a new sweep.

    Raises:
        ConfigError: The directory cannot be made or written, or holds a sweep already.
        JournalError: Another process is at work in it.
    """
    files = files or OsFiles()
    path = directory / NAME
    refuse_used(directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(directory)
    except JournalError:
        raise
    except OSError as error:
        raise ConfigError(f"directory={str(directory)!r} cannot be written: {error}") from error
    try:
        file = files.create(path)
        file.append(layout.header())
    except FileExistsError:
        lock.release()
        raise ConfigError(_used(directory)) from None
    except OSError as error:
        lock.release()
        raise ConfigError(f"directory={str(directory)!r} cannot be written: {error}") from error
    return Journal(path, file, lock, len(layout.header()), 0)


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
    lock = Lock(directory)
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
    try:
        if (directory / NAME).exists() or (directory / NAME).is_symlink():
            raise ConfigError(_used(directory))
        exists = directory.exists()
    except OSError as error:
        raise ConfigError(f"directory={str(directory)!r} cannot be used: {error}") from error
    if exists and not directory.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is a file; name a folder, which may be a new one")


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
