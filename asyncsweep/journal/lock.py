"""One writer for a sweep's directory, held by the operating system until the writer's process dies.

The lock belongs to the open file, not to the process: whoever else in the process reads the directory and closes what it
read, a backup for example, does not lose it. The kernel drops it with the process, however that ends, and keeps it while the
process is stopped. A forked child has the same open file, so it closes it at once: the lock ends with its owner. Such a lock
names nobody; its owner writes its process id into the file, and a refused one that finds none, or one that has died, looks
again for a moment. Two sweeps of one process are kept apart by a table, which knows without asking that it is this process.
Whoever holds the lock may delete its file: another one that had opened it meanwhile sees that and opens the new one. Locks
over NFS are not promised.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from asyncsweep.errors import JournalError

# An owner writes its id, and a child that was just forked closes its copy, well within this time.
_LOOK_AGAIN_FOR_S = 0.5
_LOOK_EVERY_S = 0.01

_held: dict[str, Lock] = {}


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
        give_up = time.monotonic() + _LOOK_AGAIN_FOR_S
        while (fd := self._locked(directory, time.monotonic() >= give_up)) is None:
            time.sleep(_LOOK_EVERY_S)
        _sign(fd)
        self._fd = fd
        _held[self._key] = self

    def release(self) -> None:
        """Let go. In a forked child it does nothing: the lock is its parent's."""
        if _held.get(self._key) is self:
            del _held[self._key]
            with suppress(OSError):  # the id is only there to be shown; without the lock it means nothing
                os.ftruncate(self._fd, 0)
            # Closing is not enough: a process that another thread starts just now has the file open until its exec.
            _unlock(self._fd)
            os.close(self._fd)

    def discard(self) -> None:
        """Remove the file, then let go: whoever opened it meanwhile sees that it is gone, and makes another."""
        if _held.get(self._key) is self:
            with suppress(OSError):  # what cannot be removed is in nobody's way
                self.path.unlink(missing_ok=True)
            self.release()

    def forget(self) -> None:
        """Close a forked child's copy of the open file; its parent's lock stays."""
        os.close(self._fd)

    def _locked(self, directory: Path, is_last_look: bool) -> int | None:
        """The locked file; None when to look again."""
        fd = _opened(self.path)
        try:
            _lock(fd)
            if _is_at(fd, self.path):
                return fd
        except (BlockingIOError, PermissionError):
            holder = _signed(fd)
            if is_last_look or _is_alive(holder):
                os.close(fd)
                raise JournalError(_refusal(directory, holder), path=str(self.path)) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None


def holder(directory: Path) -> int | None:
    """The process that holds the lock, 0 where it is not known which; None when nobody does.

    On Linux nothing is locked for it. Elsewhere the lock is shared for a moment, in which a sweep that begins looks again.

    Raises:
        OSError: The file cannot be opened.
    """
    try:
        fd = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _signed(fd) if _is_locked(fd) else None
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    """The file, made when it is not there; whatever the umask, its owner can open it again."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags | os.O_CREAT, 0o600)  # another one may have removed it meanwhile
    os.fchmod(fd, 0o600)
    return fd


def _lock(fd: int) -> None:
    """Lock the open file, or raise BlockingIOError or PermissionError."""
    if sys.platform == "linux":
        _set(fd, fcntl.F_WRLCK)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(fd: int) -> None:
    if sys.platform == "linux":
        _set(fd, fcntl.F_UNLCK)
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _is_locked(fd: int) -> bool:
    """Whether another open file has the lock."""
    if sys.platform == "linux":
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_RDLCK))
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _set(fd: int, kind: int) -> None:
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(kind))


def _flock(kind: int) -> bytes:
    # struct flock of Linux: type, whence, start, length (0 is all), and the process id, which must be 0 here.
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)


def _is_at(fd: int, path: Path) -> bool:
    """True when the open file is the one that the path leads to."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _sign(fd: int) -> None:
    with suppress(OSError):  # a full disk: the lock is held all the same, only nobody learns by whom
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)


def _signed(fd: int) -> int:
    """The process id in the file; 0 when there is none, or not all of it yet."""
    text = os.pread(fd, 32, 0)
    return int(text) if text.endswith(b"\n") and text[:-1].isdigit() else 0


def _is_alive(process: int) -> bool:
    if process == 0:
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _refusal(directory: Path, holder: int) -> str:
    who = "a sweep of this process" if holder == os.getpid() else f"process {holder or 'unknown'}"
    return f"{directory} is in use by {who}; one sweep at a time can write it"


def _forget_all() -> None:
    for lock in _held.values():
        lock.forget()
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)
