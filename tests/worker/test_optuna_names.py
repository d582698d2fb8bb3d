"""What an objective written for Optuna touches on its trial is there, under the same name and with the same arguments."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy
import optuna
import pytest

from asyncsweep.errors import TrialError
from asyncsweep.worker.trial import Trial

# What Optuna's trial has and ours lacks, each with a part of the reason that the error gives.
LEFT_OUT = {
    "study": "there is no study beside the objective",
    "storage": "what is stored is written by the sweep",
    "relative_search_space": "only the sampler knows it",
}
# What ours has beyond Optuna's.
OURS = {
    "checkpoint_dir",
    "attempt",
    "dir",
    "report_or_prune",
    "save",
    "should_prune_async",
    "suggest_categorical_async",
    "suggest_float_async",
    "suggest_int_async",
}


class Port:
    """Gives the lower bound, or the last choice as it comes over a link."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.constraints: list[tuple[str, float]] = []

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        self.asked.append(name)
        if domain["type"] != "categorical" and domain["low"] > domain["high"]:
            raise TrialError("the wrong way round")
        return domain["low"] if "low" in domain else domain["choices"][-1]

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return self.suggest(name, domain)

    def set_constraint(self, name: str, value: float) -> None:
        self.constraints.append((name, value))

    def set_attr(self, key: str, value: Any) -> None:
        pass


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def trial(port: Port) -> Trial:
    return Trial(port, 4, 1, {}, ("value",), None)  # type: ignore[arg-type]  # it is asked for no verdict here


@pytest.fixture
def optunas() -> Iterator[optuna.Trial]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield optuna.create_study().ask()
    optuna.logging.set_verbosity(before)


def public(trial: Any) -> set[str]:
    return {name for name in (*dir(type(trial)), *vars(trial)) if not name.startswith("_")}


def test_every_public_name_of_optunas_trial_is_here_but_for_those_left_out(trial: Trial, optunas: optuna.Trial) -> None:
    assert public(optunas) - public(trial) == LEFT_OUT.keys()


def test_every_public_name_beyond_optunas_is_known(trial: Trial, optunas: optuna.Trial) -> None:
    assert public(trial) - public(optunas) == OURS


@pytest.mark.parametrize(("name", "why"), LEFT_OUT.items())
def test_what_is_left_out_says_why(trial: Trial, name: str, why: str) -> None:
    with pytest.raises(AttributeError, match=f"^'Trial' object has no attribute '{name}': {why}"):
        getattr(trial, name)


def test_a_misspelt_name_is_a_plain_attribute_error(trial: Trial) -> None:
    with pytest.raises(AttributeError, match=r"^'Trial' object has no attribute 'suggest_flaot'$"):
        trial.suggest_flaot  # noqa: B018  # the look-up is the test


METHODS = [name for name, _ in inspect.getmembers(optuna.Trial, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_the_arguments_of_optunas(name: str) -> None:
    def arguments(method: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.kind) for p in inspect.signature(method).parameters.values()]

    assert arguments(getattr(Trial, name)) == arguments(getattr(optuna.Trial, name))


@pytest.mark.parametrize(
    ("call", "domain"),
    [
        (lambda trial: trial.suggest_uniform("x", 1, 2), ("FloatDistribution", 1.0, 2.0, False, None)),
        (lambda trial: trial.suggest_loguniform("x", 1, 2), ("FloatDistribution", 1.0, 2.0, True, None)),
        (lambda trial: trial.suggest_discrete_uniform("x", 1, 2, 0.5), ("FloatDistribution", 1.0, 2.0, False, 0.5)),
    ],
    ids=["uniform", "loguniform", "discrete_uniform"],
)
def test_a_deprecated_form_warns_as_optuna_does_and_works(trial: Trial, call: Any, domain: Any) -> None:
    with pytest.warns(FutureWarning, match="is deprecated, in Optuna too: use suggest_float") as warned:
        assert call(trial) == 1.0
    asked = trial.distributions["x"]
    assert ((type(asked).__name__, *asked), warned[0].filename) == (domain, __file__)


@pytest.mark.parametrize("choice", [(50, 50), None, True, numpy.int64(3), [1, [2]], "rbf"], ids=repr)
def test_a_choice_is_the_objectives_own_object(trial: Trial, choice: Any) -> None:
    assert trial.suggest_categorical("c", ["other", choice]) is choice
    assert trial.params["c"] is choice


def test_a_choice_that_the_objective_changed_is_given_again(trial: Trial) -> None:
    first = trial.suggest_categorical("c", [[1]])
    first.append(object())
    assert trial.suggest_categorical("c", [[1]]) is first


def test_a_suggestion_that_failed_may_be_asked_for_anew(trial: Trial) -> None:
    with pytest.raises(TrialError):
        trial.suggest_float("x", 2, 1)
    assert trial.suggest_float("x", 1, 2) == 1.0
    assert trial.distributions["x"].low == 1.0


def test_the_parameters_of_the_space_are_the_relative_ones(port: Port) -> None:
    trial = Trial(port, 0, 1, {"lr": 0.1}, ("value",), None)  # type: ignore[arg-type]
    trial.suggest_int("n", 1, 5)
    assert (trial.relative_params, trial.params) == ({"lr": 0.1}, {"lr": 0.1, "n": 1})


def test_a_parameter_of_the_space_has_a_distribution_once_it_is_asked_for(port: Port) -> None:
    trial = Trial(port, 0, 1, {"lr": 0.1, "n": 2}, ("value",), None)  # type: ignore[arg-type]
    trial.suggest_float("lr", 0, 1)
    assert (list(trial.distributions), port.asked) == (["lr"], [])


def test_the_start_is_a_local_time_without_a_zone(trial: Trial) -> None:
    assert trial.datetime_start.tzinfo is None
    assert abs((datetime.now() - trial.datetime_start).total_seconds()) < 60


# -- constraints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, 0.5, True, "2.5", numpy.float32(0.5), math.inf, "inf"])
def test_a_constraint_is_cast_as_optuna_casts_it(port: Port, trial: Trial, optunas: optuna.Trial, value: Any) -> None:
    trial.set_constraint("c", value)
    optunas.set_constraint("c", value)
    assert trial.constraints == optunas.constraints == dict(port.constraints)
    assert type(trial.constraints["c"]) is float


@pytest.mark.parametrize("value", [None, "high", [1.0], math.nan, "nan", 10**400], ids=lambda value: f"{value!r:.8}")
def test_what_optuna_refuses_as_a_constraint_is_refused_alike(
    port: Port, trial: Trial, optunas: optuna.Trial, value: Any
) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)) as theirs:
        optunas.set_constraint("c", value)
    with pytest.raises(theirs.type, match=r"set_constraint\('c'\)"):
        trial.set_constraint("c", value)
    assert (trial.constraints, port.constraints) == ({}, [])


@pytest.mark.parametrize("name", [None, 5, ""])
def test_the_name_of_a_constraint_becomes_a_text_as_in_optuna(trial: Trial, optunas: optuna.Trial, name: Any) -> None:
    trial.set_constraint(name, 0.0)
    optunas.set_constraint(name, 0.0)
    assert trial.constraints == optunas.constraints


@pytest.mark.parametrize("name", ["c" * 1001, "\ud800"], ids=["long", "surrogate"])
def test_a_constraint_whose_name_cannot_be_stored_is_refused(port: Port, trial: Trial, name: str) -> None:
    with pytest.raises(ValueError, match="set_constraint"):
        trial.set_constraint(name, 0.0)
    assert port.constraints == []


def test_the_first_value_of_a_constraint_stands_and_the_second_is_warned_of(
    port: Port, trial: Trial, optunas: optuna.Trial
) -> None:
    for one in (trial, optunas):
        one.set_constraint("c", 1.0)
        with pytest.warns(UserWarning, match="ignored"):
            one.set_constraint("c", -1.0)
    assert trial.constraints == optunas.constraints == {"c": 1.0}
    assert port.constraints == [("c", 1.0)]


def test_what_is_given_out_cannot_change_the_trial(trial: Trial) -> None:
    trial.set_constraint("c", 1.0)
    trial.constraints["c"] = -1.0
    trial.relative_params["x"] = 1.0
    assert (trial.constraints, trial.params) == ({"c": 1.0}, {})


def test_the_trial_never_imports_optuna() -> None:
    code = """
import sys
from asyncsweep.worker.trial import Trial
trial = Trial(None, 0, 1, {"x": 0.5}, ("value",), None)
trial.suggest_float("x", 0, 1), trial.distributions, trial.datetime_start, hasattr(trial, "study")
print({"optuna", "numpy", "msgspec"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "set()\n", done.stderr
