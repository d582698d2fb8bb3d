"""Files of trials on the host: what goes back when an attempt has ended, and what came with one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from typing import NamedTuple

from asyncsweep.worker.artifacts import is_unfinished
from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT, make
from asyncsweep_ssh.frames import FILE_BYTES


class Part(NamedTuple):
    """A piece of a file on its way: the first one makes it new."""

    path: str
    data: bytes
    is_first: bool


class LeftOut(NamedTuple):
    """What does not go back, and why."""

    path: str
    reason: str


def parts_of(folder: str, log: str, limit_bytes: int, most_files: int) -> Iterator[Part | LeftOut]:
    """What an attempt leaves, a piece at a time: its log first, then its checkpoint and its artifacts.

    Args:
        folder: The trial's folder, which may not be there.
        log: The name of the attempt's log in it.
        limit_bytes: The most that files other than the log may have together.
        most_files: The most files.
    """
    if os.path.isfile(os.path.join(folder, log)):
        yield from _pieces(folder, log, None)
    left = limit_bytes
    for place in (CHECKPOINT, ARTIFACTS):
        for path in _files_below(folder, place):
            if isinstance(path, LeftOut):
                yield path
                continue
            most_files -= 1
            try:
                size = os.lstat(os.path.join(folder, path)).st_size
            except OSError as error:
                yield LeftOut(path, error.strerror or str(error))
                continue
            if size > left or most_files < 0:
                yield LeftOut(path, f"{size:,} bytes would be more than what may come back")
                continue
            left -= size
            yield from _pieces(folder, path, size)


def _files_below(folder: str, place: str) -> Iterator[str | LeftOut]:
    waiting = [place]
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(os.path.join(folder, path))
            if stat.S_ISDIR(status.st_mode):
                names = sorted(os.listdir(os.path.join(folder, path)), reverse=True)
                waiting += [f"{path}/{name}" for name in names if not is_unfinished(name)]
            elif stat.S_ISREG(status.st_mode):
                yield path
            else:
                yield LeftOut(path, "it is neither a file nor a folder")
        except FileNotFoundError:
            continue
        except OSError as error:
            yield LeftOut(path, error.strerror or str(error))


def _pieces(folder: str, path: str, size: int | None) -> Iterator[Part | LeftOut]:
    """The pieces of a file, no more than it had when it was looked at."""
    try:
        path.encode()
        fd = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb", buffering=0) as file:
            is_first = True
            while is_first or size is None or size > 0:
                data = file.read(FILE_BYTES if size is None else min(size, FILE_BYTES)) or b""
                if not data and not is_first:
                    return
                yield Part(path, data, is_first)
                is_first = False
                size = None if size is None else size - len(data)
    except UnicodeEncodeError:
        yield LeftOut(ascii(path), "its name is no text")
    except OSError as error:
        yield LeftOut(path, error.strerror or str(error))


def put(folders: str, trial: int, path: str, data: bytes, is_first: bool) -> None:
    """Write a piece of a file of a trial's checkpoint.

    Raises:
        OSError: It cannot be written.
        ValueError: The path leads elsewhere.
    """
    *above, name = path.split("/")
    if not above or above[0] != CHECKPOINT or not all(_is_plain(part) for part in (*above, name)):
        raise ValueError(f"no path of a checkpoint: {path!r}")
    folder = make(folders, str(trial), *above)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if is_first else os.O_APPEND)
    with open(os.open(os.path.join(folder, name), flags, 0o600), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


def forget(folders: str, trial: int) -> None:
    """Remove a trial's folder."""
    shutil.rmtree(os.path.join(folders, str(trial)), ignore_errors=True)


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part
