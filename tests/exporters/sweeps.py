"""Small sweeps for the tests of exporters, and an exporter that keeps what it gets."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import anyio

import asyncsweep as sw

SPACE = {"x": sw.Float(0.0, 1.0), "kind": sw.Categorical([1, "1", None]), "epochs": 3}


async def curve(trial: Any) -> Any:
    """Reports three times; trial 1 fails, trial 2 is pruned."""
    for step in range(3):
        trial.report(trial.params["x"] + step, step)
    trial.set_user_attr("note", "good")
    trial.set_constraint("size", -1.0)
    if trial.number == 1:
        raise ValueError("no luck")
    if trial.number == 2:
        raise sw.TrialPruned
    return {"value": trial.params["x"], "accuracy": 0.5}


async def quick(trial: Any) -> float:
    return float(trial.params["x"])


async def run(objective: Any = curve, space: Any = SPACE, **settings: Any) -> sw.Result:
    given = {"sampler": "random", "n_trials": 5, "seed": 1, "executor": "inline", **settings}
    with anyio.fail_after(50):
        return await sw.Sweep(objective, space, **given).run()


class Keeping(sw.ThreadedExporter):
    """Notes its calls, with the thread that they came in."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.updates: list[sw.Update] = []
        self.trials: list[sw.TrialRecord] = []
        self.earlier: list[int] = []

    def open(self, info: sw.SweepInfo) -> None:
        self._note("open")
        self.earlier = [trial.number for trial in info.trials()]

    def write(self, updates: Sequence[sw.Update], trials: Sequence[sw.TrialRecord]) -> None:
        self._note("write")
        self.updates += updates
        self.trials += trials

    def close(self) -> None:
        self._note("close")

    def _note(self, call: str) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append(call)
