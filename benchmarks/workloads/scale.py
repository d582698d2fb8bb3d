"""A hundred thousand trials in one sweep, or a million: whether it gets slower, what it keeps, how soon it is open again."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.environments import ROOT
from benchmarks.harness.figures import Figure, Goal, add_ratios, at_most

_FULL, _QUICK, _WARM_UP = 100_000, 2_000, 500
_LARGE = 1_000_000
_LIMIT_S = 900.0
_UNITS = {
    "rate_at_the_beginning": "trials/s",
    "rate_at_the_end": "trials/s",
    "peak_memory": "MB",
    "memory_per_trial": "bytes",
    "journal_per_trial": "bytes",
    "reopen": "s",
}
_MOST_BYTES_PER_TRIAL = 1024
_MOST_S_TO_REOPEN_100_000 = 5


class Scale:
    """Very many trials in the loop, with a journal."""

    name = "scale"
    about = "100,000 trials in the loop with a journal (and 1,000,000 with --set large=yes): rate, memory, journal, reopening"
    notes = (
        "Trials do nothing, 8 mixed parameters at random, in the sweep's own loop, with a journal, in a process of its own.",
        "The rate at the beginning is that of the first tenth of all trials, at the end that of the last tenth.",
        "Memory for each trial: what the process has after the sweep beyond what it had at its first trial. Peak: all of it, at most.",
        "Reopen: a fresh process, from Sweep.open to the result with all trials.",
    )
    default_repetitions = 3

    def cases(self, options: Options) -> list[Case]:
        sizes = [options.pick(_FULL, _QUICK, _WARM_UP)]
        if options.extra.get("large") and not options.quick and not options.is_warm_up:
            sizes.append(_LARGE)
        return [case for n_trials in sizes for case in _of(n_trials, options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        goals: dict[str, float] = {}
        for n_trials in (_QUICK, _FULL, _LARGE):
            key = f"run_{n_trials}"
            label = f"{n_trials:,} trials: rate at the end / at the beginning"
            above, below = f"{key}_rate_at_the_end", f"{key}_rate_at_the_beginning"
            add_ratios(figures, [(f"steadiness_{n_trials}", label, above, below)])
            goals[f"{key}_memory_per_trial"] = _MOST_BYTES_PER_TRIAL
            goals[f"reopen_{n_trials}"] = _MOST_S_TO_REOPEN_100_000 * n_trials / 100_000
        return at_most(figures, goals)


def _of(n_trials: int, options: Options) -> Iterator[Case]:
    numbers = itertools.count()
    made: list[Path] = []

    def call(way: str, folder: Path) -> dict[str, float]:
        command = [sys.executable, "-m", "benchmarks.scaling", way, str(folder), str(n_trials), options.backend]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=_LIMIT_S, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or "it failed").splitlines()[-1])
        told: dict[str, float] = json.loads(done.stdout)
        return told

    def run() -> dict[str, float]:
        made.append(options.folder / f"{n_trials}-{next(numbers)}")
        return call("run", made[-1])

    def reopen() -> dict[str, float]:
        return {"": call("reopen", made[-1])["reopen"]}

    yield Case(f"run_{n_trials}", f"{n_trials:,} trials", "trials/s", run, units=_UNITS)
    yield Case(f"reopen_{n_trials}", f"{n_trials:,} trials, reopened", "s", reopen)


WORKLOAD = Scale()
