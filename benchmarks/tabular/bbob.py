"""The noiseless BBOB functions, from the package `coco-experiment`: their optima are known."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from random import Random
from statistics import median
from typing import Any

from asyncsweep import Float
from asyncsweep.testing import Curve

_POINTS = 1_000
_LIMIT = 5.0


class NotInstalled(ImportError):
    """The package is missing; the message says how to get it."""


def suite() -> Any:
    """The package.

    Raises:
        NotInstalled: It is not there.
    """
    try:
        return importlib.import_module("cocoex")
    except ImportError as error:
        raise NotInstalled("the BBOB functions are in a package: pip install 'coco-experiment>=2.8.2,<3'") from error


class Function:
    """One instance of one function.

    A trial takes between half a second and one and a half, drawn from its parameters, so that trials end in another order than
    they begin in.
    """

    def __init__(self, number: int, dimension: int, instance: int) -> None:
        problem = suite().BareProblem("bbob", number, dimension, instance)
        self._call: Callable[[list[float]], float] = problem
        self._best: float = problem.best_value()
        self.space = {f"x{axis}": Float(-_LIMIT, _LIMIT) for axis in range(dimension)}
        random = Random(0)
        points = [[random.uniform(-_LIMIT, _LIMIT) for _ in range(dimension)] for _ in range(_POINTS)]
        self._median: float = median(self._call(point) for point in points)

    def __call__(self, params: dict[str, Any]) -> Curve:
        point = [params[name] for name in self.space]
        return Curve(step_s=[Random(repr(point)).uniform(0.5, 1.5)], value=float(self._call(point)))

    def regret(self, value: float) -> float:
        """How far a value is from the best one, in units of the way from the median of random points to the best."""
        return (value - self._best) / (self._median - self._best)


@functools.cache
def function(number: int, dimension: int, instance: int) -> Function:
    """A function, made once."""
    return Function(number, dimension, instance)
