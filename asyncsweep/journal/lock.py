"""One writer for a sweep's directory, held by the operating system until the writer's process dies.

It is a POSIX record lock: the kernel drops it with the process, however that ends, keeps it while the process is stopped,
does not hand it to forked children, and names the holder. Such a lock does not keep two sweeps of one process apart, so those
are kept in a set; and it is lost when the process closes any descriptor of the file, so nothing else opens it. Whoever holds
the lock may delete its file: another one that had opened it meanwhile sees that and opens the new one. Locks over NFS are not
promised.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path

from asyncsweep.errors import JournalError

_held: set[str] = set()


class Lock:
    """The lock of one directory.

    Attributes:
        path: The file that is locked.

    Raises:
        JournalError: Another sweep, here or in another process, holds it; the message has the process id.
        OSError: The file cannot be made or opened.
    """

    def __init__(self, directory: Path) -> None:
        self._key = str(directory.resolve())
        self.path = directory / "lock"
        if self._key in _held:
            raise JournalError(_refusal(directory, os.getpid()), path=str(self.path))
        fd = self._locked(directory)
        while not _is_at(fd, self.path):
            os.close(fd)
            fd = self._locked(directory)
        self._fd = fd
        _held.add(self._key)

    def release(self) -> None:
        if self._key in _held:
            _held.remove(self._key)
            os.close(self._fd)

    def _locked(self, directory: Path) -> int:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = _holder(fd)
            os.close(fd)
            raise JournalError(_refusal(directory, holder), path=str(self.path)) from None
        except BaseException:
            os.close(fd)
            raise
        return fd


def _is_at(fd: int, path: Path) -> bool:
    """True when the open file is the one that the path leads to."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _refusal(directory: Path, holder: int) -> str:
    who = "a sweep of this process" if holder == os.getpid() else f"process {holder or 'unknown'}"
    return f"{directory} is in use by {who}; one sweep at a time can write it"


def _holder(fd: int) -> int:
    """The process that holds the lock; 0 when it has just let go of it."""
    # struct flock: its layout is the system's.
    layout, order = ("qqihh", (2, 3)) if sys.platform == "darwin" else ("hhqqi", (4, 0))
    pid_at, type_at = order
    fields: list[int] = [0, 0, 0, 0, 0]
    fields[type_at] = fcntl.F_WRLCK
    answer = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(layout, *fields)))
    return 0 if answer[type_at] == fcntl.F_UNLCK else int(answer[pid_at])
