"""What a sweep costs beyond its objectives: trials that do nothing, in the loop and in processes, on disk and in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from benchmarks.harness.cases import Case, Options, contested
from benchmarks.harness.contestants import Contestant, TakesNoPart
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_least

IN_LOOP = 0


class Way(NamedTuple):
    """How trials are run.

    Attributes:
        workers: Processes; 0 is the loop of the program itself.
        durable: Everything is on disk when it is told.
    """

    workers: int
    durable: bool

    @property
    def key(self) -> str:
        return ("in_loop" if self.workers == IN_LOOP else f"processes_{self.workers}") + "_disk" * self.durable

    @property
    def label(self) -> str:
        return ("in the loop" if self.workers == IN_LOOP else f"{self.workers} processes") + ", on disk" * self.durable


WAYS = tuple(Way(workers, durable) for workers in (IN_LOOP, 2, 8) for durable in (False, True))
_SIZES = (200, 1_000, 10_000)
_QUICK = (100,)
_WARM_UP = (20,)
_TRIPS = 30_000
_LONGEST_S = 60.0
_LIMIT = "raw"
_BY_HAND = "by_hand"
_OPTUNA = "optuna"


class Rates:
    """What contestants reached with fewer trials: who would take too long for more is not measured with more."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, Way], float] = {}

    def limiting(self, case: Case, way: Way, size: int) -> Case:
        """The same case; it takes no part where it would take too long."""
        who = (case.contestant, way)

        def measure() -> Mapping[str, float]:
            seconds = size / self._rates.get(who, math.inf)
            if seconds > _LONGEST_S:
                raise TakesNoPart(f"it would take {seconds:,.0f} s at the rate that it has with fewer trials")
            found = case.measure()
            self._rates[who] = found[""]
            return found

        return replace(case, measure=measure)


class Overhead:
    """Trials per second of objectives that do nothing."""

    name = "overhead"
    about = "trials that do nothing, in the loop and in 2 and 8 processes, on disk and in memory, by number of trials"
    notes = (
        "Trials per second, 8 mixed parameters drawn at random; ranges span all repetitions; x are ratios within a repetition.",
        "A clock starts when the first trial has begun (processes are up) and stops when the result is there.",
        f"Who would take more than {_LONGEST_S:.0f} s with so many trials is not measured with so many.",
        "raw: round trips of a message to as many child processes, with nothing else done: the limit.",
    )
    default_repetitions = 5

    def cases(self, options: Options) -> list[Case]:
        sizes, seen = options.pick(_SIZES, _QUICK, _WARM_UP), Rates()
        return [case for size in sizes for way in WAYS for case in self._of(way, size, sizes[-1], options, seen)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        measured = list(figures.values())
        add_ratios(figures, (pair for figure in measured for pair in _pairs(figure, figures)))
        in_loop, processes = Way(IN_LOOP, True), Way(2, True)
        ours = {way: _largest(figures, OURS, way) for way in (in_loop, processes)}
        goals = [
            *at_least(figures, {ours[in_loop]: 50_000}),
            *at_least(figures, {_largest(figures, f"{in_loop.key}_by_{_OPTUNA}", Way(IN_LOOP, False)): 10}),
            *at_least(figures, {ours[processes]: 18_000}),
            *at_least(figures, {_largest(figures, f"{processes.key}_by_{_LIMIT}", Way(2, False)): 0.4}),
            *at_least(figures, {_largest(figures, f"{processes.key}_by_{_BY_HAND}", Way(2, False)): 4}),
        ]
        persisting = {figure.contestant for figure in measured if _of_way(figure.key, figure.contestant, processes)}
        for peer in sorted(persisting - {OURS}):
            goals += at_least(figures, {_largest(figures, f"{processes.key}_by_{peer}", processes): 25})
        return goals

    def _of(self, way: Way, size: int, largest: int, options: Options, seen: Rates) -> Iterator[Case]:
        for contestant in options.taking_part(self.name):
            if contestant.name == _LIMIT:
                if size == largest and way.workers and not way.durable:
                    yield _case(contestant, way, options.pick(_TRIPS, 2_000, 200), "trips/s", key_size=size)
            else:
                yield seen.limiting(_case(contestant, way, size, "trials/s", key_size=size), way, size)


def _case(contestant: Contestant, way: Way, n_trials: int, unit: str, key_size: int) -> Case:
    return contested(
        contestant,
        "overhead",
        f"{contestant.name}_{way.key}_{key_size}",
        f"{contestant.name}, {way.label}, {n_trials:,}",
        unit,
        {"": "trials_per_s"},
        n_trials=n_trials,
        workers=way.workers,
        durable=way.durable,
    )


def _pairs(figure: Figure, figures: dict[str, Figure]) -> Iterator[tuple[str, str, str, str]]:
    """Ours by this peer's: each of our ways with as many workers, where the size is the same."""
    if figure.contestant in ("", OURS):
        return
    size = figure.key.rpartition("_")[2]
    for theirs in WAYS:
        if figure.key != f"{figure.contestant}_{theirs.key}_{size}":
            continue
        for ours in WAYS:
            above = f"{OURS}_{ours.key}_{size}"
            # Never the other way round: what is in memory would beat what is on disk, and say nothing.
            if ours.workers == theirs.workers and ours.durable >= theirs.durable and above in figures:
                key = f"{ours.key}_by_{figure.contestant}_{theirs.key}_{size}"
                yield key, f"{figures[above].label} / {figure.label}", above, figure.key


def _of_way(key: str, name: str, way: Way) -> bool:
    rest = key.removeprefix(f"{name}_{way.key}_")
    return rest != key and rest.isdigit()


def _largest(figures: dict[str, Figure], name: str, way: Way) -> str:
    """The key of the figure with the most trials; "" if there is none."""
    keys = [key for key in figures if _of_way(key, name, way)]
    return max(keys, key=lambda key: int(key.rpartition("_")[2]), default="")


WORKLOAD = Overhead()
