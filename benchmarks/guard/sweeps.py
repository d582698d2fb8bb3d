"""The sweeps whose trials are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asyncsweep import Categorical, Float, Int, Sweep
from benchmarks.guard import objectives

# Not the benchmarks' space: the stored counts go with this one.
SPACE = {
    "momentum": Float(0.0, 1.0),
    "lr": Float(1e-5, 1e-1, log=True),
    "dropout": Float(0.0, 1.0, step=0.1),
    "depth": Int(1, 100),
    "width": Int(1, 1024, log=True),
    "optimizer": Categorical(("sgd", "adam", "lion")),
    "nesterov": Categorical((True, False)),
    "bias": Float(-5.0, 5.0),
}


_IN_LOOP = 8


@dataclass(frozen=True)
class Case:
    """One kind of sweep, small enough to be counted in a second.

    Attributes:
        name: Its name in the stored counts.
        about: For people.
        objective: What its trials do.
        in_process: Whether they run in a worker process; there is one, because with two it would depend on who comes first
            how many messages meet in one wake-up.
        settings: What else the sweep is given.
        n_short, n_long: Trials of the two sweeps whose difference is counted.
        n_traced: The same for the slow counting of instructions: the short one's trials, and the long one's.
    """

    name: str
    about: str
    objective: Callable[..., Any]
    in_process: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    n_short: int = 100
    n_long: int = 400
    n_traced: tuple[int, int] = (20, 120)

    def sweep(self, n_trials: int, directory: Path, objective: Callable[..., Any] | None = None) -> Sweep:
        """A sweep of so many trials with its journal in `directory`, with another objective than the case's own if one is given."""
        return Sweep(
            objective or self.objective,
            SPACE,
            sampler="random",
            seed=1,
            executor="process" if self.in_process else "inline",
            concurrency=1 if self.in_process else _IN_LOOP,
            n_trials=n_trials,
            directory=directory,
            **self.settings,
        )


CASES = (
    Case("in_loop", "no-op trials in the loop, 8 at a time", objectives.noop_async, in_process=False),
    Case("process", "no-op trials in a worker process", objectives.noop, in_process=True),
    Case(
        "reports",
        "100 reports a trial from a worker process, with ASHA",
        objectives.reporting,
        in_process=True,
        settings={"pruner": {"name": "asha", "min_resource": 1}},
        n_short=10,
        n_long=40,
        n_traced=(5, 15),
    ),
)
