"""The few file operations that a journal needs, behind an interface that tests replace (power loss, full disk)."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Protocol


def _sync(fd: int) -> None:
    """`fsync`, where the system can without the file's times; its size is always synced."""
    if sys.platform == "linux":
        os.fdatasync(fd)
    else:
        os.fsync(fd)


class JournalFile(Protocol):
    """An open file that grows at its end. Every method raises `OSError` when the system refuses."""

    def read(self) -> bytes:
        """The whole content."""

    def append(self, data: bytes | bytearray) -> None:
        """Write at the end; when it fails a part may have been written."""

    def truncate(self, size: int) -> None:
        """Cut the content to `size` bytes."""

    def sync(self) -> None:
        """Return when everything appended so far would survive a power loss. May be called from another thread."""

    def close(self) -> None: ...


class Files(Protocol):
    """Where journals are kept."""

    def create(self, path: Path) -> JournalFile:
        """A new file; `FileExistsError` when there is one."""

    def open(self, path: Path, *, writing: bool) -> JournalFile:
        """An existing file."""


class OsFile:
    """A file of the operating system."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> bytes:
        size = os.fstat(self._fd).st_size
        parts, offset = [], 0
        while offset < size:
            part = os.pread(self._fd, size - offset, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

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
    """Files of the operating system: mode 0600, never through a symbolic link."""

    def create(self, path: Path) -> OsFile:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = OsFile(os.open(path, flags, 0o600))
        _sync_folder(path.parent)
        return file

    def open(self, path: Path, *, writing: bool) -> OsFile:
        flags = (os.O_RDWR | os.O_APPEND if writing else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
        # Without O_NONBLOCK a named pipe in the journal's place would be waited for.
        fd = os.open(path, flags | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "it is no regular file")
        return OsFile(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
