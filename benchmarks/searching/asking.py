"""What one suggestion of our TPE costs after so many trials: asked for alone, and in a hurry.

A sample is the time of a batch of eight asks and eight tells, divided by eight. Alone does them one after the other, as with one
worker; in a hurry eight asks come first, as with eight workers that all wait. The history is of random trials that were told before.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Iterator

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.hooks.contracts import Params, TrialRef
from asyncsweep.samplers.named import TPESampler
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Space
from benchmarks.sweeping.space import EIGHT

_BATCH = 8


def history(count: int) -> Iterator[tuple[Params, float]]:
    """Random trials with their values."""
    draw = random.Random(0)
    space = Space(EIGHT)
    for _ in range(count):
        params = space.walk(lambda name, domain: domain.from_unit(draw.random()))
        yield params, value(params)


def value(params: Params) -> float:
    return float(params["momentum"] + abs(params["depth"] - 20) / 100 + abs(params["bias"]))


class Ours:
    """Our sampler `tpe` with a history."""

    def __init__(self, count: int) -> None:
        self._study: OptunaStudy = TPESampler()
        self._study.open(Space(EIGHT), {"value": "minimize"}, 0)
        self._next = 0
        trials = [_final(number, params, found) for number, (params, found) in enumerate(history(count))]
        start = time.perf_counter()
        for trial in trials:
            self._study.tell(trial)
        self._retelling_us = (time.perf_counter() - start) / count * 1e6
        self._next = count

    def retelling(self) -> float:
        """Microseconds that it took to tell one trial of the history."""
        return self._retelling_us

    def alone(self) -> float:
        """Milliseconds for one, one after the other."""
        began_at = time.perf_counter()
        for _ in range(_BATCH):
            self._tell(self._ask())
        return (time.perf_counter() - began_at) / _BATCH * 1e3

    def hurried(self) -> float:
        """Milliseconds for one, when all wait."""
        began_at = time.perf_counter()
        self._study.hurry(_BATCH)
        for number, params in [self._ask() for _ in range(_BATCH)]:
            self._tell((number, params))
        return (time.perf_counter() - began_at) / _BATCH * 1e3

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
