"""What a journal needs of a file system, behind an interface that tests and simulations replace.

`OsFiles` is the real one. `asyncsweep.testing.files.MemoryFiles` keeps everything in memory, loses power and fails on demand.

What survives: a write survives the death of the process at once, and a power loss after `sync` of its file. That a file was
made, renamed or removed survives a power loss after `sync_folder` of its folder. What we make is for its owner alone, whatever
the umask: files have the mode 0600, folders 0700. No file is opened through a symbolic link; a folder may be one.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from asyncsweep.errors import ConfigError


class JournalFile(Protocol):
    """An open file that grows at its end. Every method but `close` raises `OSError` when the system refuses."""

    def size(self) -> int:
        """How many bytes it has."""

    def read(self) -> bytes:
        """The whole content."""

    def append(self, data: bytes | bytearray) -> None:
        """Write at the end; when it fails a part may have been written."""

    def truncate(self, size: int) -> None:
        """Cut the content to `size` bytes."""

    def sync(self) -> None:
        """Return when everything appended so far would survive a power loss. May be called from another thread."""

    def close(self) -> None: ...


class Held(Protocol):
    """A folder that no other sweep can write, until it is let go or its process dies."""

    def release(self) -> None:
        """Let go."""

    def discard(self) -> None:
        """Remove what holding it has left in the folder, then let go."""


class Files(Protocol):
    """Where journals are kept. Every method raises `OSError` when the system refuses."""

    def exists(self, path: Path) -> bool:
        """True when there is a file or a folder; symbolic links are followed."""

    def is_folder(self, path: Path) -> bool:
        """True when there is a folder; symbolic links are followed."""

    def make_folder(self, path: Path) -> None:
        """A new folder in one that exists; `FileExistsError` when there is something."""

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""

    def create(self, path: Path) -> JournalFile:
        """A new file, open for writing; `FileExistsError` when there is something, a symbolic link included."""

    def open(self, path: Path, *, writing: bool) -> JournalFile:
        """An existing file. A symbolic link, a folder, a named pipe and a device are refused."""

    def replace(self, source: Path, target: Path) -> None:
        """Give a file another name in its folder, in one step: whatever had the name has it no more."""

    def remove(self, path: Path) -> None:
        """Remove a file, or a symbolic link itself; `FileNotFoundError` when there is none."""

    def sync_folder(self, path: Path) -> None:
        """Return when what was made, renamed and removed in the folder would survive a power loss."""

    def lock(self, folder: Path) -> Held:
        """Hold a folder against other writers.

        Raises:
            JournalError: Another sweep holds it.
            ConfigError: The system has no locks.
        """


class OsFile:
    """A file of the operating system."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self) -> bytes:
        # Not through `mmap`: a file that another process cuts meanwhile would end this one with SIGBUS.
        size = self.size()
        parts, offset = [], 0
        while offset < size:
            part = os.pread(self._fd, size - offset, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)  # a single part is not copied

    def part(self, offset: int, size: int) -> bytes:
        """At most so many bytes from a place on; less where there are not more."""
        return os.pread(self._fd, size, offset)

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def append(self, data: bytes | bytearray) -> None:
        written = os.write(self._fd, data)
        while written < len(data):
            written += os.write(self._fd, data[written:])

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def sync(self) -> None:
        _sync(self._fd)
        if os.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while the sweep ran")

    def close(self) -> None:
        os.close(self._fd)


class OsFiles:
    """Files of the operating system."""

    def exists(self, path: Path) -> bool:
        return path.exists()

    def is_folder(self, path: Path) -> bool:
        return path.is_dir()

    def make_folder(self, path: Path) -> None:
        os.mkdir(path, 0o700)
        # A umask only takes away, and with it the owner may have been shut out.
        if stat.S_IMODE(os.lstat(path).st_mode) & 0o700 != 0o700:
            os.chmod(path, 0o700)

    def remove_folder(self, path: Path) -> None:
        os.rmdir(path)

    def create(self, path: Path) -> OsFile:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(path, flags, 0o600)
        try:
            os.fchmod(fd, 0o600)  # the umask may have taken something away
        except BaseException:
            os.close(fd)
            raise
        return OsFile(fd)

    def open(self, path: Path, *, writing: bool) -> OsFile:
        flags = (os.O_RDWR | os.O_APPEND if writing else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
        # Without O_NONBLOCK a named pipe in the journal's place would be waited for.
        fd = os.open(path, flags | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "it is no regular file")
        return OsFile(fd)

    def replace(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, folder: Path) -> Held:
        try:
            from asyncsweep.journal.lock import Lock  # brings fcntl, which not every system has
        except ImportError as error:
            raise ConfigError(
                f"directory={str(folder)!r}: this system has no POSIX file locks; use directory=None"
            ) from error
        return Lock(folder)


def make_folders(files: Files, folder: Path) -> tuple[Path, ...]:
    """Make a folder and those above it as far as they are not there; gives those that were made, innermost first.

    When this returns they survive a power loss.

    Raises:
        OSError: The system refused; nothing is left behind.
    """
    missing = [path for path in (folder, *folder.parents) if not files.exists(path)]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            try:
                files.make_folder(path)
                made.insert(0, path)
            except FileExistsError:  # another process made it just now
                if not files.is_folder(path):
                    raise
            files.sync_folder(path.parent)
    except BaseException:
        remove_folders(files, made)
        raise
    return tuple(made)


def remove_folders(files: Files, made: Iterable[Path]) -> None:
    """Remove folders as far as they are empty, innermost first."""
    with suppress(OSError):  # something else is in it by now
        for folder in made:
            files.remove_folder(folder)


def reason(error: OSError) -> str:
    """What the system says, without the path: whoever tells of the error has named it."""
    return error.strerror or str(error)


def _sync(fd: int) -> None:
    """`fsync`, where the system can without the file's times; its size is always synced."""
    if sys.platform == "linux":
        os.fdatasync(fd)
    else:
        os.fsync(fd)
