"""asyncsweep: a sweep in the loop or in worker processes, as any user would start it."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import aclosing
from typing import Any, NamedTuple

import anyio

from asyncsweep import Result, State, Sweep, TrialStarted
from asyncsweep import pruner as named
from benchmarks.peers.shared import lag, measured, objectives
from benchmarks.peers.shared.in_asyncsweep import DOMAINS
from benchmarks.peers.shared.of_trial import Evaluating, Reporting, noop_async

LIBRARIES = ("asyncsweep",)
LESS: dict[str, str] = {}
MOST: dict[str, int] = {}
_BACKEND = os.environ.get("ASYNCSWEEP_BENCH_BACKEND", "asyncio")
_PRUNERS = {"none": None, "median": "median", "asha": named("asha", min_resource=1, reduction_factor=4)}
_IN_LOOP = 8
_NOOP = Evaluating(objectives.noop)


class _Ran(NamedTuple):
    """What came of a sweep, how many trials had ended before our program saw the first one begin, and the times around the rest."""

    result: Result
    n_early: int
    began_at: float
    ended_at: float


def overhead(n_trials: int, workers: int = 0, durable: bool = False) -> dict[str, float]:
    ran = _run(_NOOP if workers else noop_async, workers, durable, n_trials=n_trials)
    n_complete = ran.result.counts[State.COMPLETE]
    return measured.rate(n_trials, n_complete, ran.began_at, ran.ended_at, n_trials - ran.n_early)


def reports(n_trials: int, workers: int = 2, n_reports: int = 100, pruner: str = "none") -> dict[str, float]:
    objective = Reporting(n_reports, pruner != "none")
    ran = _run(objective, workers, True, n_trials=n_trials, pruner=_PRUNERS[pruner])
    n_pruned, n_complete = ran.result.counts[State.PRUNED], ran.result.counts[State.COMPLETE]
    n_timed = sum(len(trial.steps or ()) for trial in ran.result.trials) * (n_trials - ran.n_early) // n_trials
    return measured.reports(n_trials, n_complete + n_pruned, n_timed, n_pruned, ran.began_at, ran.ended_at)


def utilisation(workers: int, low_s: float, high_s: float, n_trials: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        _run(Evaluating(objectives.Nap(file.name, low_s, high_s)), workers, True, n_trials=n_trials)
        return measured.share(measured.spans(file.name), n_trials, workers)


def startup(sampler: str = "random") -> dict[str, float]:
    anyio.run(Sweep(noop_async, DOMAINS, sampler=sampler, n_trials=1).run, backend=_BACKEND)
    return {"first_finished_at": time.time(), "memory_mb": measured.memory_mb()}


def embed(seconds: float, kind: str = "noop", history: int = 1_000) -> dict[str, float]:
    """`kind`: trials in the loop that do nothing ("noop"), processes with reports ("reports"), TPE with a history ("tpe")."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "noop":
            sweep = _sweep(noop_async, 0, folder, n_trials=None, timeout=seconds)
        elif kind == "reports":
            sweep = _sweep(Reporting(100, True), 2, folder, n_trials=None, timeout=seconds, pruner=_PRUNERS["asha"])
        else:
            bowl = Evaluating(objectives.bowl)
            anyio.run(_sweep(bowl, 2, folder, n_trials=history).run)
            sweep = Sweep.open(folder, bowl, sampler="tpe", n_trials=None, timeout=seconds)
        return anyio.run(lag.lag_during, sweep.run)  # on asyncio: who measures is a task of it


def _run(objective: Any, workers: int, durable: bool, **settings: Any) -> _Ran:
    async def timed(sweep: Sweep) -> _Ran:
        async with sweep.start() as run:
            async with aclosing(run.updates()) as updates:  # type: ignore[type-var]
                async for update in updates:
                    if isinstance(update, TrialStarted):
                        break  # and watch no more, so that nobody who watches is measured
            n_early, began_at = run.counts[State.COMPLETE] + run.counts[State.PRUNED], time.monotonic()
            return _Ran(await run.result(), n_early, began_at, time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(timed, _sweep(objective, workers, folder if durable else None, **settings), backend=_BACKEND)


def _sweep(objective: Any, workers: int, folder: str | None, **settings: Any) -> Sweep:
    where: dict[str, Any] = {"executor": "process", "concurrency": workers} if workers else {"concurrency": _IN_LOOP}
    return Sweep(objective, DOMAINS, sampler="random", directory=folder, **where, **settings)
