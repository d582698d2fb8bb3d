"""Our side of the comparison. The clock starts at the first `TrialStarted`, so starting processes is not in a rate."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import objectives
from space8 import SPACE

from asyncsweep import State, Sweep, SweepRun, TrialStarted

WORKERS = 2

_names = itertools.count()


class Sweeps:
    """Measures sweeps on one event loop library.

    Args:
        backend: "asyncio" or "trio".
        folder: Where journals are written; each sweep makes a folder of its own in it.
    """

    def __init__(self, backend: str, folder: Path) -> None:
        self._backend = backend
        self._folder = folder

    def in_loop(self, n_trials: int) -> float:
        """Trials/s of a no-op `async def` on this loop, in memory."""
        return self._rate(Sweep(objectives.noop_async, SPACE, sampler="random", n_trials=n_trials))

    def in_loop_journaled(self, n_trials: int) -> float:
        """`in_loop` with a journal."""
        directory = self.new_directory()
        return self._rate(Sweep(objectives.noop_async, SPACE, sampler="random", n_trials=n_trials, directory=directory))

    def processes(self, n_trials: int) -> float:
        """Trials/s of a no-op `def` in two worker processes, with a journal."""
        return self._rate(self._in_processes(objectives.noop, n_trials))

    def reports(self, n_trials: int) -> float:
        """Reports/s from two worker processes, with a journal."""
        sweep = self._in_processes(objectives.reporting, n_trials)
        return self._rate(sweep) * objectives.REPORTS_PER_TRIAL

    def new_directory(self) -> Path:
        return self._folder / f"sweep-{next(_names)}"

    def _in_processes(self, objective: Callable[[Any], float], n_trials: int) -> Sweep:
        return Sweep(
            objective,
            SPACE,
            sampler="random",
            executor="process",
            concurrency=WORKERS,
            n_trials=n_trials,
            directory=self.new_directory(),
        )

    def _rate(self, sweep: Sweep) -> float:
        return anyio.run(timed, sweep, backend=self._backend)


async def timed(sweep: Sweep) -> float:
    """Trials/s from the first `TrialStarted` to the result; trials that had ended by then do not count."""
    async with sweep.start() as run:
        await first_start(run)
        early = run.counts[State.COMPLETE]
        started_at = time.perf_counter()
        result = await run.result()
        elapsed_s = time.perf_counter() - started_at
    complete = sum(trial.state is State.COMPLETE for trial in result.trials)
    if complete != sweep.spec.n_trials:
        raise RuntimeError(f"{complete} of {sweep.spec.n_trials} trials are COMPLETE: this measures nothing")
    return (complete - early) / elapsed_s


async def first_start(run: SweepRun) -> None:
    """Wait until the first trial runs, then watch no more, so that no consumer is in the measurement."""
    async with aclosing(run.updates()) as updates:  # type: ignore[type-var]
        async for update in updates:
            if isinstance(update, TrialStarted):
                return
