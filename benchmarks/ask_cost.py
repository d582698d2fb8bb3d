"""What one suggestion of TPE costs after so many trials: plain Optuna's, ours asked for alone, and ours in a hurry.

    python benchmarks/ask_cost.py [--quick] [--repetitions N]

A sample is the time of a batch of eight asks and eight tells, divided by eight. Plain Optuna and ours alone do them one after
the other, as with one worker; in a hurry eight asks come first, as with eight workers that all wait. What each finds is on
a history of random trials that was told before.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from array import array
from collections.abc import Callable, Iterator

import optuna
from figures import Figure, Goal, show
from space8 import DISTRIBUTIONS, SPACE

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.hooks.contracts import Params, TrialRef
from asyncsweep.samplers.named import TPESampler
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Space

_BATCH = 8
_GOAL_MS = 5.0
_NOTES = (
    "Milliseconds for one ask with its tell; ranges span all repetitions. Retelling is for one trial of the history.",
    "The hurried figures are what the sampler host asks for when more asks wait than there are workers.",
)


def history(count: int) -> Iterator[tuple[Params, float]]:
    """Random trials with their values."""
    draw = random.Random(0)
    space = Space(SPACE)
    for _ in range(count):
        params = space.walk(lambda name, domain: domain.from_unit(draw.random()))
        yield params, value(params)


def value(params: Params) -> float:
    return float(params["momentum"] + abs(params["depth"] - 20) / 100 + abs(params["bias"]))


class Plain:
    """Optuna by itself."""

    def __init__(self, count: int) -> None:
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        for params, found in history(count):
            self._study.add_trial(optuna.create_trial(params=params, distributions=DISTRIBUTIONS, value=found))

    def batch(self) -> None:
        for _ in range(_BATCH):
            trial = self._study.ask(DISTRIBUTIONS)
            self._study.tell(trial, value(trial.params))


class Ours:
    """Our sampler `tpe`."""

    def __init__(self, count: int) -> None:
        self._study: OptunaStudy = TPESampler()
        self._study.open(Space(SPACE), {"value": "minimize"}, 0)
        self._next = 0
        trials = [_final(number, params, found) for number, (params, found) in enumerate(history(count))]
        start = time.perf_counter()
        for trial in trials:
            self._study.tell(trial)
        self.retelling_us = (time.perf_counter() - start) / count * 1e6
        self._next = count

    def batch(self) -> None:
        for _ in range(_BATCH):
            self._tell(self._ask())

    def hurried(self) -> None:
        self._study.hurry(_BATCH)
        for number, params in [self._ask() for _ in range(_BATCH)]:
            self._tell((number, params))

    def _ask(self) -> tuple[int, Params]:
        number = self._next
        self._next += 1
        params = self._study.ask(TrialRef(number))
        self._study.attrs(number)
        return number, params

    def _tell(self, asked: tuple[int, Params]) -> None:
        number, params = asked
        self._study.tell(_final(number, params, value(params)))


def _final(number: int, params: Params, found: float) -> TrialRecord:
    return TrialRecord(
        number,
        State.COMPLETE,
        param_names=tuple(params),
        param_values=tuple(params.values()),
        metric_names=("value",),
        metric_values=(found,),
        steps=array("q"),
        reported=array("d"),
    )


def measure(count: int, repetitions: int) -> tuple[list[Figure], Figure]:
    """The figures after `count` trials, the hurried one apart from them too."""
    plain, ours = Plain(count), Ours(count)
    hurried = Figure(f"hurried_{count}", f"ours in a hurry, {count:,} trials", "ms")
    ways: list[tuple[Figure, Callable[[], None]]] = [
        (Figure(f"plain_{count}", f"plain Optuna, {count:,} trials", "ms"), plain.batch),
        (Figure(f"alone_{count}", f"ours alone, {count:,} trials", "ms"), ours.batch),
        (hurried, ours.hurried),
    ]
    for _, batch in ways:
        batch()
    for _ in range(repetitions):
        for figure, batch in ways:
            start = time.perf_counter()
            batch()
            figure.samples.append((time.perf_counter() - start) / _BATCH * 1e3)
    told = Figure(f"retelling_{count}", f"ours retold, {count:,} trials", "us", [ours.retelling_us])
    return [*(figure for figure, _ in ways), told], hurried


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a suggestion of TPE costs.")
    parser.add_argument("--quick", action="store_true", help="small histories: to see that it works, not how fast")
    parser.add_argument(
        "--repetitions", type=int, default=0, metavar="N", help="batches of each figure (10; 1 with --quick)"
    )
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    repetitions = options.repetitions or (1 if options.quick else 10)
    figures: list[Figure] = []
    goals: list[Goal] = []
    setting = {
        "versions": f"{platform.python_implementation()} {platform.python_version()}, optuna {optuna.__version__}",
        "load_average_before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "space": "8 mixed parameters",
        "repetitions": repetitions,
    }
    for count in (20, 50) if options.quick else (100, 1_000, 10_000):
        measured, hurried = measure(count, repetitions)
        figures += measured
        goals.append(Goal(hurried, _GOAL_MS, at_most=True))
    show(setting, figures, goals, _NOTES)


if __name__ == "__main__":
    main()
