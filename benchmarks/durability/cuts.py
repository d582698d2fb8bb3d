"""What a power loss leaves: files cut at random bytes, gone on with twice, and read again.

A cut leaves part of a record. Whoever goes on from there must not make the file unreadable for the next one, and what was whole
must still be there. Where the cut left no search at all, a new one may begin in the same place.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import anyio
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from asyncsweep import ConfigError, Float, Sweep
from asyncsweep.driver.replay import replay
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.journal.writer import NAME
from benchmarks.sweeping import objectives

_SPACE = {"momentum": Float(0.0, 1.0)}
_STUDY = "cut"
_RESUMES = 2


class Cuts(NamedTuple):
    """What became of the files.

    Attributes:
        unreadable: How many could not be gone on with, or not be read in the end.
        lossy: How many lost a trial whose end was in the file before the cut.
        errors: What was said about the unreadable ones.
    """

    unreadable: int
    lossy: int
    errors: tuple[str, ...] = ()


def of_sweeps(folder: Path, n_cuts: int, n_trials: int) -> Cuts:
    """Our journal."""
    whole = folder / "whole-sweep"
    anyio.run(_swept, whole, n_trials)
    data = (whole / NAME).read_bytes()

    def go_on(place: int, cut: int) -> bool:
        directory = folder / f"cut-sweep-{place}"
        shutil.copytree(whole, directory)
        (directory / NAME).write_bytes(data[:cut])
        before = _final(layout.decode(data[:cut], "cut").events)
        for resumed in range(_RESUMES):
            anyio.run(_gone_on, directory, len(before) + resumed + 1)
        after = _final(journals.read(directory).events)
        return all(after.get(number) == trial for number, trial in before.items())

    return _cut(len(data), n_cuts, go_on)


def of_journal_storage(folder: Path, n_cuts: int, n_trials: int) -> Cuts:
    """Optuna's journal."""
    whole = folder / "whole.log"
    _searched(whole, n_trials)
    data = whole.read_bytes()

    def go_on(place: int, cut: int) -> bool:
        path = folder / f"cut-{place}.log"
        path.write_bytes(data[:cut])
        before = data[: data.rfind(b"\n", 0, cut) + 1].count(b'"values":[')
        for _ in range(_RESUMES):
            _searched(path, 1)
        complete = optuna.trial.TrialState.COMPLETE
        found = [trial for trial in _study(path).get_trials(deepcopy=False) if trial.state is complete]
        return len(found) >= before + _RESUMES

    return _cut(len(data), n_cuts, go_on)


def _cut(size: int, n_cuts: int, go_on: Callable[[int, int], bool]) -> Cuts:
    random, lossy = Random(1), 0
    errors: list[str] = []
    for place in range(n_cuts):
        cut = random.randrange(size)
        try:
            lossy += not go_on(place, cut)
        except Exception as error:  # whatever it says: the user cannot go on
            errors.append(f"cut at {cut} of {size}: {type(error).__name__}: {error}")
    return Cuts(len(errors), lossy, tuple(errors))


async def _swept(directory: Path, n_trials: int) -> None:
    await Sweep(objectives.noop_async, _SPACE, sampler="random", seed=1, n_trials=n_trials, directory=directory).run()


async def _gone_on(directory: Path, n_trials: int) -> None:
    """Go on, or begin where nothing is left to go on with."""
    try:
        sweep = Sweep.open(directory, objectives.noop_async, n_trials=n_trials)
    except ConfigError:
        await _swept(directory, n_trials)
    else:
        await sweep.run()


def _final(events: list[Any]) -> dict[int, Any]:
    trials = replay(events, "cut").trials
    return {trial.number: (trial.state, trial.params, trial.metrics) for trial in trials if trial.is_final}


def _study(path: Path) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path)))
    sampler = optuna.samplers.RandomSampler()
    return optuna.create_study(study_name=_STUDY, storage=storage, sampler=sampler, load_if_exists=True)


def _searched(path: Path, n_trials: int) -> None:
    study = _study(path)
    for _ in range(n_trials):
        trial = study.ask({"momentum": optuna.distributions.FloatDistribution(0.0, 1.0)})
        study.tell(trial, trial.params["momentum"])
