"""Counts one case in a process of its own: `python -m benchmarks.guard.measuring CASE`; the last line is JSON.

`python -m benchmarks.guard.measuring CASE FOLDER` runs the case's marked sweep alone, to be looked at from outside.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from asyncsweep import State, Sweep
from asyncsweep.journal import format as layout
from benchmarks.guard.counters import Traffic, stillness
from benchmarks.guard.objectives import Marked, Traced, marked_noop_async
from benchmarks.guard.sweeps import CASES, Case
from benchmarks.guard.tracing import Tracer

_WARM_UP = 10


class Totals(NamedTuple):
    """What one whole sweep came to."""

    events: int
    journal_bytes: int
    journal_writes: int
    link_bytes: int
    blocks: int  # of memory, that are let go of when the run and its result are


class Counting:
    """Counts the trials of one case.

    Args:
        case: Which.
        folder: For the journals.
    """

    def __init__(self, case: Case, folder: Path) -> None:
        self._case = case
        self._folder = folder
        self._n_sweeps = 0

    def counts(self) -> dict[str, float]:
        """All counts per trial that need no help from outside."""
        case = self._case
        self._run(_WARM_UP)
        with stillness():
            short, long = self._totals(case.n_short), self._totals(case.n_long)
            traced = [self._traced(n_trials) for n_trials in case.n_traced]
        n_trials, n_traced = case.n_long - case.n_short, case.n_traced[1] - case.n_traced[0]
        found = {name: (b - a) / n_trials for name, a, b in zip(Totals._fields, short, long, strict=True)}
        found["calls"], found["instructions"] = (
            (b - a) / n_traced for a, b in zip(*(tracer.counts for tracer in traced), strict=True)
        )
        if not case.in_process:
            del found["link_bytes"]
            return found
        found["worker_calls"], found["worker_instructions"] = self._worker()
        return found

    def marked(self) -> None:
        """Run a sweep whose trials leave marks for whoever watches the system calls."""
        case = self._case
        with stillness():
            self._run(case.n_short, Marked(case.objective) if case.in_process else marked_noop_async)

    def _totals(self, n_trials: int) -> Totals:
        traffic, held = Traffic(), 0

        async def run(sweep: Sweep) -> list[State]:
            nonlocal held
            async with sweep.start() as run:
                result = await run.result()
                gc.collect()
                held = sys.getallocatedblocks()
                return [trial.state for trial in result.trials]

        with traffic.counted():
            journal = self._run(n_trials, run=run)
        gc.collect()
        held -= sys.getallocatedblocks()
        data = journal.read_bytes()
        n_events = layout.decode(data, str(journal)).seq
        return Totals(n_events, len(data), traffic.journal_writes, traffic.link_bytes, held)

    def _traced(self, n_trials: int) -> Tracer:
        tracer = Tracer()

        async def run(sweep: Sweep) -> list[State]:
            tracer.start()
            try:
                return await _states(sweep)
            finally:
                tracer.stop()

        self._run(n_trials, run=run)
        return tracer

    def _worker(self) -> tuple[float, float]:
        """Calls and instructions of one trial in a worker, of all trials but the first ones."""
        n_trials = self._case.n_traced[1]
        self._run(n_trials, Traced(self._case.objective, str(self._folder), n_trials))
        lines = (self._folder / "rounds").read_text(encoding="utf-8").splitlines()
        rounds = [tuple(map(int, line.split())) for line in lines][self._case.n_traced[0] :]
        calls, instructions = ((b - a) / (len(rounds) - 1) for a, b in zip(rounds[0], rounds[-1], strict=True))
        return calls, instructions

    def _run(
        self,
        n_trials: int,
        objective: Callable[..., Any] | None = None,
        run: Callable[[Sweep], Coroutine[Any, Any, list[State]]] | None = None,
    ) -> Path:
        """The journal of a sweep of so many trials; `run` gives their states."""
        self._n_sweeps += 1
        directory = self._folder / f"{self._n_sweeps:03}"
        states = anyio.run(run or _states, self._case.sweep(n_trials, directory, objective))
        n_complete = states.count(State.COMPLETE)
        if n_complete != n_trials:
            raise RuntimeError(
                f"{self._case.name}: {n_complete} of {n_trials} trials are COMPLETE: this counts nothing"
            )
        return directory / "journal.asyncsweep"


async def _states(sweep: Sweep) -> list[State]:
    result = await sweep.run()
    return [trial.state for trial in result.trials]


def main(name: str, folder: str | None = None) -> None:
    case = next(case for case in CASES if case.name == name)
    if folder is not None:
        Counting(case, Path(folder)).marked()
        return
    with tempfile.TemporaryDirectory(prefix="guard-") as made:
        print(json.dumps(Counting(case, Path(made)).counts()))


if __name__ == "__main__":
    os.environ.pop("ASYNCSWEEP_DEBUG", None)  # its checks would be counted, too
    main(*sys.argv[1:])
