"""Objectives that ask for their parameters while they run. Workers import them by name."""

from __future__ import annotations

from typing import Any

import numpy

from asyncsweep.errors import TrialError
from asyncsweep.worker.trial import Trial


def nested(trial: Trial) -> float:
    """A tree of parameters, one of which is asked for twice."""
    if trial.suggest_categorical("kind", ["tree", "line"]) == "tree":
        total = 0
        for level in range(trial.suggest_int("depth", 1, 3)):
            total += trial.suggest_int(f"width_{level}", 1, 8, log=True)
        return float(total)
    slope = trial.suggest_float("slope", 0.5, 2.0, step=0.5)
    assert trial.suggest_float("slope", 0.5, 2.0, step=0.5) == slope
    return slope


def another_domain(trial: Trial) -> float:
    """The second trial asks for one name from two domains."""
    first = trial.suggest_float("x", 0.0, 1.0)
    return first + trial.suggest_float("x", 0.0, 2.0 if trial.number == 1 else 1.0)


def another_kind(trial: Trial) -> float:
    return trial.suggest_float("x", 1.0, 5.0) + trial.suggest_int("x", 1, 5)


def of_the_space(trial: Trial) -> float:
    """`lr` and `layers` are in the space, and asked for all the same; `n` is not."""
    layers = trial.suggest_categorical("layers", [(8,), (8, 8)])
    lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    assert lr == trial.params["lr"]
    assert isinstance(layers, tuple)
    trial.set_user_attr("relative", sorted(trial.relative_params))
    return len(layers) + trial.suggest_int("n", 10, 10)


def outside_of_the_space(trial: Trial) -> float:
    return trial.suggest_float("lr", 2.0, 3.0)


def numbers_of_numpy(trial: Trial) -> float:
    bounds = numpy.array([1, 4])
    n = trial.suggest_int("n", bounds[0], bounds[1], step=numpy.int64(3))
    x = trial.suggest_float("x", numpy.float32(0), bounds.mean(), log=False)
    size = trial.suggest_categorical("size", numpy.array([16, 32]))
    trial.set_user_attr("size", size)
    trial.set_user_attr("scores", [numpy.float32(0.5), numpy.bool_(True)])
    trial.report(numpy.float64(x), numpy.int64(0))
    return numpy.float64(n)


CHOICES: list[Any] = [None, True, 1, 1.0, "1", b"1", [1, [2]], (3, 4), {"a": [None]}]


def odd_choices(trial: Trial) -> float:
    """Each choice comes back as the object that it is."""
    choice = trial.suggest_categorical("choice", CHOICES)
    place = next(place for place, own in enumerate(CHOICES) if own is choice)
    assert trial.suggest_categorical("choice", CHOICES) is choice
    assert trial.suggest_categorical("only", [(1, 2)]) == (1, 2)
    return float(place)


def mends_its_bounds(trial: Trial) -> float:
    """Counts the domains that were refused, and then asks for a good one under the same names."""
    refused = 0
    attempts: list[Any] = [
        lambda: trial.suggest_float("x", 2.0, 1.0),
        lambda: trial.suggest_float("x", 0.0, 1.0, log=True),
        lambda: trial.suggest_float("x", 1.0, 2.0, step=0.5, log=True),
        lambda: trial.suggest_float("x", 0.0, float("nan")),
        lambda: trial.suggest_float("x", 0.0, 1.0, step=0.0),
        lambda: trial.suggest_int("n", 3, 1),
        lambda: trial.suggest_int("n", 0, 5, log=True),
        lambda: trial.suggest_int("n", 1, 5, step=2, log=True),
        lambda: trial.suggest_int("n", 1, 2**70),
        lambda: trial.suggest_categorical("c", []),
        lambda: trial.suggest_categorical("c", ["a", "a"]),
        lambda: trial.suggest_categorical("c", [object()]),
    ]
    for attempt in attempts:
        try:
            attempt()
        except TrialError:
            refused += 1
    trial.suggest_float("x", 1.0, 2.0)
    trial.suggest_int("n", 1, 3)
    trial.suggest_categorical("c", ["a", "b"])
    return float(refused)


def step_that_does_not_divide(trial: Trial) -> float:
    x = trial.suggest_float("x", 0.0, 1.0, step=0.3)
    n = trial.suggest_int("n", 0, 10, step=4)
    return x + n


def constrains(trial: Trial) -> float:
    """Sets a constraint, and another one twice."""
    trial.set_constraint("first", numpy.float32(-0.5))
    trial.set_constraint("second", trial.number)
    trial.set_constraint("second", -1)
    assert trial.constraints == {"first": -0.5, "second": float(trial.number)}
    return 0.0


async def awaits(trial: Trial) -> float:
    """The awaited forms of all that waits."""
    kind = await trial.suggest_categorical_async("kind", [(1,), (1, 2)])
    assert isinstance(kind, tuple)
    x = await trial.suggest_float_async("x", 0.0, 1.0, step=0.25)
    n = await trial.suggest_int_async("n", 1, 8, log=True)
    assert (x, n) == (await trial.suggest_float_async("x", 0.0, 1.0, step=0.25), trial.params["n"])
    trial.report(x, 0)
    await trial.should_prune_async()
    return x + n + len(kind)


def as_awaits(trial: Trial) -> float:
    """What `awaits` does, without waiting."""
    kind = trial.suggest_categorical("kind", [(1,), (1, 2)])
    x = trial.suggest_float("x", 0.0, 1.0, step=0.25)
    n = trial.suggest_int("n", 1, 8, log=True)
    trial.report(x, 0)
    trial.should_prune()
    return x + n + len(kind)
