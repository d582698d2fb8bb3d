"""The endless loop of the Lightning tutorial, without the loop: six trials, two at a time, every one told.

    python examples/infinite_loop.py

There, a loop that never ends looks again and again whether a work has its metric yet, and starts works in waves of two. Here
the sweep is told when something happens: a free slot is filled at once, and nobody looks twice. A metric of 0 is a metric.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import asyncsweep as sw

TOTAL_TRIALS = 6
SIMULTANEOUS_TRIALS = 2


async def objective(backbone: str, learning_rate: float) -> float:
    """Stands for a training that takes its time and ends with some metric from 0 to 100."""
    await asyncio.sleep(random.uniform(0.01, 0.05))
    return random.randrange(0, 101)


async def search(objective: Callable[..., Any]) -> dict[int, float | None]:
    """Run the sweep and tell of it; gives the metric of each trial."""
    sweep = sw.Sweep(
        objective,
        space={
            "backbone": sw.Categorical(["resnet18", "resnet34"]),
            "learning_rate": sw.Float(0.0001, 0.1, log=True),
        },
        n_trials=TOTAL_TRIALS,
        concurrency=SIMULTANEOUS_TRIALS,
    )
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                print(f"trial {update.trial} runs with {run.trials[update.trial].params}")
            elif isinstance(update, sw.TrialFinished):
                print(f"trial {update.trial} is told {update.metrics}")
        result = await run.result()
    return {trial.number: trial.value for trial in result.trials}


if __name__ == "__main__":
    print(asyncio.run(search(objective)))
