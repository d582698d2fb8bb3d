"""Which sweeps there are below a folder, and how each stands. Nothing of a sweep is executed, locked or changed.

A sweep is a folder with a journal in it. What cannot be read is told of, like a damaged journal: one bad sweep hides no other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from asyncsweep.cli.cost import cost_of
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.core.records import SweepSpec, TrialRecord
from asyncsweep.driver.replay import Replaying
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import journal, lock
from asyncsweep.journal.inspection import ending
from asyncsweep.result import Result

TRIALS = "trials"
_DIGITS = re.compile(r"([0-9]{1,18})")

RUNNING = "running"
PAUSED = "paused"
STOPPING = "stopping"
INTERRUPTED = "interrupted"
ENDED = "ended"
NEVER_BEGAN = "never began"
DAMAGED = "damaged"


class Standing(NamedTuple):
    """How one sweep stands.

    Attributes:
        path: Its folder.
        state: One of the words above.
        reason: Why it ended, or what is wrong with its journal.
        pid: The process that has it open, 0 where it is not known which; None when none has.
        spec: Its settings; None when the journal does not tell.
        counts: State -> number of trials, as far as the journal can be read.
        best: The best trials: one, or those of the front.
        at: When its last event was, in seconds since the epoch; None for none.
        n_bytes: What its folder holds.
    """

    path: Path
    state: str
    reason: str
    pid: int | None
    spec: SweepSpec | None
    counts: Mapping[str, int]
    best: list[TrialRecord]
    at: float | None
    n_bytes: int


def folders_below(folder: Path, depth: int, refused: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """The folders of sweeps: the folder itself, and those at most `depth` levels below it, by name.

    Hidden folders and symbolic links are passed over, and so are a sweep's own trials. `refused` is told of a folder that
    cannot be looked into.
    """
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError as error:
        refused(folder, error)
        return
    is_sweep = journal.NAME in inside
    if is_sweep:
        yield folder
    if depth > 0:
        for name in sorted((name for name, is_folder in inside.items() if is_folder), key=_naturally):
            if not name.startswith(".") and not (is_sweep and name == TRIALS):
                yield from folders_below(folder / name, depth - 1, refused)


def standing_of(path: Path) -> Standing:
    """How the sweep in a folder stands; whatever its journal holds, nothing is raised for it."""
    replaying = Replaying(str(path / journal.NAME))
    fault = ""
    try:
        journal.read(path, take=replaying.take)
    except (JournalError, ConfigError) as error:
        fault = str(error).removeprefix(f"{path / journal.NAME}: ").partition("\n")[0]
    except Exception as error:  # somebody else's file may hold events that no sweep of ours writes
        fault = f"event {replaying.machine.seq + 1} cannot be taken in: {error!r}"
    return _standing(path, replaying.machine, fault)


def _standing(path: Path, machine: Machine, fault: str) -> Standing:
    pid = holder(path)
    finish = ending(machine)
    is_open = machine.phase is not Phase.NEW
    result = Result(machine.spec, machine.trials) if is_open else None
    if fault:
        state, reason = DAMAGED, fault
    elif not is_open:
        state, reason = (NEVER_BEGAN if pid is None else RUNNING), ""
    elif finish is not None:
        state, reason = ENDED, str(finish.error or finish.reason)
    else:
        state, reason = state_of(machine, pid), ""
    return Standing(
        path,
        state,
        reason,
        pid,
        machine.spec if is_open else None,
        {} if result is None else {one.value: count for one, count in result.counts.items()},
        [] if result is None else _best(result),
        machine.at if is_open else None,
        cost_of(path).total,
    )


def state_of(machine: Machine, pid: int | None) -> str:
    """The word for a sweep that has begun and not ended, which this process has open."""
    if pid is None:
        return INTERRUPTED
    if machine.phase is Phase.STOPPING:
        return STOPPING
    return PAUSED if machine.paused else RUNNING


def _best(result: Result) -> list[TrialRecord]:
    if len(result.directions) > 1:
        return result.best_trials
    return [] if result.best is None else [result.best]


def holder(path: Path) -> int | None:
    """The process that has a sweep open, 0 where it is not known which; None when none has."""
    try:
        return lock.holder(path)
    except OSError:  # a symbolic link, or not ours to read: no sweep of ours has it
        return None


def _naturally(name: str) -> list[str | int]:
    """An order in which run-2 is before run-10."""
    return [int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(name))]
