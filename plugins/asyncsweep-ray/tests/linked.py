"""A sweep in a process of its own, for the tests of links: `python linked.py SETTINGS`, a JSON object.

It prints "now" when as many attempts run as there are slots, a line "seen ..." on each end, and in the end a JSON object with what became of each trial, or
the error's type and text.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import asyncsweep as sw


class Tells:
    """A sampler that draws the trial's number, and counts what it is told."""

    host = "inline"

    def __init__(self) -> None:
        self.tells: Counter[int] = Counter()

    def open(self, space: Any, directions: Any, seed: int) -> None:
        pass

    def ask(self, trial: Any) -> dict[str, float]:
        return {"x": float(trial.number)}

    def suggest(self, trial: Any, name: str, domain: Any) -> float:
        return 0.0

    def tell(self, trial: Any) -> None:
        self.tells[trial.number] += 1


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  it is read by the test


async def ended(run: sw.SweepRun, slots: int) -> sw.Result:
    n_begun = 0
    async for update in run.updates():
        if isinstance(update, sw.TrialReported) and update.step == 0:
            n_begun += 1
            if n_begun == slots:
                say("now")
        elif isinstance(update, sw.TrialFinished):
            say(f"seen {update.trial}")
    return await run.result()


async def main(folder: str, n_trials: int, work_s: float, executor: dict[str, Any], slots: int, resume: bool) -> None:
    tells = Tells()
    objective = "ray_objectives:busy"
    if resume:
        result = await sw.Sweep.resume(f"{folder}/sweep", objective, sampler=tells, executor=executor)
    else:
        sweep = sw.Sweep(
            objective,
            {"x": sw.Float(0.0, 1e6), "work_s": work_s},
            sampler=tells, executor=executor, n_trials=n_trials, concurrency=slots, retries=2, grace_s=0.5, directory=f"{folder}/sweep",
        )  # fmt: skip
        async with sweep.start() as run:
            result = await ended(run, slots)
    trials = [
        [trial.state.name, trial.value, trial.attempt, [str(error) for error in trial.failures]]
        for trial in result.trials
    ]
    say(json.dumps({"trials": trials, "tells": sorted(tells.tells.items())}))


if __name__ == "__main__":
    try:
        asyncio.run(main(**json.loads(sys.argv[1])))
    except sw.AsyncSweepError as error:
        say(json.dumps({"error": f"{type(error).__name__}: {error}"}))
