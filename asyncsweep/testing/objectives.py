"""The objectives that `ExecutorSuite` runs, each as `def` and, under the same name with `_async`, as `async def`."""

from __future__ import annotations

import os
import time
from typing import Any

from asyncsweep.errors import TrialPruned
from asyncsweep.worker.trial import Trial

HANG_S = 3.0


def doubles(trial: Trial) -> float:
    """Returns twice the parameter `x`."""
    return 2.0 * float(trial.params["x"])


def reports(trial: Trial) -> float:
    """Reports 0.0 to 4.0, one of them with a further metric, and stores an attribute."""
    for step in range(5):
        trial.report({"value": float(step), "loss": 1.0} if step == 2 else float(step), step)
    trial.set_user_attr("key", ["a", 1])
    return 0.0


def constrains(trial: Trial) -> float:
    """Sets two constraints, reports, and ends."""
    trial.set_constraint("memory", -1)
    trial.set_constraint("time", 0.5)
    trial.report(0.0, 0)
    return 0.0


def obeys(trial: Trial) -> float:
    """Reports once and ends as the verdict says."""
    trial.report(1.0, 0)
    if trial.should_prune():
        raise TrialPruned
    return 1.0


def suggests(trial: Trial) -> float:
    """Asks for one more parameter."""
    return trial.suggest_float("y", 0.0, 1.0)


def raises(trial: Trial) -> float:
    raise LookupError("boom")


def returns_text(trial: Trial) -> Any:
    return "no number"


def exits(trial: Trial) -> float:
    raise SystemExit(3)


def goes_on(trial: Trial) -> float:
    """Reports without end: it can be ended at each report."""
    step = 0
    while True:
        trial.report(0.0, step)
        step += 1
        time.sleep(0.005)


def prints(trial: Trial) -> float:
    """Prints which attempt it is, and reports without end."""
    print(f"attempt {trial.attempt} of trial {trial.number}", flush=True)  # noqa: T201  what a log is to have
    return goes_on(trial)


def ends_at_last(trial: Trial) -> float:
    """Reports once, and returns `x` half a second later."""
    trial.report(0.0, 0)
    time.sleep(0.5)
    return float(trial.params["x"])


def tells_its_process(trial: Trial) -> float:
    """Stores its process id as an attribute, reports once, and returns `x` half a second later."""
    trial.set_user_attr("pid", os.getpid())
    return ends_at_last(trial)


def hangs(trial: Trial) -> float:
    """Reports once, then says nothing for `HANG_S` seconds."""
    trial.report(0.0, 0)
    time.sleep(HANG_S)
    return 0.0


async def doubles_async(trial: Trial) -> float:
    return doubles(trial)


async def reports_async(trial: Trial) -> float:
    return reports(trial)


async def constrains_async(trial: Trial) -> float:
    return constrains(trial)


async def obeys_async(trial: Trial) -> float:
    trial.report(1.0, 0)
    if await trial.should_prune_async():
        raise TrialPruned
    return 1.0


async def suggests_async(trial: Trial) -> float:
    return await trial.suggest_float_async("y", 0.0, 1.0)


async def raises_async(trial: Trial) -> float:
    return raises(trial)


async def returns_text_async(trial: Trial) -> Any:
    return returns_text(trial)


async def exits_async(trial: Trial) -> float:
    return exits(trial)


async def goes_on_async(trial: Trial) -> float:
    import anyio  # the worker of a plain objective does without

    step = 0
    while True:
        trial.report(0.0, step)
        step += 1
        await anyio.sleep(0.005)


async def prints_async(trial: Trial) -> float:
    print(f"attempt {trial.attempt} of trial {trial.number}", flush=True)  # noqa: T201  what a log is to have
    return await goes_on_async(trial)


async def ends_at_last_async(trial: Trial) -> float:
    import anyio

    trial.report(0.0, 0)
    await anyio.sleep(0.5)
    return float(trial.params["x"])


async def tells_its_process_async(trial: Trial) -> float:
    trial.set_user_attr("pid", os.getpid())
    return await ends_at_last_async(trial)


async def hangs_async(trial: Trial) -> float:
    import anyio

    trial.report(0.0, 0)
    await anyio.sleep(HANG_S)
    return 0.0
