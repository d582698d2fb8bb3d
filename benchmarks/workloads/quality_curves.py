"""How good the pruners are on learning curves of real trainings, beside plain Optuna's own, in virtual time.

No timing is in these figures. A repetition is a seed; differences are taken within a repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import OURS, Figure, Goal, at_most
from benchmarks.tabular.curves import SPACE, Curves, curves
from benchmarks.tabular.paired import add_difference, add_sum
from benchmarks.tabular.virtual import Ended, Ran, Settings, by_optuna, by_sweep, differing, steps

_PARALLEL = 8
_TRIALS = 100
_OPTUNA = "optuna"
_WITHIN = 0.02
_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner] | None] = {
    "none": None,
    "median": optuna.pruners.MedianPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
}
_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
}
_COMPARED = {"regret": "", "quarter": "_quarter", "half": "_half", "half time": "_half_time"}
_JUDGED = ("", "_half", "_half_time")
_ALL = "all samplers"


class LearningCurves:
    """Regrets against epochs and time spent, paired differences to Optuna's, and trials that differ where none should."""

    name = "quality-curves"
    about = "how good the pruners are on learning curves of scan-bench, beside plain Optuna's own"
    notes = (
        f"{_TRIALS} trials, {_PARALLEL} at a time, each pruner with its default options; a repetition is a seed.",
        "regret: how far the best loss of a trial that was not pruned is from the best of all, in units of the way from the median to it.",
        "quarter, half: what was found by the time that so much was trained of the epochs that the trials have without a pruner.",
        "half time: in the time in which the machines train half of them. epochs, hours: spent in all. Training takes virtual time.",
        "random: the same draws for all, those of Optuna's RandomSampler. tpe: learns from what the pruner leaves.",
        f"less Optuna's: paired by seed, {_ALL}; up to: the upper end of Student's 95 % interval.",
        "one at a time, differing: trials whose parameters, value or last step are not those of plain Optuna, which must be 0.",
        "--set samplers=random,tpe takes one of them.",
    )
    default_repetitions = 10

    def cases(self, options: Options) -> list[Case]:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        table = curves()
        n_trials = options.pick(_TRIALS, 40, 12)
        made = []
        for sampler in _chosen(options):
            for pruner in _PRUNERS:
                key, label = f"{sampler}_{pruner}", f"{sampler}, {pruner}"
                units = {"epochs": "epochs", "hours": "h"}
                ours = _finding(table, n_trials, sampler, pruner, OURS)
                theirs = _finding(table, n_trials, sampler, pruner, _OPTUNA)
                made.append(Case(key, label, "regret", ours, units=units))
                made.append(Case(f"{key}_{_OPTUNA}", f"{label}, {_OPTUNA}", "regret", theirs, _OPTUNA, units=units))
                alone = _differing(table, n_trials, sampler, pruner)
                made.append(Case(f"{key}_alone", f"{label}, one at a time", "trials", alone))
        return made

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        limits: dict[str, float] = {}
        for pruner in _PRUNERS:
            for what, end in _COMPARED.items():
                name = what.replace(" ", "_")
                pairs = [
                    (f"{sampler}_{pruner}_{name}", f"{sampler}_{pruner}_{_OPTUNA}_{name}") for sampler in _SAMPLERS
                ]
                label = f"{_ALL}, {pruner} less Optuna's, {what}"
                add_difference(figures, f"less_optuna_{pruner}{end}", label, pairs)
            label = f"one at a time, {pruner}, trials that are not Optuna's"
            parts = [f"{sampler}_{pruner}_alone_differing" for sampler in _SAMPLERS]
            add_sum(figures, f"differing_{pruner}", label, parts)
            limits |= {f"less_optuna_{pruner}{end}_up_to": _WITHIN for end in _JUDGED}
            limits[f"differing_{pruner}"] = 0
        return at_most(figures, limits)


def best(ended: Sequence[Ended]) -> float | None:
    """The lowest value that a trial has returned by then; None where none has."""
    return min((end.value for end in ended if end.value is not None), default=None)


def found(table: Curves, settings: Settings, trials: Sequence[Ran]) -> dict[str, float]:
    """What a search came to: its regrets by the end and by the budgets, and what it spent."""
    ended = steps(settings, trials)
    epochs = round(table.n_epochs * settings.n_trials)
    until = table.hours * 3600 * settings.n_trials / settings.parallel / 2
    return {
        "regret": table.regret(best(ended)),
        "quarter": table.regret(best(ended[: epochs // 4])),
        "half": table.regret(best(ended[: epochs // 2])),
        "half time": table.regret(best([end for end in ended if end.at <= until])),
        "epochs": len(ended),
        "hours": ended[-1].at / 3600,
    }


def _finding(table: Curves, n_trials: int, sampler: str, pruner: str, whose: str) -> Callable[[], Mapping[str, float]]:
    seeds = iter(range(1_000_000))

    def measure() -> Mapping[str, float]:
        settings = Settings(SPACE, table, n_trials, _PARALLEL, next(seeds))
        return found(table, settings, _search(settings, sampler, pruner, whose))

    return measure


def _differing(table: Curves, n_trials: int, sampler: str, pruner: str) -> Callable[[], Mapping[str, float]]:
    seeds = iter(range(1_000_000))

    def measure() -> Mapping[str, float]:
        settings = Settings(SPACE, table, n_trials, 1, next(seeds))
        ours, theirs = (_search(settings, sampler, pruner, whose) for whose in (OURS, _OPTUNA))
        return {"differing": differing(ours, theirs)}

    return measure


def _search(settings: Settings, sampler: str, pruner: str, whose: str) -> list[Ran]:
    make = _PRUNERS[pruner]
    if whose == _OPTUNA:
        return by_optuna(settings, _SAMPLERS[sampler](settings.seed), make and make())
    # Our own `random` draws other numbers: the pruners could not be held against each other trial by trial.
    ours: Any = _SAMPLERS[sampler](settings.seed) if sampler == "random" else sampler
    return by_sweep(settings, ours, pruner if make else None)


def _chosen(options: Options) -> list[str]:
    samplers = options.extra["samplers"].split(",") if "samplers" in options.extra else list(_SAMPLERS)
    unknown = [sampler for sampler in samplers if sampler not in _SAMPLERS]
    if unknown:
        raise ValueError(f"--set samplers: {unknown[0]!r} is none of {', '.join(_SAMPLERS)}")
    return samplers


WORKLOAD = LearningCurves()
