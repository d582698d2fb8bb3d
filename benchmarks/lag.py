"""How late the host's event loop is: a task sleeps a millisecond, again and again, and measures by how much it overslept.

Measured while nothing else runs, while our TPE asks with 1,000 trials behind it, and while a hand-written loop does.
The first 1,000 trials are random ones, so that the measurement is about asking with that history, not about building it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import objectives
import optuna
import peers
from space8 import DISTRIBUTIONS, SPACE
from sweeps import WORKERS, Sweeps, first_start

from asyncsweep import State, Sweep

_SLEEP_S = 0.001


class Lag(NamedTuple):
    """Lateness in milliseconds."""

    p50: float
    p99: float
    max: float


def idle(seconds: float, backend: str) -> Lag:
    """The lag of a loop on which nothing else runs."""

    async def measured() -> Lag:
        late: list[float] = []
        async with _measuring(late):
            await anyio.sleep(seconds)
        return _lag(late)

    return anyio.run(measured, backend=backend)


def tpe(history: int, n_asks: int, sweeps: Sweeps, backend: str) -> Lag:
    """The lag while a sweep with so many finished trials asks TPE for more, in two worker processes, with a journal."""
    return anyio.run(_tpe, history, n_asks, sweeps, backend=backend)


async def _tpe(history: int, n_asks: int, sweeps: Sweeps) -> Lag:
    directory = sweeps.new_directory()
    await Sweep(
        objectives.bowl, SPACE, sampler="random", n_trials=history, concurrency=WORKERS, directory=directory
    ).run()
    late: list[float] = []
    sweep = Sweep.open(directory, objectives.bowl, sampler="tpe", n_trials=history + n_asks)
    async with sweep.start() as run:
        await first_start(run)
        async with _measuring(late):
            result = await run.result()
    if result.counts[State.COMPLETE] != history + n_asks:
        raise RuntimeError(f"{result.counts}: not all trials are COMPLETE")
    return _lag(late)


def tpe_by_hand(history: int, n_asks: int) -> Lag:
    """The lag of the hand-written loop, which asks Optuna's TPE in a thread. Always on asyncio."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    for _ in range(history):
        trial = study.ask(DISTRIBUTIONS)
        study.tell(trial, objectives.bowl_of_params(trial.params))
    study.sampler = optuna.samplers.TPESampler()

    async def measured() -> Lag:
        late: list[float] = []
        async with _measuring(late):
            await peers.run_with_slow_asks(study, n_asks, workers, objectives.bowl_of_params)
        return _lag(late)

    with peers.started_pool() as workers:
        return asyncio.run(measured())


@asynccontextmanager
async def _measuring(late: list[float]) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_oversleep, late)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _oversleep(late: list[float]) -> None:
    while True:
        asleep_at = time.perf_counter()
        await anyio.sleep(_SLEEP_S)
        late.append((time.perf_counter() - asleep_at - _SLEEP_S) * 1000)


def _lag(late: list[float]) -> Lag:
    if not late:
        raise RuntimeError("the loop never woke up while the lag was measured")
    late.sort()
    return Lag(late[len(late) // 2], late[min(len(late) - 1, len(late) * 99 // 100)], late[-1])
