"""What a sweep's directory costs: the bytes of its files, by what they are for. Symbolic links are counted, never followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asyncsweep.worker.capture import worker_of
from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT

_KEPT = {CHECKPOINT: "checkpoints", ARTIFACTS: "artifacts"}
_LOG = re.compile(r"attempt-\d+\.log")


class Cost(NamedTuple):
    """Bytes in files.

    Attributes:
        journal: The journal, with what repairs moved out of it.
        logs: What trials printed.
        checkpoints: What trials saved in `checkpoint_dir`.
        artifacts: What trials saved in `dir`.
        other: Everything else in the directory.
    """

    journal: int
    logs: int
    checkpoints: int
    artifacts: int
    other: int

    @property
    def total(self) -> int:
        return sum(self)


def cost_of(directory: Path) -> Cost:
    """What is in the directory now; what a running sweep makes or removes meanwhile may be counted or not."""
    found = dict.fromkeys(Cost._fields, 0)
    linked: set[tuple[int, int]] = set()
    for place, status in _files(directory):
        if status.st_nlink > 1:  # one file under several names
            if (status.st_dev, status.st_ino) in linked:
                continue
            linked.add((status.st_dev, status.st_ino))
        found[_purpose(place)] += status.st_size
    return Cost(**found)


def size_text(n_bytes: int) -> str:
    """Such as "512 B", "4.2 kB", "130 MB"."""
    if n_bytes < 1000:
        return f"{n_bytes} B"
    size, units = n_bytes / 1000, iter(("kB", "MB", "GB"))
    unit = next(units)
    while size >= 999.5:
        size, unit = size / 1000, next(units, "TB")
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"


def _purpose(place: tuple[str, ...]) -> str:
    if len(place) == 1:
        if worker_of(place[0]) is not None:
            return "logs"
        return "journal" if place[0].startswith("journal.") else "other"
    is_of_trial = len(place) > 2 and place[0] == "trials" and place[1].isdecimal()
    if is_of_trial and len(place) == 3 and _LOG.fullmatch(place[2]):
        return "logs"
    return _KEPT.get(place[2], "other") if is_of_trial else "other"


def _files(directory: Path) -> Iterator[tuple[tuple[str, ...], os.stat_result]]:
    """Every file and symbolic link below, by its path in parts."""
    folders: list[tuple[str, ...]] = [()]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(directory.joinpath(*folder)))
        except OSError:  # removed meanwhile, or not ours to read
            continue
        for entry in entries:
            place = (*folder, entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(place)
                else:
                    yield place, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
