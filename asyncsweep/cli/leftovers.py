"""Artifacts whose sweep was deleted without them: `rm` keeps trials/N/artifacts, and the journal is gone."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from asyncsweep.journal.writer import NAME
from asyncsweep.worker.folders import ARTIFACTS

# Names of folders of trials, and of a trial's.
TRIALS = re.compile(r"trials(\.quarantine-[0-9]+)?")
TRIAL = re.compile(r"0|[1-9][0-9]{0,17}")


class Leftovers(NamedTuple):
    """What is in a folder that has no journal.

    Attributes:
        n_trials: Of how many trials there are artifacts.
        others: What else is there, by its path in the folder.
    """

    n_trials: int
    others: tuple[str, ...]


def leftovers_of(directory: Path) -> Leftovers | None:
    """What is left in a sweep's folder; None when there is a journal, or no trial's artifacts, or it is no folder.

    Symbolic links are not followed: one is something else.

    Raises:
        OSError: A folder cannot be looked into.
    """
    try:
        if not _is_folder(directory) or os.path.lexists(directory / NAME):
            return None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    n_trials = 0
    others: list[str] = []
    for trials in sorted(os.listdir(directory)):
        if not TRIALS.fullmatch(trials) or not _is_folder(directory / trials):
            others.append(trials)
            continue
        for trial in sorted(os.listdir(directory / trials)):
            place = f"{trials}/{trial}"
            if not TRIAL.fullmatch(trial) or not _is_folder(directory / place):
                others.append(place)
                continue
            for name in sorted(os.listdir(directory / place)):
                if name == ARTIFACTS and _is_folder(directory / place / name):
                    n_trials += 1
                else:
                    others.append(f"{place}/{name}")
    return Leftovers(n_trials, tuple(others)) if n_trials else None


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)
