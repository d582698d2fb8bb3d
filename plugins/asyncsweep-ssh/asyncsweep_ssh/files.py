"""Files of trials that come back from hosts, and checkpoints that go there.

What a host sends is written below the folder of its trial and nowhere else, whatever a path says; no symbolic link is followed. It is
written by one thread, in the order in which it came; what a worker said behind its files waits until they are there.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT, make
from asyncsweep_ssh.frames import FILE_BYTES

_LOG = re.compile(r"attempt-[1-9][0-9]{0,17}\.log")
_MOST_PARTS = 100
_LONGEST_PART_BYTES = 255

log = logging.getLogger("asyncsweep")


class Files:
    """The files of trials, for all hosts of a sweep.

    Args:
        folders: Where trials have their folders here.
        directory: Where logs go; None shows them, as those of local workers are shown.
        limit_bytes: The most that one trial's files may have on their way back from a host that says that there are fewer.
    """

    def __init__(self, folders: str, directory: Path | None, limit_bytes: int) -> None:
        self._folders = folders
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._queue: deque[tuple[str, Callable[[], None] | None, Callable[[], None]]] = deque()
        self._writing: dict[str, int] = {}
        self._news = anyio.Event()
        self._is_over = False
        self._lost: set[int] = set()
        self._sizes: dict[tuple[str, int], int] = {}

    async def run(self) -> None:
        """Write what comes, until `stop`: a cancelled sweep ends its trials as any other does."""
        with anyio.CancelScope(shield=True):
            await self._run()

    def stop(self) -> None:
        """Nothing more will come; what is there is still written."""
        self._is_over = True
        self._news.set()

    async def _run(self) -> None:
        limiter = anyio.CapacityLimiter(1)
        while not self._is_over or self._queue:
            while self._queue:
                name, work, then = self._queue[0]
                if work is not None:
                    await anyio.to_thread.run_sync(work, limiter=limiter)
                self._queue.popleft()
                self._writing[name] -= 1
                if not self._writing[name]:
                    del self._writing[name]
                then()
            self._news = anyio.Event()
            if not self._is_over:
                await self._news.wait()

    def after(self, worker: str, then: Callable[[], None]) -> None:
        """Do something when what a worker's host sent so far for it is written: at once where nothing is."""
        if self._writing.get(worker):
            self._put(worker, None, then)
        else:
            then()

    def write(self, worker: str, trial: int, path: str, data: bytes, is_first: bool, then: Callable[[], None]) -> None:
        """Write a piece of a file, and say so.

        Raises:
            ValueError: The path leads elsewhere, or there is more than was agreed.
        """
        if type(trial) is not int or trial < 0 or type(data) is not bytes:
            raise ValueError("no piece of a file")
        parts = checked(path)
        key = (worker, trial)
        is_log = len(parts) == 1
        if not is_log:
            self._sizes[key] = self._sizes.get(key, 0) + len(data)
            if self._sizes[key] > self._limit_bytes + FILE_BYTES:
                raise ValueError(f"more than {self._limit_bytes} bytes of files of trial {trial}")
        self._put(worker, partial(self._write_now, trial, parts, data, is_first), then)

    def forget(self, worker: str, trial: int) -> None:
        """An attempt has ended: the next one may send as much."""
        self._sizes.pop((worker, trial), None)

    def has_checkpoint(self, trial: int) -> bool:
        return bool(self._folders) and os.path.isdir(os.path.join(self._folders, str(trial), CHECKPOINT))

    async def checkpoint(self, trial: int) -> AsyncIterator[tuple[str, bytes, bool]]:
        """The pieces of what a trial's earlier attempts left: path, bytes, and whether they are a file's first."""
        root = Path(self._folders, str(trial))
        for path in await anyio.to_thread.run_sync(_files_below, root / CHECKPOINT):
            is_first, offset = True, 0
            while True:
                data = await anyio.to_thread.run_sync(_piece, path, offset)
                if data is None or (not data and not is_first):
                    break
                yield path.relative_to(root).as_posix(), data, is_first
                is_first, offset = False, offset + len(data)

    def _put(self, worker: str, work: Callable[[], None] | None, then: Callable[[], None]) -> None:
        self._queue.append((worker, work, then))
        self._writing[worker] = self._writing.get(worker, 0) + 1
        self._news.set()

    def _write_now(self, trial: int, parts: tuple[str, ...], data: bytes, is_first: bool) -> None:
        try:
            if len(parts) == 1 and self._directory is None:
                _show(data)
            elif self._folders:
                self._write_below(trial, parts, data, is_first)
        except OSError as error:
            if trial not in self._lost:
                self._lost.add(trial)
                log.warning("trial %d: %s cannot be written: %s", trial, "/".join(parts), error.strerror or error)

    def _write_below(self, trial: int, parts: tuple[str, ...], data: bytes, is_first: bool) -> None:
        folder = make(self._folders, str(trial), *parts[:-1])
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if is_first else os.O_APPEND)
        with open(os.open(os.path.join(folder, parts[-1]), flags, 0o600), "wb", buffering=0) as file:
            os.fchmod(file.fileno(), 0o600)
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]


def checked(path: object) -> tuple[str, ...]:
    """The parts of a path that a host sent: a log, or something below the checkpoint or the artifacts.

    Raises:
        ValueError: It is anything else.
    """
    if isinstance(path, str) and path:
        parts = tuple(path.split("/"))
        is_log = len(parts) == 1 and _LOG.fullmatch(path)
        is_below = 1 < len(parts) <= _MOST_PARTS and parts[0] in (CHECKPOINT, ARTIFACTS)
        if (is_log or is_below) and all(map(_is_plain, parts)):
            return parts
    raise ValueError(f"no path of a trial's file: {path!r:.200}")


def _is_plain(part: str) -> bool:
    try:
        return part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= _LONGEST_PART_BYTES
    except UnicodeEncodeError:
        return False


def _show(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _files_below(folder: Path) -> list[Path]:
    found = []
    for above, _, names in os.walk(folder):
        paths = [Path(above, name) for name in sorted(names)]
        found += [path for path in paths if stat.S_ISREG(os.lstat(path).st_mode)]
    return found


def _piece(path: Path, offset: int) -> bytes | None:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(FILE_BYTES)
    except FileNotFoundError:  # the sweep's upkeep has deleted it
        return None
