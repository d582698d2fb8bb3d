"""Sweeps with several directions, from the sampler to the front."""

from __future__ import annotations

import functools
import math
import random
import time
from collections.abc import Callable
from typing import Any

import anyio
import numpy
import optuna
import pytest
from optuna._hypervolume.wfg import compute_hypervolume
from optuna.study._multi_objective import _is_pareto_front

import asyncsweep as sw
from asyncsweep import fronts

SEED = 7
TWO: dict[str, Any] = {"cost": "minimize", "error": "minimize"}
THREE: dict[str, Any] = {"a": "minimize", "b": "minimize", "c": "maximize"}
REFERENCE = (1.1, 10.0)  # for `zdt1`, whose values are at most 1 and 10
ZDT1_SPACE = {f"x{place}": sw.Float(0.0, 1.0) for place in range(5)}
SPHERE_SPACE = {f"x{place}": sw.Float(0.0, 1.0) for place in range(4)}


def zdt1(params: dict[str, float]) -> tuple[float, float]:
    """The first problem of Zitzler, Deb and Thiele (2000): its front is where all but the first parameter are 0."""
    first, *others = params.values()
    distance = 1.0 + 9.0 * sum(others) / len(others)
    return first, distance * (1.0 - math.sqrt(first / distance))


def spheres(params: dict[str, float]) -> tuple[float, float, float]:
    """Distances to three corners; the last is given as closeness."""
    values = list(params.values())
    corners = ([0.0] * 4, [1.0] * 4, [0.0, 1.0] * 2)
    near, far, third = (math.dist(values, corner) for corner in corners)
    return near, far, -third


async def zdt1_objective(trial: Any) -> tuple[float, float]:
    return zdt1(trial.params)


async def spheres_objective(trial: Any) -> tuple[float, float, float]:
    return spheres(trial.params)


SAMPLERS: dict[str, dict[str, Any]] = {
    "nsgaii": {"name": "nsgaii", "population_size": 10, "host": "inline"},
    "nsgaiii": {"name": "nsgaiii", "population_size": 10, "host": "inline"},
    "tpe": {"name": "tpe", "n_startup_trials": 20, "host": "inline"},
}


def two_directions(sampler: Any, seed: int, n_trials: int = 100) -> sw.Sweep:
    return sw.Sweep(zdt1_objective, ZDT1_SPACE, direction=TWO, sampler=sampler, n_trials=n_trials, seed=seed)


@functools.cache
def random_hypervolumes() -> list[float]:
    """What random search finds of `zdt1`, by seed."""
    return [anyio.run(two_directions("random", seed).run).hypervolume(REFERENCE) for seed in range(10)]


@pytest.mark.timeout(150)  # ten sampler hosts, each of which imports optuna
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_with_two_directions_the_front_is_better_than_at_random(sampler: str) -> None:
    found: dict[int, float] = {}

    async def sweep(seed: int) -> None:
        found[seed] = (await two_directions(SAMPLERS[sampler], seed).run()).hypervolume(REFERENCE)

    async def sweeps() -> None:
        async with anyio.create_task_group() as group:
            for seed in range(10):
                group.start_soon(sweep, seed)

    anyio.run(sweeps)
    assert sum(found[seed] > random_hypervolumes()[seed] for seed in range(10)) >= 8


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_with_three_directions_no_trial_of_the_front_is_dominated(sampler: str) -> None:
    sweep = sw.Sweep(
        spheres_objective,
        SPHERE_SPACE,
        direction=THREE,
        sampler=SAMPLERS[sampler],
        n_trials=60,
        concurrency=4,
        seed=SEED,
    )
    result = anyio.run(sweep.run)
    points = {trial.number: (trial.metrics["a"], trial.metrics["b"], -trial.metrics["c"]) for trial in result.trials}
    front = [
        number
        for number, point in points.items()
        if not any(other != point and all(map(float.__le__, other, point)) for other in points.values())
    ]
    assert [trial.number for trial in result.best_trials] == front
    assert len(points) == 60 and len(front) >= 5 and 0.0 < result.hypervolume((2.0, 2.0, -2.0)) < 16.0


@functools.cache
def plainly(sampler: str) -> list[tuple[dict[str, Any], list[float]]]:
    """What Optuna does by itself."""
    built: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "nsgaii": lambda: optuna.samplers.NSGAIISampler(population_size=10, seed=SEED),
        "nsgaiii": lambda: optuna.samplers.NSGAIIISampler(population_size=10, seed=SEED),
        "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=20, seed=SEED),
    }

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        return zdt1({name: trial.suggest_float(name, 0.0, 1.0) for name in ZDT1_SPACE})

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(directions=list(TWO.values()), sampler=built[sampler]())
        study.optimize(objective, n_trials=50)
    finally:
        optuna.logging.set_verbosity(before)
    return [(trial.params, trial.values) for trial in study.trials]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_trial_at_a_time_equals_plain_optuna(sampler: str) -> None:
    result = anyio.run(two_directions(SAMPLERS[sampler], SEED, n_trials=50).run)
    assert [(trial.params, list(trial.metric_values)) for trial in result.trials] == plainly(sampler)


def test_a_mapping_names_the_metrics_in_any_order() -> None:
    async def objective(trial: Any) -> dict[str, float]:
        cost, error = zdt1(trial.params)
        return {"extra": 1.0, "error": error, "cost": cost}

    named = sw.Sweep(objective, ZDT1_SPACE, direction=TWO, sampler="random", n_trials=20, seed=SEED)
    by_tuple = two_directions("random", SEED, n_trials=20)
    fronts_found = [
        [(trial.number, trial.metric_values[:2]) for trial in anyio.run(sweep.run).best_trials]
        for sweep in (named, by_tuple)
    ]
    assert fronts_found[0] == fronts_found[1]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_constraints_are_honoured_and_the_front_is_feasible(sampler: str) -> None:
    async def objective(trial: Any) -> tuple[float, float]:
        trial.set_constraint("first", 0.5 - trial.params["x0"])
        return zdt1(trial.params)

    sweep = sw.Sweep(objective, ZDT1_SPACE, direction=TWO, sampler=SAMPLERS[sampler], n_trials=80, seed=SEED)
    result = anyio.run(sweep.run)
    feasible = [trial.is_feasible for trial in result.trials]
    assert [trial.params["x0"] >= 0.5 for trial in result.trials] == feasible
    assert result.best_trials and all(trial.is_feasible for trial in result.best_trials)
    assert sum(feasible[40:]) >= 30  # by chance it is half of them


def test_a_tuple_of_another_length_fails_that_trial() -> None:
    async def objective(trial: Any) -> tuple[float, ...]:
        return (1.0,) * (1 + trial.number)

    sweep = sw.Sweep(objective, ZDT1_SPACE, direction=TWO, sampler="random", n_trials=3, seed=SEED)
    assert [trial.state.value for trial in anyio.run(sweep.run).trials] == ["FAILED", "COMPLETE", "FAILED"]


def scattered(rng: random.Random, n: int, width: int, *, ties: bool) -> list[tuple[float, ...]]:
    value = (lambda: rng.randint(0, 6) / 6) if ties else rng.random
    return [tuple(value() for _ in range(width)) for _ in range(n)]


@pytest.mark.parametrize("ties", [False, True], ids=["apart", "ties"])
@pytest.mark.parametrize("width", range(1, 7))
def test_the_hypervolume_equals_optunas(width: int, ties: bool) -> None:
    rng = random.Random(width)
    for _ in range(20):
        points = scattered(rng, rng.randint(1, 40 if width < 5 else 15), width, ties=ties)
        reference = (rng.choice([1.0, 1.1]),) * width
        expected = compute_hypervolume(numpy.array(points), numpy.array(reference))
        assert fronts.hypervolume(points, reference) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True], ids=["apart", "ties"])
@pytest.mark.parametrize("width", range(1, 7))
def test_the_front_of_points_equals_optunas(width: int, ties: bool) -> None:
    rng = random.Random(width)
    for _ in range(20):
        points = scattered(rng, 60, width, ties=ties)
        front = fronts.front(points)
        assert [point in front for point in points] == list(_is_pareto_front(numpy.array(points), False))


@pytest.mark.parametrize(("width", "volume"), [(2, math.pi / 4), (3, math.pi / 6)])
def test_a_hundred_thousand_points_on_a_front_take_seconds(width: int, volume: float) -> None:
    """They lie on a sphere, of which they dominate an eighth (in the plane: a quarter of the circle)."""
    rng = random.Random(0)
    points = []
    for _ in range(100_000):
        values = [abs(rng.gauss(0, 1)) for _ in range(width)]
        points.append(tuple(1 - value / math.hypot(*values) for value in values))
    started = time.process_time()
    assert len(fronts.front(points)) == 100_000
    assert fronts.hypervolume(points, (1.0,) * width) == pytest.approx(volume, rel=0.01)
    assert time.process_time() - started < 20  # it takes about one
