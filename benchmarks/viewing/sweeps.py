"""Sweeps that are watched: how fast they are, and how late their loop is, with viewers in a process of their own."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import anyio

import asyncsweep as sw
from benchmarks.sweeping.space import EIGHT

_ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def crowd(url: str, n_reading: int, n_silent: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Viewers in another process, all of them there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.viewing.crowd",
        url,
        str(n_reading),
        str(n_silent),
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await process.stdout.readline()
        if line.strip() != b"there":
            raise RuntimeError(f"the viewers did not come: {line!r}")
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()


async def pausing(trial: Any) -> float:
    await anyio.sleep(random.Random(trial.number).uniform(0.005, 0.02))
    return float(trial.params["bias"])


async def nothing(trial: Any) -> float:
    return float(trial.params["bias"])


async def rate(objective: Any, n_trials: int, concurrency: int, viewers: tuple[int, int] | None) -> float:
    """Trials per second, in memory, with viewers (who read, who are silent) or without a server at all."""
    sweep = sw.Sweep(objective, EIGHT, sampler="random", n_trials=n_trials, concurrency=concurrency, seed=1)
    async with sweep.start() as run:
        run.pause()
        if viewers is None:
            return await _timed(run, n_trials)
        async with sw.serve(run) as viewer, crowd(viewer.url, *viewers):
            return await _timed(run, n_trials)


async def lag_of_coming(n_trials: int, n_viewers: int) -> tuple[float, float]:
    """p99 and the most of how many ms late the loop is while a finished sweep is sent to so many new viewers."""
    sweep = sw.Sweep(nothing, EIGHT, sampler="random", n_trials=n_trials, concurrency=8, seed=1)
    async with sweep.start() as run, sw.serve(run) as viewer:
        await run.result()
        late: list[float] = []
        watching = asyncio.create_task(_oversleep(late))
        async with crowd(viewer.url, n_viewers, 0):
            pass
        watching.cancel()
    return quantiles(late, n=100)[98], max(late)


async def _timed(run: sw.SweepRun, n_trials: int) -> float:
    done = run.counts[sw.State.COMPLETE]
    began = time.perf_counter()
    run.unpause()
    result = await run.result()
    elapsed = time.perf_counter() - began
    if result.counts[sw.State.COMPLETE] != n_trials:
        raise RuntimeError(f"{result.counts}: not all trials are COMPLETE")
    return (n_trials - done) / elapsed


async def _oversleep(late: list[float]) -> None:
    while True:
        asleep_at = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - asleep_at - 0.001) * 1000)
