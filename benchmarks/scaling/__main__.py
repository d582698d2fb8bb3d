"""Run or reopen a sweep of many trials in a process of its own, whose memory is then its memory, and print figures as JSON.

python -m benchmarks.scaling run FOLDER N_TRIALS BACKEND
python -m benchmarks.scaling reopen FOLDER N_TRIALS BACKEND
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

import anyio

from asyncsweep import State, Sweep
from benchmarks.peers.shared.in_asyncsweep import DOMAINS
from benchmarks.peers.shared.measured import check, memory_mb, resident_bytes
from benchmarks.peers.shared.objectives import noop
from benchmarks.peers.shared.of_trial import Trial

_PART = 10  # the rate of the beginning is that of the first tenth of all trials


class Counting:
    """Does nothing, in the loop, and notes when it is called for the n-th time, for each n of `marks`."""

    def __init__(self, marks: frozenset[int]) -> None:
        self._marks = marks
        self._count = 0
        self.times_s: list[float] = []
        self.resident: int = 0

    async def __call__(self, trial: Trial) -> float:
        self._count += 1
        if self._count in self._marks:
            self.times_s.append(time.monotonic())
            self.resident = self.resident or resident_bytes()
        return noop(trial.params)


async def run(folder: Path, n_trials: int) -> dict[str, float]:
    """A new sweep with a journal in this folder."""
    part = n_trials // _PART
    objective = Counting(frozenset({1, 1 + part, n_trials - part, n_trials}))
    sweep = Sweep(objective, DOMAINS, sampler="random", n_trials=n_trials, directory=folder)
    async with sweep.start() as running:
        result = await running.result()
        gc.collect()
        kept = resident_bytes() - objective.resident
    check(n_trials, result.counts[State.COMPLETE])
    first, early, late, last = objective.times_s
    return {
        "rate_at_the_beginning": part / (early - first),
        "rate_at_the_end": part / (last - late),
        "peak_memory": memory_mb(),
        "memory_per_trial": kept / n_trials,
        "journal_per_trial": _size_bytes(folder) / n_trials,
    }


async def reopen(folder: Path, n_trials: int) -> dict[str, float]:
    """The same sweep again, until every trial is known. It has as many as it should, so nothing more runs."""
    began_at = time.monotonic()
    result = await Sweep.open(folder, Counting(frozenset())).run()
    wall_s = time.monotonic() - began_at
    check(n_trials, result.counts[State.COMPLETE])
    return {"reopen": wall_s}


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    _, way, name, count, backend = sys.argv
    print(json.dumps(anyio.run({"run": run, "reopen": reopen}[way], Path(name), int(count), backend=backend)))
