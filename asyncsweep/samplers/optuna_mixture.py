"""The log density of a mixture that Optuna's TPE fitted, at many points at once.

It serves asks in a hurry alone (`optuna_hurry`). Optuna evaluates the normal distribution exactly, far into its tails and number
by number in Python, which for integers takes most of an ask. Here it is looked up in a table, to 2e-8: what that misses are
kernels so far from a point that others, the prior's among them, outweigh them by orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

# The table reaches from -8 to 8; beyond lies 1e-15.
_REACH = 8.0
_PER_UNIT = 2_500
_LEAST = 1e-30


class Mixture(Protocol):
    """What Optuna fits: weighted kernels, each a product of one distribution for each parameter.

    A categorical distribution has `weights` (kernels x choices); a numerical one has `mu` and `sigma` (kernels), `step` (0 for
    a continuous one), `is_log`, and its ends `adapted_low` and `adapted_high`, in the logarithm with `is_log`.
    """

    @property
    def weights(self) -> np.ndarray: ...
    @property
    def distributions(self) -> Sequence[Any]: ...


def log_density(mixture: Mixture, columns: Sequence[np.ndarray]) -> np.ndarray:
    """The log density at points, given as one column of values for each parameter.

    As in Optuna it is that of the logarithm for parameters with `log`, and a probability for those with a step.
    """
    total = np.log(mixture.weights)[np.newaxis, :]
    for part, values in zip(mixture.distributions, columns, strict=True):
        distinct, places = np.unique(values, return_inverse=True)
        total = total + _log_of_kernels(part, distinct)[places]
    top = total.max(axis=1)
    found: np.ndarray = top + np.log(np.exp(total - top[:, np.newaxis]).sum(axis=1))
    return found


def _log_of_kernels(part: Any, values: np.ndarray) -> np.ndarray:
    """The log density of each kernel (columns) at each value (rows) of one parameter."""
    if hasattr(part, "weights"):
        chosen: np.ndarray = np.log(part.weights).T[values.astype(int)]
        return chosen
    within = normal_cdf((part.adapted_high - part.mu) / part.sigma) - normal_cdf(
        (part.adapted_low - part.mu) / part.sigma
    )
    if part.step:
        low, high = values - part.step / 2, values + part.step / 2
        if part.is_log:
            low, high = np.log(low), np.log(high)
        mass = normal_cdf(_standard(part, high)) - normal_cdf(_standard(part, low))
        inside: np.ndarray = np.log(np.maximum(mass, _LEAST)) - np.log(within)
        return inside
    distance = _standard(part, np.log(values) if part.is_log else values)
    dense: np.ndarray = -0.5 * distance**2 - np.log(part.sigma * within * math.sqrt(2 * math.pi))
    return dense


def _standard(part: Any, values: np.ndarray) -> np.ndarray:
    found: np.ndarray = (values[:, np.newaxis] - part.mu) / part.sigma
    return found


def normal_cdf(values: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, to 2e-8, by linear interpolation."""
    table, slope = _table()
    place = np.clip(values, -_REACH, _REACH - 1.0 / _PER_UNIT) * _PER_UNIT + _REACH * _PER_UNIT
    index = place.astype(np.intp)
    found: np.ndarray = table[index] + (place - index) * slope[index]
    return found


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    count = int(2 * _REACH * _PER_UNIT) + 1
    table = np.array([0.5 * math.erfc((_REACH - place / _PER_UNIT) / math.sqrt(2)) for place in range(count)])
    return table, np.diff(table, append=table[-1])
