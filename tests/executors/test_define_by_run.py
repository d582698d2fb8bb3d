"""Parameters that an objective asks for while it runs, and what it says beyond them: the same from every executor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.worker.trial import Trial
from tests.executors import define_by_run as objectives
from tests.leaks import nothing_left

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

EVERYWHERE = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


class OnTheLoop:
    """A plain objective as `async def`: a native sampler answers at once, so nothing has to wait."""

    def __init__(self, objective: Callable[[Trial], float]) -> None:
        self._objective = objective

    async def __call__(self, trial: Trial) -> float:
        return self._objective(trial)


async def sweep(objective: Any, executor: str, space: dict[str, Any] | None = None, **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "n_trials": 3, "seed": 1, "grace_s": 0.2, **settings}
    found = OnTheLoop(objective) if executor == "inline" else objective
    async with nothing_left():
        return await sw.Sweep(found, space or {}, executor=executor, **settings).run()


@functools.cache
def names_of(kind: str, depth: int) -> list[str]:
    if kind == "line":
        return ["kind", "slope"]
    return ["kind", "depth", *(f"width_{level}" for level in range(depth))]


@EVERYWHERE
async def test_a_trial_has_the_parameters_of_the_branch_that_it_took(executor: str) -> None:
    result = await sweep(objectives.nested, executor, n_trials=12)
    taken = [list(trial.params) for trial in result.trials]
    assert taken == [names_of(t.params["kind"], t.params.get("depth", 0)) for t in result.trials]
    assert len({tuple(names) for names in taken}) > 2


@EVERYWHERE
async def test_another_domain_under_the_same_name_fails_that_trial_alone(executor: str) -> None:
    result = await sweep(objectives.another_domain, executor)
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE", "FAILED", "COMPLETE"]
    error = str(result.trials[1].error)
    assert (
        error.startswith("TrialError: 'x' was suggested from ")
        and "Float(0.0, 1.0)" in error
        and "Float(0.0, 2.0)" in error
    )


@EVERYWHERE
async def test_another_kind_under_the_same_name_fails_the_trial(executor: str) -> None:
    result = await sweep(objectives.another_kind, executor, n_trials=1)
    assert "was suggested from Float(1.0, 5.0) and is now asked for from Int(1, 5)" in str(result.trials[0].error)


@EVERYWHERE
async def test_a_parameter_of_the_space_may_be_asked_for(executor: str) -> None:
    space = {"lr": sw.Float(1e-4, 1.0, log=True), "layers": sw.Categorical([(8, 8)])}
    result = await sweep(objectives.of_the_space, executor, space)
    for trial in result.trials:
        assert (trial.value, list(trial.params), trial.params["layers"]) == (12.0, ["lr", "layers", "n"], [8, 8])
        assert trial.user_attrs == {"relative": ["layers", "lr"]}


@EVERYWHERE
async def test_a_parameter_of_the_space_outside_of_the_asked_bounds_fails_the_trial(executor: str) -> None:
    result = await sweep(objectives.outside_of_the_space, executor, {"lr": sw.Float(0.0, 1.0)}, n_trials=1)
    assert "which is not in the domain that is asked for" in str(result.trials[0].error)


@EVERYWHERE
async def test_numbers_of_numpy_are_taken_everywhere(executor: str) -> None:
    result = await sweep(objectives.numbers_of_numpy, executor, n_trials=6)
    assert {trial.value for trial in result.trials} == {1.0, 4.0}
    for trial in result.trials:
        assert {name: type(value) for name, value in trial.params.items()} == {"n": int, "x": float, "size": int}
        assert repr(trial.user_attrs) == repr({"size": trial.params["size"], "scores": [0.5, True]})


@EVERYWHERE
async def test_a_choice_comes_back_as_the_object_that_it_is(executor: str) -> None:
    result = await sweep(objectives.odd_choices, executor, n_trials=60)
    assert {trial.value for trial in result.trials} == set(map(float, range(len(objectives.CHOICES))))
    stored = [None, True, 1, 1.0, "1", b"1", [1, [2]], [3, 4], {"a": [None]}]
    for trial in result.trials:
        assert trial.value is not None
        assert repr(trial.params) == repr({"choice": stored[int(trial.value)], "only": [1, 2]})


@EVERYWHERE
async def test_a_refused_domain_may_be_mended_by_the_objective(executor: str) -> None:
    result = await sweep(objectives.mends_its_bounds, executor, n_trials=1)
    assert (result.trials[0].value, list(result.trials[0].params)) == (12.0, ["x", "n", "c"])


@EVERYWHERE
@pytest.mark.filterwarnings("ignore:.*does not divide the range")
async def test_a_range_ends_at_the_last_point_of_its_step(executor: str) -> None:
    result = await sweep(objectives.step_that_does_not_divide, executor, n_trials=30)
    assert {round(trial.params["x"], 9) for trial in result.trials} == {0.0, 0.3, 0.6, 0.9}
    assert {trial.params["n"] for trial in result.trials} == {0, 4, 8}


@EVERYWHERE
@pytest.mark.filterwarnings("ignore:.*is ignored")
async def test_the_first_value_of_a_constraint_is_in_the_record(executor: str) -> None:
    result = await sweep(objectives.constrains, executor)
    assert [trial.constraints for trial in result.trials] == [{"first": -0.5, "second": n} for n in (0.0, 1.0, 2.0)]
    assert [trial.is_feasible for trial in result.trials] == [True, False, False]


# -- inline, with a sampler in another process -------------------------------------------------------------------------


async def test_the_awaited_forms_come_to_what_the_plain_ones_come_to() -> None:
    there = await sweep(objectives.as_awaits, "process", sampler="tpe", n_trials=12)
    async with nothing_left():
        here = await sw.Sweep(objectives.awaits, {}, sampler="tpe", n_trials=12, seed=1).run()
    assert [(t.params, t.value) for t in here.trials] == [(t.params, t.value) for t in there.trials]
    assert here.counts[sw.State.COMPLETE] == 12


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda trial: trial.suggest_float("p", 0, 1), "suggest_float"),
        (lambda trial: trial.suggest_int("p", 0, 1), "suggest_int"),
        (lambda trial: trial.suggest_categorical("p", [1, 2]), "suggest_categorical"),
    ],
)
async def test_a_plain_form_that_would_have_to_wait_names_the_awaited_one(call: Any, name: str) -> None:
    result = await sweep(call, "inline", sampler="tpe", n_trials=1)
    error = str(result.trials[0].error)
    assert error.startswith(f"TrialError: trial.{name}() cannot wait") and f"`await trial.{name}_async()`" in error


async def test_an_objective_may_await_what_the_plain_form_could_not_give() -> None:
    async def objective(trial: Any) -> float:
        with pytest.raises(sw.TrialError):
            trial.suggest_float("p", 0, 1)
        return float(await trial.suggest_float_async("p", 0, 1))

    async with nothing_left():
        result = await sw.Sweep(objective, {}, sampler="tpe", n_trials=2, seed=1).run()
    assert [trial.value for trial in result.trials] == [trial.params["p"] for trial in result.trials]
