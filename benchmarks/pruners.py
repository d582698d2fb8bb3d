"""What a report and the verdict on it cost, beside Optuna: our median and ASHA, with 1,000 and 10,000 finished trials.

    python benchmarks/pruners.py [--quick] [--repetitions N] [--json FILE]

The history is made once with our pruner: trials of up to 20 reports that end where it stops them. Optuna gets the same trials,
with the same rungs, in a study in memory. Then each repetition runs some new trials on each, in order, so that a busy minute
slows all of them. Ours is asked at every report, though workers ask ASHA at its rungs only when those are known.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, Protocol

import optuna
from figures import Figure, Goal, ratio, show

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.pruners.asha import AshaPruner
from asyncsweep.pruners.percentile import MedianPruner

_REPORTS_PER_TRIAL = 20
_SIZES = (1_000, 10_000)
_GOAL = 20
_PRUNERS: dict[str, tuple[Callable[[], MedianPruner | AshaPruner], Callable[[], optuna.pruners.BasePruner]]] = {
    "median": (MedianPruner, optuna.pruners.MedianPruner),
    "asha": (AshaPruner, optuna.pruners.SuccessiveHalvingPruner),
}
_NOTES = (
    "us: microseconds for one report and the verdict on it, over trials that end when they are told to; default options.",
    "Ours include finish() of each trial and the attributes for the journal; Optuna's, report() and should_prune() alone.",
    "x are ratios within a repetition; ranges span all repetitions.",
)


class Runner(Protocol):
    """Runs one trial with these values and returns the seconds that it took and the number of its reports."""

    def run(self, curve: Sequence[float]) -> tuple[float, int]: ...


class Ours:
    """Our pruner, used as the driver uses it.

    Attributes:
        records: The trials so far.
    """

    def __init__(self, pruner: MedianPruner | AshaPruner) -> None:
        self._pruner = pruner
        self._attrs = getattr(pruner, "attrs", None)
        self.records: list[TrialRecord] = []
        pruner.open("minimize", 0, "benchmark")

    def run(self, curve: Sequence[float]) -> tuple[float, int]:
        pruner, attrs, number = self._pruner, self._attrs, len(self.records)
        record = TrialRecord(number, State.COMPLETE, steps=array("q"), reported=array("d"))
        assert record.steps is not None and record.reported is not None
        kept: dict[str, Any] = {}
        began = perf_counter()
        for step, value in enumerate(curve):
            record.steps.append(step)
            record.reported.append(value)
            pruner.report(number, step, value)
            prune = pruner.judge(number, step)
            if attrs is not None:
                kept |= attrs(number)
            if prune:
                record.state = State.PRUNED
                break
        record.pruner_attrs = kept or None
        pruner.finish(record)
        elapsed_s = perf_counter() - began
        self.records.append(record)
        return elapsed_s, len(record.steps)


class Theirs:
    """Optuna's pruner in a study that holds the given trials."""

    def __init__(self, pruner: optuna.pruners.BasePruner, records: Sequence[TrialRecord]) -> None:
        self._study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler())
        self._study.add_trials(
            optuna.create_trial(
                state=optuna.trial.TrialState[record.state.name],
                value=0.0,
                intermediate_values=dict(record.reports),
                system_attrs=record.pruner_attrs,
            )
            for record in records
        )

    def run(self, curve: Sequence[float]) -> tuple[float, int]:
        trial = self._study.ask()
        n_reports, state = 0, optuna.trial.TrialState.COMPLETE
        began = perf_counter()
        for step, value in enumerate(curve):
            n_reports += 1
            trial.report(value, step)
            if trial.should_prune():
                state = optuna.trial.TrialState.PRUNED
                break
        elapsed_s = perf_counter() - began
        self._study.tell(trial, 0.0 if state == optuna.trial.TrialState.COMPLETE else None, state=state)
        return elapsed_s, n_reports


def curve(random: Random) -> list[float]:
    """A loss that falls towards a level of its own, with noise."""
    level = random.gauss(0, 1)
    return [level + 2 / (1 + step) + random.gauss(0, 0.2) for step in range(_REPORTS_PER_TRIAL)]


def cost_us(runner: Runner, random: Random, n_reports: int) -> float:
    """Microseconds a report, over whole trials with so many reports or some more."""
    gc.collect()
    elapsed_s, done = 0.0, 0
    while done < n_reports:
        took_s, reports = runner.run(curve(random))
        elapsed_s += took_s
        done += reports
    return elapsed_s / done * 1e6


def measure(sizes: Sequence[int], repetitions: int, ours_reports: int, theirs_reports: int) -> list[Figure]:
    """The figures: ours, Optuna's and the ratio for each pruner and size."""
    random = Random(0)
    rows: list[tuple[Runner, Figure, int]] = []
    pairs: list[tuple[str, str, Figure, Figure]] = []
    for name, (make_ours, make_theirs) in _PRUNERS.items():
        for size in sizes:
            ours = Ours(make_ours())
            for _ in range(size):
                ours.run(curve(random))
            theirs = Theirs(make_theirs(), ours.records)
            key, label = f"{name}_{size}", f"{name}, {size:,} trials"
            our_figure, their_figure = Figure(key, f"{label}", "us"), Figure(f"{key}_optuna", f"{label}, Optuna", "us")
            rows += [(ours, our_figure, ours_reports), (theirs, their_figure, theirs_reports)]
            pairs.append((f"{key}_ratio", f"{label}, Optuna / ours", their_figure, our_figure))
    for repetition in range(-1, repetitions):  # the first to warm up
        for runner, figure, n_reports in rows:
            sample = cost_us(runner, random, n_reports)
            if repetition >= 0:
                figure.samples.append(sample)
    return [figure for _, figure, _ in rows] + [ratio(*pair) for pair in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a verdict costs, beside Optuna.")
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--repetitions", type=int, metavar="N", help="samples of each figure (7; 1 with --quick)")
    options = parser.parse_args()
    repetitions = options.repetitions or (1 if options.quick else 7)
    sizes = (50, 100) if options.quick else _SIZES
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    load_before = os.getloadavg()
    figures = measure(sizes, repetitions, *((200, 50) if options.quick else (10_000, 200)))
    goals = [Goal(figure, _GOAL) for figure in figures if figure.key.endswith(f"{sizes[-1]}_ratio")]
    setting = {
        "versions": f"Python {platform.python_version()}, optuna {importlib.metadata.version('optuna')}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores",
        "load_average_before": f"{load_before[0]:.2f}",
        "load_average_after": f"{os.getloadavg()[0]:.2f}",
        "repetitions": repetitions,
        "reports_per_trial": f"at most {_REPORTS_PER_TRIAL}",
    }
    notes = (*_NOTES, "--quick: samples this small say little.") if options.quick else _NOTES
    show(setting, figures, goals, notes)
    if options.json is not None:
        content = {
            "setting": setting,
            "quick": options.quick,
            "figures": {figure.key: figure.as_json() for figure in figures},
            "goals": [goal.as_json() for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
