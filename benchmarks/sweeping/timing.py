"""Trials per second of a sweep. The clock starts at the first `TrialStarted`, so starting processes is not in a rate."""

from __future__ import annotations

import time
from contextlib import aclosing

from asyncsweep import State, Sweep, SweepRun, TrialStarted


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
