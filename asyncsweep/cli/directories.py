"""Directories for sweeps that were given none: sweeps/NAME-1, sweeps/NAME-2, ..."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from asyncsweep.cli import record
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal

PARENT = "sweeps"
_LONGEST_NAME = 60


def new_directory(name: str) -> Path:
    """Make the next directory for a sweep of this name, below the current folder; nobody else is given the same.

    Raises:
        ConfigError: It cannot be made.
    """
    stem = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:_LONGEST_NAME] or "sweep"
    parent = Path(PARENT)
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        number = 1 + max((_number(path.name, stem) for path in parent.iterdir()), default=0)
        while True:
            path = parent / f"{stem}-{number}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:  # of a sweep that was started just now
                number += 1
            else:
                return path
    except OSError as error:
        raise ConfigError(
            f"{PARENT}/{stem}-1 cannot be made here ({error.strerror}); name a directory by --directory, or say --in-memory"
        ) from error


def unmake(directory: Path, *, whole: bool) -> None:
    """Remove what was put into the directory of a sweep that never began; the directory too when it was made for it (`whole`)."""
    with suppress(OSError):  # what is left is no sweep, and harms nobody; or it has no name that can be
        if (directory / journal.NAME).exists():
            return
        (directory / record.NAME).unlink(missing_ok=True)
        if whole:
            directory.rmdir()
            directory.parent.rmdir()  # where it was the first one


def _number(name: str, stem: str) -> int:
    found = re.fullmatch(re.escape(stem) + r"-([1-9][0-9]{0,8})", name)
    return int(found[1]) if found else 0
