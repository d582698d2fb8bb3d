"""Deleting what a sweep kept for a trial, and nothing else.

In a trial's folder the sweep's own are the logs, `attempt-N.log`, and what is under `checkpoint` and `artifacts`; a file that
somebody else put beside them stays, and the folder with it. No symbolic link is followed: it is deleted itself. Every path is reached from an
open folder, so that nothing outside of the sweep's is touched, whatever is renamed meanwhile. What is gone already is no fault.

A `stop` that is set ends a removal before the next file: `Stopped`.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT

_LOG = re.compile(r"attempt-[0-9]+\.log")
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)  # a file, and on some systems a symbolic link
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Stopped(Exception):
    """Nothing more may be deleted."""


def remove_trial(folders: Path, number: int, stop: threading.Event | None = None) -> None:
    """Delete what the sweep kept for a trial.

    Raises:
        OSError: Something could not be deleted; all else is.
        Stopped: `stop` is set.
    """
    faults: list[OSError] = []
    try:
        with _opened(str(folders), None) as above, _opened(str(number), above) as folder:
            for name in os.listdir(folder):
                if name in (CHECKPOINT, ARTIFACTS) or _LOG.fullmatch(name):
                    _remove(name, folder, faults, stop)
            with suppress(OSError):  # somebody else's file is in it, or it is gone
                _delete(os.rmdir, str(number), above, stop)
    except FileNotFoundError:
        return
    if faults:
        raise faults[0]


def remove_tree(path: Path, stop: threading.Event | None = None) -> None:
    """Delete a folder with all that is in it; nothing happens when it is not there.

    Raises:
        OSError: Something could not be deleted; all else is.
        Stopped: `stop` is set.
    """
    faults: list[OSError] = []
    with suppress(FileNotFoundError), _opened(str(path.parent), None) as above:
        _remove(path.name, above, faults, stop)
    if faults:
        raise faults[0]


@contextmanager
def _opened(name: str, above: int | None) -> Iterator[int]:
    fd = os.open(name, _A_FOLDER, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)


def _remove(name: str, above: int, faults: list[OSError], stop: threading.Event | None) -> None:
    """Delete what has this name in the open folder `above`; what cannot be deleted is added to `faults`."""
    try:
        with suppress(FileNotFoundError):
            try:
                with _opened(name, above) as folder:
                    for inner in os.listdir(folder):
                        _remove(inner, folder, faults, stop)
            except OSError as error:
                if error.errno not in _NO_FOLDER:
                    raise
                _delete(os.unlink, name, above, stop)
            else:
                _delete(os.rmdir, name, above, stop)
    except OSError as error:
        faults.append(error)


def _delete(call: Callable[..., None], name: str, above: int, stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped
    call(name, dir_fd=above)
