"""A sweep that other processes kill: run as a program, it begins the sweep in a directory, or goes on with it.

    python -m tests.promises.killed DIRECTORY EXECUTOR SAMPLER INTERRUPTED

What happens is also written to the file `outside` beside the directory, by those who would miss it: the objective, an observer of
the updates, and the sampler. One `write` each: a kill takes nothing from what the system was given.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio

import asyncsweep as sw
from asyncsweep.samplers.named import TPESampler
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.samplers.sobol import SobolSampler

N_TRIALS = 50
SPACE = {"x": sw.Float(0.0, 1.0), "n": sw.Int(1, 9)}
SAMPLERS = {"random": RandomSampler, "sobol": SobolSampler, "tpe": TPESampler}
OUTSIDE = "ASYNCSWEEP_TEST_OUTSIDE"


def note(*what: Any) -> None:
    """Append a line to the file outside."""
    fd = os.open(os.environ[OUTSIDE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, json.dumps([os.getpid(), *what]).encode() + b"\n")
    os.close(fd)


def say(line: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def value_of(params: dict[str, Any]) -> float:
    return float((params["x"] - 0.3) ** 2 + params["n"])


async def in_loop(trial: sw.Trial) -> float:
    note("ran", trial.number, trial.params)
    for step in range(3):
        trial.report(step, step)
        await anyio.sleep(0.002)
    return value_of(trial.params)


def in_process(trial: sw.Trial) -> float:
    note("ran", trial.number, trial.params)
    for step in range(3):
        trial.report(step, step)
        time.sleep(0.002)
    return value_of(trial.params)


class Recording:
    """A sampler that notes whom it is told of."""

    host = "inline"

    def __init__(self, sampler: Any) -> None:
        self.open, self.ask, self.suggest, self._tell = sampler.open, sampler.ask, sampler.suggest, sampler.tell

    def tell(self, trial: Any) -> None:
        note("told", trial.number, trial.state.value, trial.params, trial.metrics)
        self._tell(trial)


class Observer:
    """A plugin that notes what is shown to everybody: the end of each trial."""

    def __init__(self) -> None:
        self.params: dict[int, Any] = {}

    @sw.hookimpl
    def asyncsweep_on_updates(self, updates: Any) -> None:
        for update in updates:
            if isinstance(update, sw.TrialFinished):
                note("ended", update.trial, update.state.value, dict(update.metrics))


async def main(directory: Path, executor: str, sampler: str, interrupted: Any) -> None:
    parts: dict[str, Any] = {"sampler": Recording(SAMPLERS[sampler]()), "plugins": [Observer()]}
    objective = in_loop if executor == "inline" else in_process
    try:
        sweep = sw.Sweep.open(directory, objective, **parts)
    except sw.ConfigError as error:
        if "holds no sweep" not in str(error) and "never began" not in str(error):
            raise
        settings: dict[str, Any] = {"executor": executor, "concurrency": 3 if executor == "inline" else 2}
        settings["retries"] = sw.Retry(interrupted=interrupted)
        sweep = sw.Sweep(objective, SPACE, n_trials=N_TRIALS, seed=7, directory=directory, **settings, **parts)
    async with sweep.start() as run:
        say("running")
        result = await run.result()
    say(json.dumps([[t.number, t.state.value, t.params, t.metrics, t.attempt] for t in result.trials]))


if __name__ == "__main__":
    from tests.promises import killed  # the objective's name for worker processes

    anyio.run(killed.main, Path(sys.argv[1]), *sys.argv[2:])
