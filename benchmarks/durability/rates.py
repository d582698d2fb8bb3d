"""Trials per second with everything on disk: a sweep in its loop with each `fsync`, and Optuna's storages in a plain loop.

The objective does nothing and the ten parameters are drawn at random. Optuna's loop is `study.ask` with all distributions and
`study.tell`: the fewest calls that it takes.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import anyio
import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from asyncsweep import Sweep
from asyncsweep.core.records import Fsync
from benchmarks.peers.shared import objectives as shared
from benchmarks.sweeping import objectives
from benchmarks.sweeping.space import TEN, TEN_IN_OPTUNA
from benchmarks.sweeping.timing import timed

WORKERS = 2
CONCURRENCY = 8
"""Trials at a time in the loop."""

_names = itertools.count()


class Rates:
    """Measures trials/s; each sample has a new file.

    Args:
        folder: Where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def in_loop(self, n_trials: int, fsync: Fsync) -> float:
        """A no-op `async def` on the sweep's own loop."""
        sweep = Sweep(
            objectives.noop_async,
            TEN,
            sampler="random",
            n_trials=n_trials,
            concurrency=CONCURRENCY,
            fsync=fsync,
            directory=self._new(),
        )
        return anyio.run(timed, sweep)

    def processes(self, n_trials: int, fsync: Fsync) -> float:
        """A no-op `def` in two worker processes."""
        sweep = Sweep(
            objectives.noop,
            TEN,
            sampler="random",
            executor="process",
            concurrency=WORKERS,
            n_trials=n_trials,
            fsync=fsync,
            directory=self._new(),
        )
        return anyio.run(timed, sweep)

    def journal_storage(self, n_trials: int) -> float:
        """Optuna on its journal, which is synced at each operation."""
        return _asked_and_told(JournalStorage(JournalFileBackend(str(self._new()))), n_trials)

    def sqlite(self, n_trials: int) -> float:
        """Optuna on SQLite, which is synced at each transaction."""
        storage = RDBStorage(f"sqlite:///{self._new()}")
        try:
            return _asked_and_told(storage, n_trials)
        finally:
            storage.remove_session()
            storage.engine.dispose()

    def _new(self) -> Path:
        return self._folder / f"rate-{next(_names)}"


def _asked_and_told(storage: BaseStorage, n_trials: int) -> float:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(), storage=storage)
    started_at = time.perf_counter()
    for _ in range(n_trials):
        trial = study.ask(TEN_IN_OPTUNA)
        study.tell(trial, shared.noop(trial.params))
    return n_trials / (time.perf_counter() - started_at)
