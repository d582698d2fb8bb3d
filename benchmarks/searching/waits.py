"""What a sweep with thousands of finished trials costs its workers and its host's loop, beside loops written by hand.

All of them run 50 ms trials, 8 at a time, on the same eight parameters, with the same history of random trials. The
peers' trials are sleeps on the event loop, which cost less than processes; their wait counts from when the sleep was over.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import anyio
import optuna

from asyncsweep import State, Sweep
from benchmarks.peers.shared import objectives as shared
from benchmarks.searching.lateness import Lag, Lateness
from benchmarks.searching.naps import FIRST, TRIAL_S, nap
from benchmarks.sweeping import objectives
from benchmarks.sweeping.space import EIGHT, EIGHT_IN_OPTUNA
from benchmarks.sweeping.timing import first_start

WORKERS = 8


class Limits(NamedTuple):
    """How long one sample takes.

    Attributes:
        settle_s: What happens so soon after the first trial's start is left out: all workers begin at once, and a sweep has
            not seen yet how long trials and suggestions take.
        measured_s: How long it is measured after that.
        trials: It ends sooner with so many trials: the history should not grow much.
    """

    settle_s: float
    measured_s: float
    trials: int


class Waits(NamedTuple):
    """What one sample found.

    Attributes:
        p50: Half of the waits for the next parameters are shorter: milliseconds.
        p99: 99 of 100 are.
        busy: The share of the workers' time that trials had.
        lag: The lag of the host's loop from the first trial's start on.
        lag_of_start: The same from the start of the sweep to its first trial: the history is read and told; None for peers.
        ask_ms: How long half of all asks took at most; None for a sweep, which does not wait for them.
    """

    p50: float
    p99: float
    busy: float
    lag: Lag
    lag_of_start: Lag | None = None
    ask_ms: float | None = None


class Histories:
    """Searches of so many random trials that have ended, for a sweep to go on from, and for a study."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies = 0
        self._trials: dict[int, list[optuna.trial.FrozenTrial]] = {}

    def directory(self, size: int) -> Path:
        """A sweep's directory of its own."""
        made = self._folder / f"history-{size}"
        if not made.exists():
            anyio.run(_random_sweep, made, size)
        self._copies += 1
        return Path(shutil.copytree(made, self._folder / f"copy-{self._copies}"))

    def study(self, size: int) -> optuna.Study:
        """A study of its own, in memory, with Optuna's TPE."""
        if size not in self._trials:
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
            for _ in range(size):
                trial = study.ask(EIGHT_IN_OPTUNA)
                study.tell(trial, shared.bowl(trial.params))
            self._trials[size] = study.trials
        study = optuna.create_study(sampler=optuna.samplers.TPESampler())
        study.add_trials(self._trials[size])
        return study


def of_sweep(directory: Path, history: int, limits: Limits, backend: str, sampler: str = "tpe") -> Waits:
    """A sweep that goes on in 8 worker processes, with a journal."""
    return anyio.run(_of_sweep, directory, history, limits, sampler, backend=backend)


def of_asking_on_the_loop(study: optuna.Study, limits: Limits) -> Waits:
    """The loop of a user who asks where a slot is free. Always on asyncio."""

    async def ask() -> optuna.Trial:
        return study.ask(EIGHT_IN_OPTUNA)

    return asyncio.run(_of_peer(study, ask, limits))


def of_asking_in_threads(study: optuna.Study, limits: Limits) -> Waits:
    """The loop of a user who asks in a thread, so that the loop lives. Always on asyncio."""
    return asyncio.run(_of_peer(study, lambda: asyncio.to_thread(study.ask, EIGHT_IN_OPTUNA), limits))


async def _random_sweep(directory: Path, size: int) -> None:
    await Sweep(
        objectives.bowl_async, EIGHT, sampler="random", n_trials=size, concurrency=WORKERS, directory=directory
    ).run()


async def _of_sweep(directory: Path, history: int, limits: Limits, sampler: str) -> Waits:
    sweep = Sweep.open(
        directory, nap, sampler=sampler, executor="process", n_trials=history + limits.trials, concurrency=WORKERS
    )
    lateness = Lateness()
    async with lateness.measuring():
        opened_at = time.monotonic()
        async with sweep.start() as run:
            await first_start(run)
            started_at = time.monotonic()
            measured_from = started_at + limits.settle_s
            with anyio.move_on_after(limits.settle_s + limits.measured_s) as scope:
                await run.result()
            measured_until = time.monotonic()
            if scope.cancelled_caught:
                run.stop("measured for long enough")
            result = await run.result()
    complete = [trial.metrics for trial in result.trials[history:] if trial.state is State.COMPLETE]
    if len(complete) != len([trial for trial in result.trials[history:] if trial.state is not State.CANCELLED]):
        raise RuntimeError(f"{result.counts}: some trials failed")
    waits = [one["waited_ms"] for one in complete if one["waited_ms"] != FIRST and one["began_at"] >= measured_from]
    return _waits(waits, lateness.between(started_at, measured_until))._replace(
        lag_of_start=lateness.between(opened_at, started_at)
    )


async def _of_peer(study: optuna.Study, ask: Callable[[], Awaitable[optuna.Trial]], limits: Limits) -> Waits:
    waits: list[float] = []
    asks: list[float] = []
    lateness = Lateness()
    started_at = time.monotonic()
    measured_from = started_at + limits.settle_s
    until = measured_from + limits.measured_s
    left = iter(range(limits.trials))

    async def slot() -> None:
        free_at: float | None = None
        for _ in left:
            if time.monotonic() > until:
                return
            asked_at = time.monotonic()
            trial = await ask()
            began_at = time.monotonic()
            asks.append((began_at - asked_at) * 1000)
            if free_at is not None and began_at >= measured_from:
                waits.append((began_at - free_at) * 1000)
            await asyncio.sleep(TRIAL_S)
            free_at = began_at + TRIAL_S
            study.tell(trial, shared.bowl(trial.params))

    async with lateness.measuring():
        await asyncio.gather(*(slot() for _ in range(WORKERS)))
    return _waits(waits, lateness.between(started_at))._replace(ask_ms=median(asks))


def _waits(waits_ms: list[float], lag: Lag) -> Waits:
    if not waits_ms:
        raise RuntimeError("no worker had a next trial while the waits were measured")
    waits_ms.sort()
    count = len(waits_ms)
    busy = TRIAL_S * 1000 / (TRIAL_S * 1000 + mean(waits_ms))
    return Waits(waits_ms[count // 2], waits_ms[min(count - 1, count * 99 // 100)], busy, lag)
