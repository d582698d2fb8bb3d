"""Optuna's distributions as domains, told by their class's name, so that optuna is never imported.

The deprecated classes (`UniformDistribution`, `IntLogUniformDistribution`, ...) are subclasses of the three read here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncsweep.space.domains import Categorical, Domain, Float, Int


def _float(distribution: Any) -> Domain:
    return Float(distribution.low, distribution.high, log=distribution.log, step=distribution.step)


def _int(distribution: Any) -> Domain:
    return Int(distribution.low, distribution.high, log=distribution.log, step=distribution.step)


def _categorical(distribution: Any) -> Domain:
    return Categorical(distribution.choices)


_READERS: dict[str, Callable[[Any], Domain]] = {
    "FloatDistribution": _float,
    "IntDistribution": _int,
    "CategoricalDistribution": _categorical,
}


def from_optuna(value: object) -> Domain | None:
    """The domain that an Optuna distribution describes, not yet checked; None when `value` is no such distribution.

    A distribution may allow what a domain does not, such as an infinite bound or a choice twice.
    """
    for kind in type(value).__mro__:
        if kind.__module__.split(".", 1)[0] == "optuna" and kind.__name__ in _READERS:
            return _READERS[kind.__name__](value)
    return None
