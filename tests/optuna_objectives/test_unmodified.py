"""Objectives written for Optuna run unmodified, and come to the same: trial by trial, in worker processes and in threads."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import optuna
import pytest

import asyncsweep as sw
from tests.optuna_objectives import objectives

pytestmark = pytest.mark.anyio

SEED = 11


class Told(NamedTuple):
    """What a trial came to."""

    state: str
    params: dict[str, Any]
    values: list[float] | None
    reports: dict[int, float]
    attrs: dict[str, Any]
    constraints: dict[str, float]


class Problem(NamedTuple):
    """An objective, its directions by name, and how many trials it takes to see the sampler and the pruner at work."""

    objective: Callable[[optuna.Trial], Any]
    direction: dict[str, Any]
    n_trials: int


PROBLEMS = {
    "sklearn-simple": Problem(objectives.sklearn_simple, {"value": "maximize"}, 20),
    "sklearn-pruned": Problem(objectives.sklearn_pruned, {"value": "minimize"}, 25),
    "two-classifiers": Problem(objectives.two_classifiers, {"value": "maximize"}, 25),
    "error-and-size": Problem(objectives.error_and_size, {"error": "minimize", "size": "minimize"}, 20),
    "torch-mlp": Problem(objectives.torch_mlp, {"value": "maximize"}, 20),
    "constrained": Problem(objectives.constrained, {"value": "minimize"}, 25),
}
IN_PROCESSES = ("sklearn-pruned", "constrained")
EACH = pytest.mark.parametrize("problem", PROBLEMS)


@pytest.fixture(autouse=True)
def torch_is_there(request: pytest.FixtureRequest) -> None:
    """The problem with torch is left out where there is none, but not in CI, where it would be missed by nobody."""
    parameters = getattr(request.node, "callspec", None)
    if parameters is None or parameters.params.get("problem") != "torch-mlp":
        return
    if importlib.util.find_spec("torch") is None and os.environ.get("CI") != "true":
        pytest.skip("torch is not installed")


@pytest.fixture(autouse=True)
def optuna_is_quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


@functools.cache
def plainly(name: str) -> list[Told]:
    """What Optuna does by itself."""
    problem = PROBLEMS[name]
    study = optuna.create_study(
        study_name=name,
        directions=list(problem.direction.values()),
        sampler=optuna.samplers.TPESampler(seed=SEED),
        pruner=optuna.pruners.MedianPruner(),
    )
    study.optimize(problem.objective, n_trials=problem.n_trials)
    return [
        Told(t.state.name, t.params, t.values, t.intermediate_values, t.user_attrs, t.constraints) for t in study.trials
    ]


async def swept(name: str, executor: str) -> list[Told]:
    """What our sweep does with the same objective."""
    problem = PROBLEMS[name]
    result = await sw.Sweep(
        problem.objective,
        {},
        direction=problem.direction,
        sampler={"name": "tpe"},
        pruner="median" if len(problem.direction) == 1 else None,
        executor=executor,
        n_trials=problem.n_trials,
        concurrency=1,
        seed=SEED,
    ).run()
    assert [str(trial.error) for trial in result.trials if trial.error] == []
    return [
        Told(
            str(t.state),
            t.params,
            [t.metrics[metric] for metric in problem.direction] if t.metrics else None,
            dict(t.reports),
            t.user_attrs,
            t.constraints or {},
        )
        for t in result.trials
    ]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@EACH
async def test_an_optuna_objective_comes_to_the_same_in_threads(problem: str) -> None:
    assert await swept(problem, "thread") == plainly(problem)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    "problem",
    # A worker takes seconds to import scikit-learn or torch: here one with reports and one with constraints.
    [pytest.param(name, marks=[] if name in IN_PROCESSES else [pytest.mark.deep]) for name in PROBLEMS],
)
async def test_an_optuna_objective_comes_to_the_same_in_worker_processes(problem: str) -> None:
    assert await swept(problem, "process") == plainly(problem)


@EACH
def test_the_sampler_has_more_to_go_by_than_its_first_random_trials(problem: str) -> None:
    assert [told.state for told in plainly(problem)].count("COMPLETE") >= 10


@pytest.mark.parametrize("problem", ["sklearn-pruned", "torch-mlp"])
def test_the_problems_with_reports_have_pruned_trials(problem: str) -> None:
    assert [told.state for told in plainly(problem)].count("PRUNED") >= 3


def test_the_two_classifiers_have_different_parameters() -> None:
    assert len({tuple(told.params) for told in plainly("two-classifiers")}) == 3


def test_the_constrained_problem_has_trials_on_both_sides() -> None:
    feasible = [told.attrs["feasible"][0] for told in plainly("constrained")]
    assert feasible.count(True) >= 3 and feasible.count(False) >= 3
