"""The other side: Optuna alone, and the loop that a user writes today around its ask and tell.

The loop is as good as a competent user's: asyncio, a `ProcessPoolExecutor` with two processes that are up before the clock
starts, two trials for each process under way so that none waits for the controller, all parameters asked in one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import objectives
import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from space8 import DISTRIBUTIONS, suggest_all

WORKERS = 2
UNDER_WAY = 2 * WORKERS

_CONTEXT = multiprocessing.get_context("forkserver")  # not fork: the host has threads and an event loop
# Each worker imports the main program, and with it Optuna: the server has it already.
_CONTEXT.set_forkserver_preload(["optuna"])


def optuna_in_memory(n_trials: int) -> float:
    """Trials/s of `study.optimize` in one process, random sampler, in memory."""
    study = _study()
    started_at = time.perf_counter()
    study.optimize(suggest_all, n_trials=n_trials)
    return n_trials / (time.perf_counter() - started_at)


def pool(n_trials: int) -> float:
    """Trials/s of the hand-written loop, in memory."""
    return _pool_rate(_study(), n_trials)


def pool_journaled(n_trials: int, file: Path) -> float:
    """Trials/s of the hand-written loop with Optuna's own journal on disk."""
    return _pool_rate(_study(JournalStorage(JournalFileBackend(str(file)))), n_trials)


def pool_reports(n_trials: int) -> float:
    """Reports/s of the hand-written loop: a queue from the workers, and a thread that hands them to Optuna, in memory."""
    queue: Any = _CONTEXT.Queue()
    with started_pool(objectives.send_reports_to, (queue,)) as workers:
        elapsed_s = asyncio.run(_timed_reports(_study(), n_trials, workers, queue))
    queue.close()
    return n_trials * objectives.REPORTS_PER_TRIAL / elapsed_s


async def run_with_slow_asks(
    study: optuna.Study, n_trials: int, workers: ProcessPoolExecutor, function: Callable[[dict[str, Any]], float]
) -> None:
    """The hand-written loop for a sampler that takes long: it is asked in a thread, for one trial a process at a time."""
    loop = asyncio.get_running_loop()
    left = iter(range(n_trials))

    async def slot() -> None:
        for _ in left:
            trial = await asyncio.to_thread(study.ask, DISTRIBUTIONS)
            study.tell(trial, await loop.run_in_executor(workers, function, trial.params))

    await asyncio.gather(*(slot() for _ in range(WORKERS)))


@contextlib.contextmanager
def started_pool(
    initializer: Callable[..., None] | None = None, args: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that have run something."""
    with ProcessPoolExecutor(WORKERS, mp_context=_CONTEXT, initializer=initializer, initargs=args) as workers:
        # Each submission that finds no idle process starts one; a short sleep keeps the first from taking them all.
        list(workers.map(time.sleep, [0.1] * UNDER_WAY))
        yield workers


def _study(storage: BaseStorage | None = None) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(), storage=storage)


def _pool_rate(study: optuna.Study, n_trials: int) -> float:
    async def timed(workers: ProcessPoolExecutor) -> float:
        loop = asyncio.get_running_loop()

        async def evaluate(trial: optuna.Trial) -> float:
            return await loop.run_in_executor(workers, objectives.noop_of_params, trial.params)

        def tell(trial: optuna.Trial, value: float) -> None:
            study.tell(trial, value)

        started_at = time.perf_counter()
        await _slots(study, n_trials, evaluate, tell)
        return time.perf_counter() - started_at

    with started_pool() as workers:
        return n_trials / asyncio.run(timed(workers))


async def _timed_reports(study: optuna.Study, n_trials: int, workers: ProcessPoolExecutor, queue: Any) -> float:
    """Seconds until Optuna has every report and result. It refuses reports of a told trial, so telling comes last."""
    loop = asyncio.get_running_loop()
    running: dict[int, optuna.Trial] = {}
    values: dict[int, float] = {}

    def pump() -> None:
        for _ in range(n_trials * objectives.REPORTS_PER_TRIAL):
            number, value, step = queue.get()
            running[number].report(value, step)

    async def evaluate(trial: optuna.Trial) -> float:
        running[trial.number] = trial
        return await loop.run_in_executor(workers, objectives.reporting_of_params, trial.number, trial.params)

    def keep(trial: optuna.Trial, value: float) -> None:
        values[trial.number] = value

    started_at = time.perf_counter()
    await asyncio.gather(asyncio.to_thread(pump), _slots(study, n_trials, evaluate, keep))
    for number, value in values.items():
        study.tell(number, value)
    return time.perf_counter() - started_at


async def _slots(
    study: optuna.Study,
    n_trials: int,
    evaluate: Callable[[optuna.Trial], Awaitable[float]],
    done: Callable[[optuna.Trial, float], None],
) -> None:
    """The hand-written loop for a sampler that answers at once: ask, evaluate, tell."""
    left = iter(range(n_trials))

    async def slot() -> None:
        for _ in left:
            trial = study.ask(DISTRIBUTIONS)
            done(trial, await evaluate(trial))

    await asyncio.gather(*(slot() for _ in range(UNDER_WAY)))
