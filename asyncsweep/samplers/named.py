"""Optuna's samplers by name. Each takes the keyword options of the Optuna class that its docstring names.

The options are checked in the sampler host, by `open`: the application never imports optuna. The seed is the sweep's, unless
`seed` is among the options.
"""

from __future__ import annotations

from typing import Any

from asyncsweep.samplers.optuna_partial import partial_fixed
from asyncsweep.samplers.optuna_recipe import Recipe
from asyncsweep.samplers.optuna_study import OptunaStudy


class TPESampler(OptunaStudy):
    """Tree-structured Parzen estimator: a good first choice for up to a few hundred trials (`optuna.samplers.TPESampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("tpe", options))


class CmaEsSampler(OptunaStudy):
    """CMA-ES: for real and integer parameters and many trials (`optuna.samplers.CmaEsSampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("cmaes", options))


class GPSampler(OptunaStudy):
    """Gaussian process: for few, costly trials (`optuna.samplers.GPSampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("gp", options))


class NSGAIISampler(OptunaStudy):
    """Genetic algorithm for several directions (`optuna.samplers.NSGAIISampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("nsgaii", options))


class NSGAIIISampler(OptunaStudy):
    """Genetic algorithm for more than three directions (`optuna.samplers.NSGAIIISampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("nsgaiii", options))


class QMCSampler(OptunaStudy):
    """Quasi-Monte Carlo by Optuna (`optuna.samplers.QMCSampler`); the native one is `sobol`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("qmc", options))


class BruteForceSampler(OptunaStudy):
    """Every combination once, of parameters asked for while the objective runs, too (`optuna.samplers.BruteForceSampler`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Recipe("bruteforce", options))


class PartialFixedSampler(OptunaStudy):
    """Some parameters fixed, the others from another sampler of Optuna's (`optuna.samplers.PartialFixedSampler`).

    `base_sampler` is a name (`"cmaes"`), a name with options (`{"name": "cmaes", "popsize": 8}`), or an Optuna sampler.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(partial_fixed(options))
