"""How late the loop is of a sweep that is searched, written and watched at once (promise R16): TPE that has thousands of trials to learn
from, a journal, 8 worker processes with trials of 50 ms, and viewers that read all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio

import asyncsweep as sw
from benchmarks.sweeping.space import EIGHT
from benchmarks.viewing.naps import at_once, nap

WORKERS = 8
_SLEEP_S = 0.001
# At the first trial's start all workers begin together; that is not what this is about.
_SETTLE_S = 2.0

Crowd = Callable[[str, int, int], AbstractAsyncContextManager[Any]]


class Lag(NamedTuple):
    """By how many milliseconds a task overslept that sleeps one, again and again."""

    p50: float
    p99: float
    max: float


async def searched(directory: Path, n_before: int) -> None:
    """A sweep of so many random trials, for `watched` to go on from."""
    sweep = sw.Sweep(at_once, EIGHT, sampler="random", n_trials=n_before, concurrency=WORKERS, directory=directory)
    await sweep.run()


async def watched(directory: Path, n_viewers: int, crowd: Crowd, seconds: float) -> Lag:
    """The lag while the sweep in a directory goes on, from the coming of the viewers on; without any, it is not served."""
    sweep = sw.Sweep.open(directory, nap, sampler="tpe", executor="process", n_trials=10**6, concurrency=WORKERS)
    late: list[float] = []
    async with sweep.start() as run, AsyncExitStack() as stack:
        viewer = await stack.enter_async_context(sw.serve(run)) if n_viewers else None
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                break
        await anyio.sleep(_SETTLE_S)
        ended = run.counts[sw.State.COMPLETE]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_oversleep, late)
            async with AsyncExitStack() as viewers:
                if viewer is not None:
                    await viewers.enter_async_context(crowd(viewer.url, n_viewers, 0))
                await anyio.sleep(seconds)
            tasks.cancel_scope.cancel()
        if run.counts[sw.State.COMPLETE] == ended:
            raise RuntimeError("no trial has ended while the lag was measured")
        run.stop("measured for long enough", now=True)
    late.sort()
    return Lag(late[len(late) // 2], late[len(late) * 99 // 100], late[-1])


async def _oversleep(late: list[float]) -> None:
    while True:
        asleep_at = time.perf_counter()
        await anyio.sleep(_SLEEP_S)
        late.append((time.perf_counter() - asleep_at - _SLEEP_S) * 1000)
