"""One search of a table with eight trials at a time, by plain Optuna and by a sweep, and what came of it."""

from __future__ import annotations

import asyncio
import heapq
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import optuna
import psutil

from asyncsweep import State, Sweep
from benchmarks.tabular.executor import TableExecutor, VirtualTime
from benchmarks.tabular.tables import Table

PARALLEL = 8
KILLS = 3

_OTHER_SEEDS = 1_000_000


class Found(NamedTuple):
    """What a search came to.

    Attributes:
        regret: Of its best trial; see `Table.regret`.
        regret_half: Of the best of its first half of trials, in the order in which they ended.
        regret_half_time: Of the best that ended in the time in which the machines could train half of the trials, were each a median one.
        duplicates: The share of trials whose parameters an earlier one had.
        twins: The share of trials whose parameters a trial had that ran when they were launched.
    """

    regret: float
    regret_half: float
    regret_half_time: float
    duplicates: float
    twins: float


class _Trial(NamedTuple):
    params: dict[str, Any]
    loss: float
    began_at: float
    ended_at: float


def by_optuna(table: Table, seed: int, n_trials: int) -> Found:
    """Plain Optuna's TPE: a free machine asks, results are told in the order in which training ends."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    distributions = table.distributions
    running: list[tuple[float, int, float, optuna.Trial, float]] = []
    trials: list[_Trial] = []
    now = 0.0
    for number in range(n_trials + PARALLEL):
        if running and (len(running) == PARALLEL or number >= n_trials):
            now, _, began_at, ended, loss = heapq.heappop(running)
            study.tell(ended, loss)
            trials.append(_Trial(ended.params, loss, began_at, now))
        if number < n_trials:
            trial = study.ask(distributions)
            loss, seconds = table.look_up(trial.params)
            heapq.heappush(running, (now + seconds, number, now, trial, loss))
    return _found(table, trials)


def by_sweep(table: Table, seed: int, n_trials: int) -> Found:
    """A sweep whose asking takes no virtual time, as it takes none beside training for seconds to hours."""
    return asyncio.run(_swept(table, seed, n_trials, is_virtual=True))


def by_sweep_ahead(table: Table, seed: int, n_trials: int) -> Found:
    """A sweep that sees trials take no time, and asking all of it: so it fetches as far ahead as it ever does."""
    return asyncio.run(_swept(table, seed, n_trials, is_virtual=False))


def by_sweep_killed(table: Table, seed: int, n_trials: int) -> Found:
    """`by_sweep`, with the sampler host killed three times, each time when it has just been told and asked."""
    return asyncio.run(_swept(table, seed, n_trials, is_virtual=True, kills=KILLS))


OPTUNA = "optuna"
SEARCHES: dict[str, Callable[[Table, int, int], Found]] = {
    OPTUNA: by_optuna,
    "reseeded": lambda table, seed, n_trials: by_optuna(table, _OTHER_SEEDS + seed, n_trials),
    "sweep": by_sweep,
    "killed": by_sweep_killed,
    "ahead": by_sweep_ahead,
}


async def _swept(table: Table, seed: int, n_trials: int, *, is_virtual: bool, kills: int = 0) -> Found:
    time = VirtualTime()
    kill_at = {n_trials * (kill + 1) // (kills + 1) for kill in range(kills)}
    killed = 0

    def on_end(ended: int) -> None:
        nonlocal killed
        if ended in kill_at:
            _kill_host()
            killed += 1

    executor = TableExecutor(table, n_trials, time, on_end)
    sweep = Sweep(
        _never_called,
        table.space,
        sampler="tpe",
        executor=executor,
        n_trials=n_trials,
        concurrency=PARALLEL,
        seed=seed,
    )
    with time.driving() if is_virtual else nullcontext():
        result = await sweep.run()
    if result.counts[State.COMPLETE] != n_trials or killed != kills:
        raise RuntimeError(f"{table.name}, seed {seed}: {result.counts}, {killed} kills: this measures nothing")
    return _found(
        table,
        [_Trial(trial.params, trial.metrics["value"], trial.started_at, trial.finished_at) for trial in result.trials],
    )


def _never_called(trial: object) -> float:
    raise RuntimeError("results come from a table")


def _kill_host() -> None:
    hosts = [child for child in psutil.Process().children() if "asyncsweep.search.host" in " ".join(child.cmdline())]
    if len(hosts) != 1:
        raise RuntimeError(f"{len(hosts)} sampler hosts, so there is not one to kill")
    hosts[0].send_signal(signal.SIGKILL)


def _found(table: Table, trials: Sequence[_Trial]) -> Found:
    keys = [tuple(trial.params.items()) for trial in trials]
    ends: dict[tuple[Any, ...], float] = {}
    twins = 0
    for trial, key in sorted(zip(trials, keys, strict=True), key=lambda pair: pair[0].began_at):
        twins += ends.get(key, float("-inf")) > trial.began_at
        ends[key] = max(trial.ended_at, ends.get(key, trial.ended_at))
    ended = sorted(trials, key=lambda trial: trial.ended_at)
    half_time = min(trial.began_at for trial in trials) + float(np.median(table.seconds)) * len(trials) / PARALLEL / 2
    return Found(
        table.regret(min(trial.loss for trial in trials)),
        table.regret(min(trial.loss for trial in ended[: max(1, len(ended) // 2)])),
        # Where nothing has ended by then, the best that is known is no better than any.
        table.regret(min((trial.loss for trial in ended if trial.ended_at <= half_time), default=table.median)),
        1 - len(set(keys)) / len(keys),
        twins / len(keys),
    )
