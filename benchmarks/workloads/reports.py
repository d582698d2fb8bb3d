"""What a report costs: trials that report a hundred times, without a pruner, with median and with ASHA, in two processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from benchmarks.harness.cases import Case, Options, contested
from benchmarks.harness.contestants import Contestant
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_least

_PRUNERS = ("none", "median", "asha")
_WORKERS = 2
_N_REPORTS = 100
_LIMIT = "raw"
_OPTUNA = "optuna"


class _Size(NamedTuple):
    """How many trials are run, and in how many repetitions at most; 0 for all."""

    n_trials: int
    most_repetitions: int = 0


# Those that are slow get few trials: a figure within a minute is enough to see by how much.
_FULL = {OURS: _Size(1_000), "by_hand": _Size(200), "ray": _Size(20, 2)}
_OTHERS = _Size(8, 2)
_OPTUNA_IN_PROCESS = _Size(200)
_TRIPS = 30_000


class Reports:
    """Reports per second."""

    name = "reports"
    about = (
        f"{_N_REPORTS} reports in each trial, without a pruner, with median and with ASHA, from {_WORKERS} processes"
    )
    notes = (
        f"Reports per second, {_N_REPORTS} in each trial, {_WORKERS} worker processes; x are ratios within a repetition.",
        "Every trial reports the same values, so that nobody is pruned and all contestants make as many reports.",
        "median: a verdict is awaited after every report. asha: ours is awaited at the rungs alone, which the worker knows.",
        "raw: round trips of a message to as many child processes, with nothing else done: the limit of awaited verdicts.",
        "optuna, in its process: no other process takes part, and nothing is on disk.",
    )
    default_repetitions = 5

    def cases(self, options: Options) -> list[Case]:
        return [case for pruner in _PRUNERS for case in self._with(pruner, options)] + list(_limit(options))

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        peers = {figure.contestant for figure in figures.values()} - {OURS, _LIMIT}
        for pruner in _PRUNERS:
            ours = f"{OURS}_{pruner}"
            for peer in (*sorted(peers), f"{_OPTUNA}_in_process"):
                label = f"reports, {pruner}: {OURS} / {peer}"
                add_ratios(figures, [(f"{pruner}_by_{peer}", label, ours, f"{peer}_{pruner}")])
        label = f"reports, a verdict after each: {OURS} / {_LIMIT}"
        add_ratios(figures, [("median_by_raw", label, f"{OURS}_median", "raw_round_trips")])
        limits = {f"{OURS}_asha": 140_000, "asha_by_by_hand": 10, "asha_by_ray": 250, "median_by_raw": 0.5}
        return at_least(figures, limits)

    def _with(self, pruner: str, options: Options) -> Iterator[Case]:
        for contestant in options.taking_part(self.name):
            size = _FULL.get(contestant.name, _OTHERS)
            yield _case(contestant, pruner, _n_trials(size, options), size.most_repetitions)
            if contestant.name == _OPTUNA:
                in_process = _case(contestant, pruner, _n_trials(_OPTUNA_IN_PROCESS, options), workers=0)
                key, label = f"{_OPTUNA}_in_process_{pruner}", f"{_OPTUNA}, in its process, {pruner}"
                yield replace(in_process, key=key, label=label, does_less="no other process; nothing is on disk")


def _n_trials(size: _Size, options: Options) -> int:
    return options.pick(size.n_trials, max(size.n_trials // 20, 2), 2)


def _case(
    contestant: Contestant, pruner: str, n_trials: int, most_repetitions: int = 0, workers: int = _WORKERS
) -> Case:
    case = contested(
        contestant,
        "reports",
        f"{contestant.name}_{pruner}",
        f"{contestant.name}, {pruner}",
        "reports/s",
        {"": "reports_per_s"},
        n_trials=n_trials,
        workers=workers,
        n_reports=_N_REPORTS,
        pruner=pruner,
    )
    return replace(case, most_repetitions=most_repetitions)


def _limit(options: Options) -> Iterator[Case]:
    """The bare round trips, by the adapter's own name for them."""
    for contestant in options.contestants:
        if contestant.name == _LIMIT:
            n_trips = options.pick(_TRIPS, 2_000, 200)
            label, names = f"{_LIMIT}, round trips", {"": "trials_per_s"}
            yield contested(
                contestant, "overhead", "raw_round_trips", label, "trips/s", names, n_trials=n_trips, workers=_WORKERS
            )


WORKLOAD = Reports()
