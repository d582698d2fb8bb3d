"""Real files that count their writes, and fail when they are told to: for whole sweeps, whose other files are real, too.

A journal alone is tried with `asyncsweep.testing.files`.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from asyncsweep.journal.files import OsFile, OsFiles


class FaultyFile:
    """A file of the operating system that may refuse.

    Attributes:
        appends: The size of each write, in order.
        syncs: How often it was synced after it was begun or opened.
    """

    def __init__(self, file: OsFile, files: FaultyFiles) -> None:
        self._file = file
        self._files = files
        self.appends: list[int] = []
        self.syncs = -1

    def size(self) -> int:
        return self._file.size()

    def read(self) -> bytes:
        return self._file.read()

    def append(self, data: bytes | bytearray) -> None:
        if len(self.appends) >= self._files.writes_left:
            self._file.append(data[: self._files.partly])
            raise OSError(self._files.error, os.strerror(self._files.error))
        self.appends.append(len(data))
        self._file.append(data)

    def truncate(self, size: int) -> None:
        if self._files.cannot_truncate:
            raise OSError(errno.EIO, "truncate refused")
        self._file.truncate(size)

    def sync(self) -> None:
        self.syncs += 1
        if self.syncs > self._files.syncs_left:
            raise OSError(errno.EIO, "sync refused")
        self._file.sync()

    def close(self) -> None:
        self._files.n_open -= 1
        self._file.close()


class FaultyFiles(OsFiles):
    """Files that work `writes_left` times.

    Args:
        writes_left: After so many writes each further one fails, having written its first `partly` bytes.
        partly: See `writes_left`.
        error: How it fails.
        syncs_left: After so many syncs of a journal that was begun or opened each further one fails.
        cannot_truncate: A torn tail cannot be cut off either.
    """

    def __init__(
        self,
        writes_left: int = 10**9,
        partly: int = 0,
        error: int = errno.ENOSPC,
        syncs_left: int = 10**9,
        cannot_truncate: bool = False,
    ) -> None:
        self.writes_left = writes_left
        self.partly = partly
        self.error = error
        self.syncs_left = syncs_left
        self.cannot_truncate = cannot_truncate
        self.made: list[FaultyFile] = []
        self.n_open = 0

    def create(self, path: Path) -> FaultyFile:  # type: ignore[override]  # it has all that an `OsFile` has
        return self._made(super().create(path))

    def open(self, path: Path, *, writing: bool) -> FaultyFile:  # type: ignore[override]  # the same
        return self._made(super().open(path, writing=writing))

    def _made(self, file: OsFile) -> FaultyFile:
        self.n_open += 1
        self.made.append(FaultyFile(file, self))
        return self.made[-1]
