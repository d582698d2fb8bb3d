"""A journal that is damaged in its middle, made one that a sweep can go on with.

What precedes the damage stays. What follows it cannot be replayed: each event follows from those before it, and some of them
are missing. So everything from the damage on is moved to a file `journal.quarantine-N` beside the journal, and what is known
of trials that ended there is told. One case is better: where broken bytes stand between two events that follow one another
nothing is missing, and only these bytes are moved. The same holds for a damaged header.

After the repair the numbers of trials that were lost are given to new ones, which must not take the checkpoints of the lost for
their own. So the folders of trials that the journal knows no more, or whose parameters it does not know for sure, are moved too,
to `trials.quarantine-N`.

The bytes that are moved are synced under their new name before the journal is replaced, which is one step. Whenever it is cut
short, the old journal is still there, or the new one with its quarantine.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from asyncsweep.core.events import Event, Failed, Finished, Kept, ParamSuggested, Pruned, Started, Suggested
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.core.records import FINAL_STATES, State, TrialRecord
from asyncsweep.errors import JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, OsFiles
from asyncsweep.journal.inspection import Damage, Reading, content
from asyncsweep.journal.writer import NAME
from asyncsweep.worker.folders import numbers_in

_NEW_JOURNAL = "journal.repaired"
_NEW_QUARANTINE = "journal.quarantined"


class Lost(NamedTuple):
    """A trial whose end is in the part that is moved away.

    Attributes:
        trial: Its number.
        state: How it ended there.
        metrics: What it returned.
        params: Its parameters, as far as they can be read.
    """

    trial: int
    state: State
    metrics: dict[str, float]
    params: dict[str, Any]


class Plan(NamedTuple):
    """What a repair does.

    Attributes:
        damage: Where the first damage is, and what.
        kept: Where the records that stay begin and end, in order; none: the journal cannot be repaired.
        moved: Where the bytes that are moved begin and end, in order.
        n_moved: How many whole records are moved.
        lost: The trials whose end is moved, by number.
        folders: The numbers of the trials whose folders are moved, in order.
    """

    damage: Damage
    kept: list[tuple[int, int]]
    moved: list[tuple[int, int]]
    n_moved: int
    lost: list[Lost]
    folders: list[int]


def plan(directory: Path, files: Files | None = None) -> Plan | None:
    """What `repair` would do; None when the journal is not damaged.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: The journal cannot be read at all: no journal, of a newer format, or the system refuses.
    """
    return _plan(content(directory, files), directory)


def repair(directory: Path, files: Files | None = None) -> tuple[Plan, Path] | None:
    """Repair the journal in a directory; gives what was done and the quarantine, or None when it is not damaged.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: A process is at work in it, the journal cannot be read at all, nothing of it can be kept, or the system
            refuses. The journal is as it was.
    """
    files = files or OsFiles()
    path = directory / NAME
    content(directory, files)  # refuse a directory without a sweep before a lock is left in it
    try:
        held = files.lock(directory)
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(f"{path} cannot be locked: {error}", path=str(path)) from error
    try:
        data = content(directory, files)
        found = _plan(data, directory)
        if found is None:
            return None
        if not found.kept:
            raise JournalError(
                f"{path} cannot be repaired: no whole beginning precedes the damage at byte {found.damage.offset}; begin a "
                "new sweep in another directory. The trials that can still be read are listed by: "
                f"asyncsweep journal repair --dry-run --json {directory}",
                path=str(path),
                offset=found.damage.offset,
            )
        try:
            return found, _carry_out(found, data, directory, files)
        except OSError as error:
            raise JournalError(f"{path} cannot be repaired: {error}", path=str(path)) from error
    finally:
        held.release()


def _plan(data: bytes, directory: Path) -> Plan | None:
    machine = Machine()
    reading = Reading(data, str(directory / NAME), machine=machine, over_gaps=True)
    kept = [(record.offset, record.end) for record, _ in reading]
    damage = reading.gaps[0].damage if reading.gaps else reading.damage
    if damage is None:
        return None
    if machine.phase is Phase.NEW:  # no event, or a snapshot that is not whole
        reading.offset = 0
        reading.gaps.clear()
        kept.clear()
    lost, n_moved, asks_late = _lost(reading, machine)
    moved = [(gap.damage.offset, gap.end) for gap in reading.gaps]
    if reading.offset < len(data):
        moved.append((reading.offset, len(data)))
    folders = _folders_in_doubt(directory, machine, asks_late) if reading.damage is not None and kept else []
    return Plan(damage, kept, moved, n_moved, lost, folders)


def _folders_in_doubt(directory: Path, machine: Machine, asks_late: bool) -> list[int]:
    """The trials whose folders may hold a checkpoint of other parameters than theirs will be."""
    trials = machine.trials
    # Where objectives ask for parameters while they run, some may be in the part that is lost.
    asks_late = asks_late or not machine.spec.space or any(trial.domains for trial in trials)
    sure = {t.number for t in trials if t.is_final or (t.param_names is not None and not asks_late)}
    folders = directory / "trials"
    if os.path.islink(folders):
        return []
    try:
        return [number for number in numbers_in(folders) if number not in sure]
    except OSError as error:
        raise JournalError(f"{folders} cannot be read: {error}", path=str(directory / NAME)) from error


def _lost(reading: Reading, machine: Machine) -> tuple[list[Lost], int, bool]:
    """The trials that ended in the rest of a journal, how many whole records that has, and whether trials ask there."""
    trials = {trial.number: trial for trial in machine.trials} if machine.phase is not Phase.NEW else {}
    params = {number: dict(trial.params) for number, trial in trials.items()}
    ends: dict[int, Lost] = {}
    n_records, asks_late = 0, False
    for record in reading.rest():
        n_records += 1
        asks_late = asks_late or isinstance(record.event, ParamSuggested)
        if record.event is not None:
            _note(record.event, trials, params, ends)
    return [ends[number] for number in sorted(ends)], n_records, asks_late


def _note(
    event: Event, trials: dict[int, TrialRecord], params: dict[int, dict[str, Any]], ends: dict[int, Lost]
) -> None:
    """Take what an event of the rest tells of a trial."""
    if isinstance(event, Kept):
        for kept in event.trials.trials:
            if kept.state in FINAL_STATES and kept.number >= 0:
                try:
                    names = () if kept.param_names is None else event.trials.names[kept.param_names]
                    metric_names = event.trials.names[kept.metric_names]
                except IndexError:  # nobody has checked what is behind the damage
                    continue
                metrics = dict(zip(metric_names, kept.metric_values, strict=False))
                known = dict(zip(names, kept.param_values, strict=False))
                ends[kept.number] = Lost(kept.number, kept.state, metrics, known)
        return
    number = getattr(event, "trial", -1)
    if number < 0 or (number in trials and trials[number].is_final):
        return
    known = params.setdefault(number, {})
    if isinstance(event, Suggested):
        known.update(event.params)
    elif isinstance(event, ParamSuggested):
        known[event.name] = event.value
    elif isinstance(event, Started):
        ends.pop(number, None)  # it was tried again
    elif isinstance(event, Finished):
        ends[number] = Lost(number, State.COMPLETE, event.metrics, known)
    elif isinstance(event, Pruned):
        ends[number] = Lost(number, State.PRUNED, {}, known)
    elif isinstance(event, Failed):
        ends[number] = Lost(number, State.FAILED, {}, known)


def _carry_out(found: Plan, data: bytes, directory: Path, files: Files) -> Path:
    """Write the quarantine, then the journal; gives the quarantine."""
    new_journal, new_quarantine = directory / _NEW_JOURNAL, directory / _NEW_QUARANTINE
    quarantine = _write_quarantine([data[a:b] for a, b in found.moved], directory, files)
    try:
        _move_folders(found.folders, directory, quarantine.suffix)
        # All of it is synced before it becomes the journal: one mark at its end says so.
        records = b"".join(data[a:b] for a, b in found.kept)
        _write(new_journal, [layout.beginning() + records + layout.mark(0)], files)
        files.sync_folder(directory)
        files.replace(new_journal, directory / NAME)
    except OSError:
        for left in (new_journal, new_quarantine):
            with suppress(OSError):  # in nobody's way: the next repair writes it anew
                files.remove(left)
        raise
    files.sync_folder(directory)
    return quarantine


def _move_folders(numbers: list[int], directory: Path, suffix: str) -> None:
    """Have the folders of trials out of the way before a journal is there that can be gone on with."""
    if numbers:
        aside = directory / f"trials{suffix}"
        aside.mkdir(mode=0o700, exist_ok=True)
        for number in numbers:
            os.rename(directory / "trials" / str(number), aside / str(number))


def _write_quarantine(pieces: list[bytes], directory: Path, files: Files) -> Path:
    """The moved bytes in a file of their own; the one of an earlier repair that was cut short serves again."""
    number = 1
    while files.exists(path := directory / f"journal.quarantine-{number}"):
        number += 1
    if number > 1:
        last = directory / f"journal.quarantine-{number - 1}"
        with suppress(OSError):  # one that cannot be read is left alone
            if _read(last, files) == b"".join(pieces):
                return last
    _write(directory / _NEW_QUARANTINE, pieces, files)
    files.replace(directory / _NEW_QUARANTINE, path)
    return path


def _write(path: Path, pieces: list[bytes], files: Files) -> None:
    with suppress(FileNotFoundError):
        files.remove(path)
    file = files.create(path)
    try:
        for piece in pieces:
            file.append(piece)
        file.sync()
    finally:
        file.close()


def _read(path: Path, files: Files) -> bytes:
    file = files.open(path, writing=False)
    try:
        return file.read()
    finally:
        file.close()
