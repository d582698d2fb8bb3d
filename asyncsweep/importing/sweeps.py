"""Another sweep of ours as a new one: its trials that have ended, with all that the journal knows of them."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from asyncsweep.core.records import TrialRecord
from asyncsweep.driver.replay import Replaying
from asyncsweep.errors import ConfigError
from asyncsweep.importing.search import NUMBER, Search
from asyncsweep.journal import journal


def read(path: Path) -> Search:
    """The sweep in a directory, also while it runs or after it was killed; no lock is taken.

    Raises:
        ConfigError: There is no sweep, or none of its trials has ended.
        JournalError: The journal is damaged, or is of a newer version.
    """
    replaying = Replaying(str(path / journal.NAME))
    journal.read(path, take=replaying.take)
    machine = replaying.machine
    if not machine.seq:
        raise ConfigError("that sweep never began: there is nothing to import")
    trials: list[TrialRecord] = []
    spec = machine.spec
    for trial in machine.trials:
        if not trial.is_final:
            continue
        copied = trial.copied()
        if copied.number != len(trials):
            copied.attrs = {**(copied.attrs or {}), NUMBER: copied.number}
            copied.number = len(trials)
        trials.append(copied)
    if not trials:
        raise ConfigError("no trial of that sweep has ended: there is nothing to import")
    notes = ["its trials' logs, checkpoints and artifacts were not copied"]
    if spec.reproducible and any(trial.attrs and NUMBER in trial.attrs for trial in trials):
        spec = replace(spec, reproducible=0)
        notes.append("some trials have other numbers now, so the sweep is no longer reproducible")
    n_left_out = len(machine.trials) - len(trials)
    return Search(spec, trials, n_left_out, notes, tuple(machine.history), tuple(machine.life.enqueued))
