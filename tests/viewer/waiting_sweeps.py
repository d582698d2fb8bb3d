"""Sweeps that stand still while a viewer is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

import asyncsweep as sw


async def never_ends(trial: sw.Trial) -> float:
    trial.report(1.0, 0)
    await anyio.sleep_forever()
    return 0.0


@asynccontextmanager
async def waiting(**options: Any) -> AsyncIterator[sw.SweepRun]:
    """A run whose one trial runs until the context is left."""
    sweep = sw.Sweep(
        never_ends, {"learning_rate_canary": sw.Float(0, 1)}, sampler="random", n_trials=5, concurrency=1, **options
    )
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                break
        yield run
        run.stop(now=True)
