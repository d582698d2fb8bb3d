"""How good the samplers are on BBOB functions, beside plain Optuna's at the same parallelism, in virtual time.

No timing is in these figures. A repetition is a seed, and an instance of each function; differences are taken within a repetition.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from statistics import mean

import optuna

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import OURS, Figure, Goal, at_most
from benchmarks.tabular import bbob
from benchmarks.tabular.paired import add_difference, add_sum
from benchmarks.tabular.virtual import Ran, Settings, by_optuna, by_sweep, differing

_PARALLEL = 8
_DIMENSION = 5
_FUNCTIONS = (1, 8, 15, 21)
_TRIALS = 100
_OPTUNA = "optuna"
_WITHIN = 0.02
_DEFAULT = ("tpe", "cmaes", "random", "sobol")
_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "sobol": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True),
}
# Ours draw other numbers than Optuna's, so that chance differs: a sample of theirs is the mean of several searches.
_OURS = ("random", "sobol")
_PARTS = {"": 1, "half": 2, "quarter": 4}
_SUITE = "all functions"


class Bbob:
    """Regrets, paired differences to Optuna's, and trials that differ where none should."""

    name = "quality-bbob"
    about = "how good the samplers are on BBOB functions of coco-experiment, beside plain Optuna's"
    notes = (
        f"{_TRIALS} trials, {_PARALLEL} at a time, dimension {_DIMENSION}; a repetition is a seed and an instance of each function.",
        "regret: how far the best trial is from the optimum, in units of the way from the median of random points to it.",
        "half, quarter: after half and a quarter of the trials. Nothing here depends on the machine: trials take virtual time.",
        "random and sobol are ours, beside Optuna's RandomSampler and scrambled QMCSampler: a sample is the mean of 20 searches.",
        f"less Optuna's: paired by seed, {_SUITE}; up to: the upper end of Student's 95 % interval.",
        "one at a time, differing: trials whose parameters or values are not those of plain Optuna, which must be 0.",
        "--set functions=1,8,15,21, --set dimension=5, --set samplers=tpe,cmaes,gp,random,sobol.",
    )
    default_repetitions = 10

    def cases(self, options: Options) -> list[Case]:
        bbob.suite()  # without it nothing can begin
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = _chosen(options)
        numbers = [int(number) for number in options.extra.get("functions", ",".join(map(str, _FUNCTIONS))).split(",")]
        searches = _Searches(int(options.extra.get("dimension", _DIMENSION)), options.pick(_TRIALS, 32, 12))
        several = options.pick(20, 3, 1)
        if options.is_warm_up:
            numbers = numbers[:1]
        made = []
        for sampler in samplers:
            n_searches = several if sampler in _OURS else 1
            for number in numbers:
                key, label = f"f{number}_{sampler}", f"f{number}, {sampler}"
                for whose, of_whom in ((OURS, ""), (_OPTUNA, _OPTUNA)):
                    measure = searches.regrets(number, sampler, whose, n_searches)
                    own = [part for part in (key, of_whom) if part]
                    own_label = ", ".join(part for part in (label, of_whom) if part)
                    made.append(Case("_".join(own), own_label, "regret", measure, whose))
            if sampler not in _OURS:
                measure = searches.alone(numbers, sampler)
                made.append(Case(f"{sampler}_alone", f"{sampler}, one at a time", "trials", measure))
        return made

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        limits: dict[str, float] = {}
        for sampler in _SAMPLERS:
            for part in _PARTS:
                end = f"_{part}" if part else ""
                ours = [key for key in figures if key.startswith("f") and key.endswith(f"_{sampler}{end}")]
                pairs = [(key, f"{key.removesuffix(end)}_{_OPTUNA}{end}") for key in ours]
                label = ", ".join(filter(None, (f"{_SUITE}, {sampler} less Optuna's", part)))
                add_difference(figures, f"less_optuna_{sampler}{end}", label, pairs)
            label = f"one at a time, {sampler}, trials that are not Optuna's"
            add_sum(figures, f"differing_{sampler}", label, [f"{sampler}_alone_differing"])
            limits |= {f"less_optuna_{sampler}_up_to": _WITHIN, f"differing_{sampler}": 0}
        return at_most(figures, limits)


class _Searches:
    """Measures; each counts its own repetitions, so that all have the same seeds in the same order."""

    def __init__(self, dimension: int, n_trials: int) -> None:
        self._dimension = dimension
        self._n_trials = n_trials

    def regrets(self, number: int, sampler: str, whose: str, n_searches: int) -> Callable[[], Mapping[str, float]]:
        """Measures the regrets of one sampler on one function, eight trials at a time."""
        seeds = iter(range(1_000_000))

        def measure() -> Mapping[str, float]:
            first = next(seeds) * n_searches
            found: dict[str, list[float]] = {part: [] for part in _PARTS}
            for seed in range(first, first + n_searches):
                function, settings = self._settings(number, seed, _PARALLEL)
                trials = _search(settings, sampler, whose)
                ended = sorted(trials, key=lambda trial: trial.began_at + sum(_seconds(function, trial)))
                for part, divisor in _PARTS.items():
                    seen = ended[: max(1, len(ended) // divisor)]
                    found[part].append(function.regret(min(_value(trial) for trial in seen)))
            return {part: mean(regrets) for part, regrets in found.items()}

        return measure

    def alone(self, numbers: list[int], sampler: str) -> Callable[[], Mapping[str, float]]:
        """Measures how many trials differ from Optuna's, one at a time, on all functions."""
        seeds = iter(range(1_000_000))

        def measure() -> Mapping[str, float]:
            seed = next(seeds)
            asked = [self._settings(number, seed, 1)[1] for number in numbers]
            return {
                "differing": sum(
                    differing(*(_search(one, sampler, whose) for whose in (OURS, _OPTUNA))) for one in asked
                )
            }

        return measure

    def _settings(self, number: int, seed: int, parallel: int) -> tuple[bbob.Function, Settings]:
        function = bbob.function(number, self._dimension, seed + 1)
        return function, Settings(function.space, function, self._n_trials, parallel, seed)


def _search(settings: Settings, sampler: str, whose: str) -> list[Ran]:
    if whose == OURS:
        return by_sweep(settings, sampler)
    with warnings.catch_warnings():
        # Optuna calls some of them experimental, and QMC warns that its first trials have no sequence yet.
        warnings.simplefilter("ignore")
        return by_optuna(settings, _SAMPLERS[sampler](settings.seed))


def _chosen(options: Options) -> list[str]:
    samplers = options.extra["samplers"].split(",") if "samplers" in options.extra else list(_DEFAULT)
    unknown = [sampler for sampler in samplers if sampler not in _SAMPLERS]
    if unknown:
        raise ValueError(f"--set samplers: {unknown[0]!r} is none of {', '.join(_SAMPLERS)}")
    return samplers


def _seconds(function: bbob.Function, trial: Ran) -> list[float]:
    taken = function(trial.params).step_s
    return [taken] if isinstance(taken, float) else list(taken)


def _value(trial: Ran) -> float:
    assert trial.value is not None  # nothing is pruned
    return trial.value


WORKLOAD = Bbob()
