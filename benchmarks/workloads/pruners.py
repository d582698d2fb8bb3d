"""What a report and the verdict on it cost, beside Optuna: our median and ASHA, with 1,000 and 10,000 finished trials.

The history is made once with our pruner: trials of up to 20 reports that end where it stops them. Optuna gets the same trials,
with the same rungs, in a study in memory. Ours is asked at every report, though workers ask ASHA at its rungs only when those
are known.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from random import Random
from time import perf_counter
from typing import Any, Protocol

import optuna

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.pruners.asha import AshaPruner
from asyncsweep.pruners.percentile import MedianPruner
from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_least

_REPORTS_PER_TRIAL = 20
_GOAL = 20
_OPTUNA = "optuna"
# Finished trials, and at least so many reports of ours and of Optuna's in a sample.
_FULL = ((1_000, 10_000), 10_000, 200)
_QUICK = ((50, 100), 200, 50)
_WARM_UP = ((20,), 50, 20)
_PRUNERS: dict[str, tuple[Callable[[], MedianPruner | AshaPruner], Callable[[], optuna.pruners.BasePruner]]] = {
    "median": (MedianPruner, optuna.pruners.MedianPruner),
    "asha": (AshaPruner, optuna.pruners.SuccessiveHalvingPruner),
}


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
    elapsed_s, done = 0.0, 0
    while done < n_reports:
        took_s, reports = runner.run(curve(random))
        elapsed_s += took_s
        done += reports
    return elapsed_s / done * 1e6


class Pruners:
    """Microseconds for a report and its verdict."""

    name = "pruners"
    about = "a report and the verdict on it, median and ASHA, with 1,000 and 10,000 finished trials"
    notes = (
        "us: microseconds for one report and the verdict on it, over trials that end when they are told to; default options.",
        "Ours include finish() of each trial and the attributes for the journal; Optuna's, report() and should_prune() alone.",
        "x are ratios within a repetition; ranges span all repetitions.",
    )
    default_repetitions = 7

    def cases(self, options: Options) -> list[Case]:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sizes, our_reports, their_reports = options.pick(_FULL, _QUICK, _WARM_UP)
        random, made = Random(0), []
        for name, (make_ours, make_theirs) in _PRUNERS.items():
            for size in sizes:
                ours = Ours(make_ours())
                for _ in range(size):
                    ours.run(curve(random))
                theirs = Theirs(make_theirs(), ours.records)
                key, label = f"{name}_{size}", f"{name}, {size:,} trials"
                made.append(Case(key, label, "us", _costing(ours, random, our_reports), OURS))
                of_theirs = _costing(theirs, random, their_reports)
                made.append(Case(f"{key}_{_OPTUNA}", f"{label}, Optuna", "us", of_theirs, _OPTUNA))
        return made

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        ours = {key: figure for key, figure in figures.items() if figure.contestant == OURS}
        for key, figure in ours.items():
            add_ratios(figures, [(f"{key}_ratio", f"{figure.label}, Optuna / ours", f"{key}_{_OPTUNA}", key)])
        most = max((int(key.rpartition("_")[2]) for key in ours), default=0)
        return at_least(figures, {f"{name}_{most}_ratio": _GOAL for name in _PRUNERS})


def _costing(runner: Runner, random: Random, n_reports: int) -> Callable[[], Mapping[str, float]]:
    return lambda: {"": cost_us(runner, random, n_reports)}


WORKLOAD = Pruners()
