"""Deleting what a sweep kept for a trial, and nothing else.

In a trial's folder the sweep's own are the logs, `attempt-N.log`, and what is under `checkpoint`; a file that somebody else put
beside them stays, and the folder with it. No symbolic link is followed: it is deleted itself. Every path is reached from an
open folder, so that nothing outside of the sweep's is touched, whatever is renamed meanwhile. What is gone already is no fault.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asyncsweep.worker.folders import CHECKPOINT

_LOG = re.compile(r"attempt-\d+\.log")
_NUMBER = re.compile(r"0|[1-9]\d{0,17}")
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)  # a file, and on some systems a symbolic link
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def numbers_in(folders: Path) -> list[int]:
    """The numbers of the trials that have a folder; none when the folder of their folders is not there."""
    try:
        with os.scandir(folders) as entries:
            return [int(e.name) for e in entries if _NUMBER.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def remove_trial(folders: Path, number: int) -> None:
    """Delete what the sweep kept for a trial.

    Raises:
        OSError: Something could not be deleted; all else is.
    """
    faults: list[OSError] = []
    try:
        with _opened(str(folders), None) as above, _opened(str(number), above) as folder:
            for name in os.listdir(folder):
                if name == CHECKPOINT or _LOG.fullmatch(name):
                    _remove(name, folder, faults)
            with suppress(OSError):  # somebody else's file is in it, or it is gone
                os.rmdir(str(number), dir_fd=above)
    except FileNotFoundError:
        return
    if faults:
        raise faults[0]


def remove_tree(path: Path) -> None:
    """Delete a folder with all that is in it; nothing happens when it is not there.

    Raises:
        OSError: Something could not be deleted; all else is.
    """
    faults: list[OSError] = []
    with suppress(FileNotFoundError), _opened(str(path.parent), None) as above:
        _remove(path.name, above, faults)
    if faults:
        raise faults[0]


@contextmanager
def _opened(name: str, above: int | None) -> Iterator[int]:
    fd = os.open(name, _A_FOLDER, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)


def _remove(name: str, above: int, faults: list[OSError]) -> None:
    """Delete what has this name in the open folder `above`; what cannot be deleted is added to `faults`."""
    try:
        with suppress(FileNotFoundError):
            try:
                with _opened(name, above) as folder:
                    for inner in os.listdir(folder):
                        _remove(inner, folder, faults)
            except OSError as error:
                if error.errno not in _NO_FOLDER:
                    raise
                os.unlink(name, dir_fd=above)
            else:
                os.rmdir(name, dir_fd=above)
    except OSError as error:
        faults.append(error)
