"""What attempts printed: of one that runs from its executor, of one that has ended from its log, and of one that was cut short when the
sweep's process was killed from what its worker left, until the sweep is resumed and makes a log of that.

Places are counted in bytes printed. A log has the first and the last half of what was printed when that was more than the limit;
then what is between is passed over, and told. Secrets that this process knows are hidden, also those that the worker, who wrote
the log, did not know (see `worker.secrets`). No symbolic link is followed to a log.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple

import anyio
import anyio.to_thread

from asyncsweep.checks import MOST
from asyncsweep.core.records import TrialRecord
from asyncsweep.driver import leftovers
from asyncsweep.errors import ConfigError
from asyncsweep.executors import worker
from asyncsweep.hooks.contracts import Executor, JobId
from asyncsweep.worker.capture import worker_of
from asyncsweep.worker.secrets import redacted, trimmed

PIECE_BYTES = 65536

_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_A_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME = re.compile(r"attempt-([1-9][0-9]{0,17})\.log")
_LEFT_OUT = re.compile(rb"\n\.\.\. ([1-9][0-9]*) bytes left out \.\.\.\n")
_MARK_BYTES = len(b"\n...  bytes left out ...\n")

# Files in the sweep's directory, by trial and attempt.
Left = Mapping[JobId, str]
_NOTHING: Left = MappingProxyType({})


class Log(NamedTuple):
    """A piece of what an attempt printed.

    Attributes:
        attempt: The attempt; 0 when the trial has not begun.
        data: The piece.
        offset: Where it begins, in bytes printed.
        next_offset: Where the next one begins.
        left_out: How many bytes before it nobody keeps.
        total: How many bytes there are so far.
        is_over: The attempt has ended, and there is nothing more.
    """

    attempt: int
    data: bytes
    offset: int
    next_offset: int
    left_out: int
    total: int
    is_over: bool


class LogFile:
    """The log of an attempt that has ended; a context manager.

    Args:
        fd: The file, which it closes.
        raw_limit_bytes: For a worker's output that no log was made of yet: how much of it a log would have. None: it is a log.

    Attributes:
        total: How many bytes were printed.
        left_out: How many of them the log does not have.
    """

    def __init__(self, fd: int, raw_limit_bytes: int | None = None) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size
        if raw_limit_bytes is None:
            self._head, self._mark, self.left_out = self._parts()
        else:  # its middle may be a hole
            half = raw_limit_bytes // 2
            self.left_out = self._mark = max(0, self._size - 2 * half)
            self._head = half if self.left_out else self._size
        self.total = self._size - self._mark + self.left_out

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    def read(self, attempt: int, offset: int, limit_bytes: int) -> Log:
        """A piece from a place on; of the bytes printed before the end where `offset` is negative."""
        offset = wanted = max(0, offset + self.total) if offset < 0 else offset
        if self._head <= offset < self._head + self.left_out:
            offset = self._head + self.left_out
        if offset < self._head:
            place, limit_bytes = offset, min(limit_bytes, self._head - offset)
        else:
            place = offset - self.left_out + self._mark
        data = os.pread(self._fd, limit_bytes, place)
        end = offset + len(data)
        is_over = not data or end >= self.total
        return Log(attempt, _shown(data, offset, is_cut=not is_over), offset, end, offset - wanted, self.total, is_over)

    def place_after(self, offset: int, seen: bytes) -> int:
        """Where to go on for somebody who has read up to a place while the attempt ran, and has seen these bytes last.

        The place is another one where the log is shorter than what was printed.
        """
        before = self.read(0, max(0, offset - len(seen)), len(seen)).data
        if before == seen:
            return offset
        content = redacted(os.pread(self._fd, self._size, 0))
        found = content.rfind(seen)
        if found < 0:
            return min(offset, self.total)
        place = found + len(seen)
        return place if place <= self._head else place - self._mark + self.left_out

    def _parts(self) -> tuple[int, int, int]:
        """How long the first half is, and the line after it that tells how many bytes were left out; and that number."""
        for digits in range(1, 19):
            mark = _MARK_BYTES + digits
            half, odd = divmod(self._size - mark, 2)
            if half > 0 and not odd:
                found = _LEFT_OUT.fullmatch(os.pread(self._fd, mark, half))
                if found is not None:
                    return half, mark, int(found[1])
        return self._size, 0, 0


def check_offset(offset: object) -> None:
    """See that it is a whole number, negative or not.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(offset, bool) or not isinstance(offset, int) or abs(offset) > MOST:
        raise ConfigError(f"offset={offset!r:.80}: expected a whole number of bytes, negative to count from the end")


def left_outputs(directory: Path) -> dict[str, str]:
    """The files with workers' output by the workers' names: of those that run, and that a killed process of the sweep left.

    Raises:
        OSError: They cannot be listed.
    """
    found = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            name = worker_of(entry.name)
            if name is not None and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # removed meanwhile
                    if entry.stat(follow_symlinks=False).st_size:
                        found[name] = entry.name
    return found


def left_by(trials: Iterable[TrialRecord], outputs: Mapping[str, str]) -> Left:
    """Of a sweep whose process was killed: the files with the output of the attempts that were cut short."""
    attempts = leftovers.cut_short(trials)
    return {job: outputs[name] for name, job in attempts.items() if name in outputs}


def open_log(directory: Path, number: int, attempt: int, left: Left = _NOTHING) -> LogFile | None:
    """The log of an attempt that has ended; None when it printed nothing, or its log was not kept.

    Args:
        directory: The sweep's.
        number: The trial.
        attempt: The attempt.
        left: Where to look for what has no log yet.

    Raises:
        OSError: It cannot be read, or is no file: a symbolic link, for example.
    """
    try:
        with _opened(os.fspath(directory), "trials", str(number)) as folder:
            return _log_file(f"attempt-{attempt}.log", folder, directory / "trials" / str(number))
    except FileNotFoundError:
        pass
    try:
        with _opened(os.fspath(directory)) as folder:
            name = left.get(JobId(number, attempt))
            return None if name is None else _log_file(name, folder, directory, worker.LOG_LIMIT_BYTES)
    except FileNotFoundError:  # collected meanwhile
        return None


def _log_file(name: str, folder: int, path: Path, raw_limit_bytes: int | None = None) -> LogFile:
    fd = os.open(name, _A_FILE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path / name} is no file")
        return LogFile(fd, raw_limit_bytes)
    except BaseException:
        os.close(fd)
        raise


def logs_of(directory: Path, number: int) -> list[int]:
    """The attempts of a trial that have a log, in order.

    Raises:
        OSError: They cannot be listed.
    """
    try:
        with _opened(os.fspath(directory), "trials", str(number)) as folder:
            names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


async def read(
    executor: Executor, directory: Path, trial: TrialRecord, attempt: int, offset: int, limit_bytes: int
) -> Log:
    """A piece of what an attempt printed, whether it runs or not. Call it on the loop's thread.

    Raises:
        OSError: Its log cannot be read.
    """
    if not has_ended(trial, attempt):
        live = _live(executor, JobId(trial.number, attempt), offset, limit_bytes)
        if live is not None:
            return live
        return Log(attempt, b"", max(0, offset), max(0, offset), 0, 0, is_over=False)
    return await anyio.to_thread.run_sync(
        read_file, directory, trial.number, attempt, offset, limit_bytes, limiter=anyio.CapacityLimiter(1)
    )


def has_ended(trial: TrialRecord, attempt: int) -> bool:
    """Whether what an attempt printed is in its log."""
    return attempt < trial.attempt or trial.is_final or (trial.attempt > 0 and trial.worker is None)


def place_after(directory: Path, number: int, attempt: int, offset: int, seen: bytes) -> int:
    """See `LogFile.place_after`.

    Raises:
        OSError: The log cannot be read.
    """
    log = open_log(directory, number, attempt)
    if log is None:
        return offset
    with log:
        return log.place_after(offset, seen)


def read_file(directory: Path, number: int, attempt: int, offset: int, limit_bytes: int, left: Left = _NOTHING) -> Log:
    """A piece of what an attempt printed that has ended; see `open_log`.

    Raises:
        OSError: Its log cannot be read.
    """
    log = open_log(directory, number, attempt, left)
    if log is None:
        return Log(attempt, b"", max(0, offset), max(0, offset), 0, 0, is_over=True)
    with log:
        return log.read(attempt, offset, limit_bytes)


def _live(executor: Executor, job: JobId, offset: int, limit_bytes: int) -> Log | None:
    look = getattr(executor, "output", None)
    if look is None:
        return None
    if offset < 0:
        now = look(job, 0, 0)
        offset = 0 if now is None else max(0, now.total + offset)
    found = look(job, offset, limit_bytes)
    if found is None:
        return None
    data, start, total = found
    end = start + len(data)
    return Log(job.attempt, _shown(data, start, is_cut=True), start, end, start - offset, total, is_over=False)


def _shown(data: bytes, offset: int, *, is_cut: bool) -> bytes:
    """A piece without secrets, nor the halves of such that it may begin and, where it is cut, end with; it stays as long as it is."""
    data = redacted(data)
    if is_cut:
        data = trimmed(data, ends=True)
    return trimmed(data, ends=False) if offset > 0 else data


@contextmanager
def _opened(path: str, *inner: str) -> Iterator[int]:
    """The folder that the parts lead to, open; links are followed in the first one alone."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in inner:
            below = os.open(name, _A_FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)
