"""The files of one trial: what its attempts printed, and what it saved. No symbolic link is followed."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from asyncsweep.worker.folders import ARTIFACTS

_LOG = re.compile(r"attempt-([1-9][0-9]{0,17})\.log")


class Log(NamedTuple):
    """What an attempt printed."""

    attempt: int
    path: Path
    n_bytes: int


class Artifact(NamedTuple):
    """A file among a trial's artifacts; its name is its path among them."""

    name: str
    n_bytes: int


def logs_of(directory: Path, trial: int) -> list[Log]:
    """The logs of a trial's attempts, in their order; those that are there."""
    folder = directory / "trials" / str(trial)
    found = []
    for name in _names(folder):
        match = _LOG.fullmatch(name)
        size = _size(folder / name)
        if match is not None and size is not None:
            found.append(Log(int(match[1]), folder / name, size))
    return sorted(found)


def artifacts_of(directory: Path, trial: int) -> list[Artifact]:
    """The files that a trial saved, by name."""
    root = directory / "trials" / str(trial) / ARTIFACTS
    found: list[Artifact] = []
    folders = [root] if not root.is_symlink() else []
    while folders:
        folder = folders.pop()
        for name in _names(folder):
            path = folder / name
            size = _size(path)
            if size is not None:
                found.append(Artifact(path.relative_to(root).as_posix(), size))
            elif path.is_dir() and not path.is_symlink():
                folders.append(path)
    return sorted(found)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # not there, removed meanwhile, or not ours to read
        return []


def _size(path: Path) -> int | None:
    """The size of a regular file; None of everything else."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
