"""With one trial at a time and a seed, a sweep equals `optuna.study.optimize`, trial by trial."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy
import optuna
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import asyncsweep as sw

pytestmark = pytest.mark.anyio
# Which loop it is makes no difference to what is suggested, and each run starts a sampler host that imports optuna.
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])

SEED = 7


class Told(NamedTuple):
    """What a trial came to."""

    params: dict[str, Any]
    state: str
    reports: dict[int, float]
    value: float | None


class Problem(NamedTuple):
    """A space, how an Optuna objective suggests from it, and what is reported for its parameters."""

    name: str
    space: dict[str, Any]
    suggest: Callable[[optuna.Trial], dict[str, Any]]
    curve: Callable[[dict[str, Any]], Iterator[float]]
    n_trials: int


@functools.cache
def iris() -> list[numpy.ndarray]:
    data = load_iris()
    split: list[numpy.ndarray] = train_test_split(data.data, data.target, test_size=0.25, random_state=0)
    return split


@functools.cache
def iris_curve(alpha: float) -> list[float]:
    """The validation error after each of 100 epochs of training on Iris."""
    train_x, valid_x, train_y, valid_y = iris()
    model = SGDClassifier(alpha=alpha, random_state=0)
    errors = []
    for _ in range(100):
        model.partial_fit(train_x, train_y, classes=[0, 1, 2])
        errors.append(1.0 - float(numpy.mean(model.predict(valid_x) == valid_y)))
    return errors


def mixed_curve(params: dict[str, Any]) -> Iterator[float]:
    """Ten values that get better and cross between trials."""
    loss = math.log10(params["lr"] / 3e-3) ** 2 + abs(params["depth"] - 5) / 4
    loss += {"sgd": 0.3, "adam": 0.0, "rms": 0.9}[params["opt"]] if "opt" in params else params["x"] ** 2
    for step in range(10):
        yield loss + math.sin(step * (1 + params["depth"])) / (1 + step)


IRIS = Problem(
    "iris",
    {"alpha": sw.Float(1e-5, 1e-1, log=True)},
    lambda trial: {"alpha": trial.suggest_float("alpha", 1e-5, 1e-1, log=True)},
    lambda params: iter(iris_curve(params["alpha"])),
    20,
)
MIXED = Problem(
    "mixed",
    {"lr": sw.Float(1e-5, 1e-1, log=True), "depth": sw.Int(1, 16), "opt": sw.Categorical(["sgd", "adam", "rms"])},
    lambda trial: {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "depth": trial.suggest_int("depth", 1, 16),
        "opt": trial.suggest_categorical("opt", ["sgd", "adam", "rms"]),
    },
    mixed_curve,
    50,
)
# CMA-ES takes no categories; with one it would leave all to its independent sampler.
NUMBERS = Problem(
    "numbers",
    {"lr": sw.Float(1e-5, 1e-1, log=True), "depth": sw.Int(1, 16), "x": sw.Float(-1.0, 1.0, step=0.25)},
    lambda trial: {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "depth": trial.suggest_int("depth", 1, 16),
        "x": trial.suggest_float("x", -1.0, 1.0, step=0.25),
    },
    mixed_curve,
    50,
)
PROBLEMS = {problem.name: problem for problem in (IRIS, MIXED, NUMBERS)}
SAMPLERS: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=SEED),
    "random": lambda: optuna.samplers.RandomSampler(seed=SEED),
    "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=SEED, warn_independent_sampling=False),
}
PRUNERS: dict[str, Callable[[], Any]] = {"our-median": lambda: "median", "optunas-median": optuna.pruners.MedianPruner}


@functools.cache
def plainly(name: str, sampler: str) -> list[Told]:
    """What Optuna does by itself."""
    return plainly_with(PROBLEMS[name], SAMPLERS[sampler](), optuna.pruners.MedianPruner())


def plainly_with(problem: Problem, sampler: Any, pruner: Any) -> list[Told]:
    def objective(trial: optuna.Trial) -> float:
        value = math.nan
        for step, value in enumerate(problem.curve(problem.suggest(trial))):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    # Hyperband draws a trial's bracket from the study's name.
    study = optuna.create_study(sampler=sampler, pruner=pruner, study_name=f"asyncsweep-{SEED}")
    study.optimize(objective, n_trials=problem.n_trials)
    return [Told(t.params, t.state.name, t.intermediate_values, t.value) for t in study.trials]


async def swept(problem: Problem, sampler: Any, pruner: Any) -> list[Told]:
    """What our sweep does."""

    async def objective(trial: Any) -> float:
        value = math.nan
        for step, value in enumerate(problem.curve(trial.params)):
            trial.report(value, step)
            if await trial.should_prune_async():
                raise sw.TrialPruned
        return value

    sweep = sw.Sweep(
        objective, problem.space, sampler=sampler, pruner=pruner, n_trials=problem.n_trials, concurrency=1, seed=SEED
    )
    result = await sweep.run()
    return [Told(t.params, t.state.value, dict(t.reports), t.value) for t in result.trials]


@pytest.fixture(autouse=True)
def optuna_is_quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


@on_asyncio
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", SAMPLERS)
async def test_the_iris_sweep_equals_plain_optuna(sampler: str, pruner: str) -> None:
    assert await swept(IRIS, SAMPLERS[sampler](), PRUNERS[pruner]()) == plainly("iris", sampler)


@on_asyncio
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize(("sampler", "problem"), [("tpe", MIXED), ("random", MIXED), ("cmaes", NUMBERS)])
async def test_a_sweep_of_three_mixed_parameters_equals_plain_optuna(
    sampler: str, problem: Problem, pruner: str
) -> None:
    assert await swept(problem, SAMPLERS[sampler](), PRUNERS[pruner]()) == plainly(problem.name, sampler)


@on_trio
@pytest.mark.parametrize(("sampler", "problem"), [("tpe", IRIS), ("tpe", MIXED)], ids=["iris", "mixed"])
async def test_a_sampler_by_name_equals_optunas_with_the_sweeps_seed(sampler: str, problem: Problem) -> None:
    assert await swept(problem, sampler, "median") == plainly(problem.name, sampler)


@on_asyncio
@pytest.mark.parametrize("max_resource", ["auto", 10])
@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
async def test_optunas_samplers_beside_our_hyperband_do_what_they_do_beside_optunas(
    sampler: str, max_resource: Any
) -> None:
    pruner = optuna.pruners.HyperbandPruner(max_resource=max_resource)
    expected = plainly_with(NUMBERS, SAMPLERS[sampler](), pruner)
    ours = {"name": "hyperband", "max_resource": max_resource}
    assert await swept(NUMBERS, {"name": sampler, "host": "inline"}, ours) == expected
    assert [told.state for told in expected].count("PRUNED") >= 3


@pytest.mark.parametrize("problem", [IRIS, MIXED, NUMBERS], ids=["iris", "mixed", "numbers"])
def test_the_problems_have_pruned_and_complete_trials(problem: Problem) -> None:
    states = [told.state for told in plainly(problem.name, "tpe")]
    assert states.count("PRUNED") >= 3 and states.count("COMPLETE") >= 3


@on_trio
async def test_an_optuna_objective_in_a_worker_process_equals_plain_optuna() -> None:
    """Unmodified: it suggests by itself, and raises Optuna's `TrialPruned`."""

    def objective(trial: Any) -> float:
        value = 0.0
        lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        depth = trial.suggest_int("depth", 1, 16)
        for step in range(10):
            value = abs(math.log10(lr) + 3) + abs(depth - 5) / 4 + math.sin(step * depth) / (1 + step)
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=SEED, n_startup_trials=5), pruner=optuna.pruners.MedianPruner()
    )
    study.optimize(objective, n_trials=25)
    result = await sw.Sweep(
        objective,
        {},
        sampler=sw.sampler("tpe", n_startup_trials=5),
        pruner=optuna.pruners.MedianPruner(),
        executor="process",
        n_trials=25,
        seed=SEED,
    ).run()
    assert [Told(t.params, t.state.value, dict(t.reports), t.value) for t in result.trials] == [
        Told(t.params, t.state.name, t.intermediate_values, t.value) for t in study.trials
    ]
