"""Optuna's sampler of partly fixed parameters, by name."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import TrialRef
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.samplers.named import PartialFixedSampler
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Categorical, Float, Int, Space
from tests.samplers.optuna_driver import one_trial, opened

SPACE = Space({"lr": Float(0.0, 1.0), "depth": Int(1, 16), "layers": Categorical([[8], [8, 8]]), "epochs": 30})


def partial(fixed: dict[str, Any], base: Any = "tpe") -> OptunaStudy:
    return opened(PartialFixedSampler(fixed_params=fixed, base_sampler=base), SPACE)


def refusal(**options: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        opened(PartialFixedSampler(**options), SPACE)
    return str(refused.value)


@pytest.mark.parametrize(
    "base", ["cmaes", {"name": "tpe", "n_startup_trials": 3}, optuna.samplers.RandomSampler(seed=0)], ids=str
)
def test_fixed_parameters_stay_and_the_base_sampler_suggests_the_others(base: Any) -> None:
    study = partial({"lr": 0.125, "layers": (8, 8)}, base)
    asked = [one_trial(study, NopPruner(), n, lambda params: [params["depth"]]).params for n in range(12)]
    assert all((params["lr"], params["layers"], params["epochs"]) == (0.125, [8, 8], 30) for params in asked)
    assert len({params["depth"] for params in asked}) > 3


def test_the_base_sampler_has_the_sweeps_seed() -> None:
    study = partial({"lr": 0.125}, "random")
    assert (
        study.ask(TrialRef(0))["depth"] == opened(OptunaStudy(), Space({"depth": Int(1, 16)})).ask(TrialRef(0))["depth"]
    )


def test_a_resumed_search_keeps_its_fixed_parameters() -> None:
    first, second = partial({"lr": 0.125}), partial({"lr": 0.125})
    for number in range(3):
        second.tell(one_trial(first, NopPruner(), number, lambda params: [params["depth"]]))
    assert second.ask(TrialRef(3))["lr"] == 0.125


def test_a_constant_may_be_repeated_among_the_fixed() -> None:
    assert partial({"epochs": 30, "lr": 0.5}).ask(TrialRef(0))["lr"] == 0.5


def test_parameters_asked_for_while_running_can_be_fixed() -> None:
    study = opened(PartialFixedSampler(fixed_params={"late": 3}, base_sampler="tpe"), Space({}))
    study.ask(TrialRef(0))
    assert study.suggest(TrialRef(0), "late", Int(0, 9)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"fixed_param": {}},
            "sampler.fixed_param: the sampler 'partial-fixed' has no such option (did you mean 'fixed_params'?); "
            "accepted: base_sampler, fixed_params",
        ),
        (
            {"base_sampler": "tpe"},
            "sampler.fixed_params: expected values by the names of parameters, got None",
        ),
        (
            {"fixed_params": {"lr": 0.1}},
            "sampler.base_sampler: expected a name, a mapping with a name, or an Optuna sampler, got None; "
            "names: bruteforce, cmaes, gp, nsgaii, nsgaiii, qmc, random, tpe",
        ),
        (
            {"fixed_params": {"lr": 0.1}, "base_sampler": "tpee"},
            "sampler.base_sampler: Optuna has no sampler 'tpee' (did you mean 'tpe'?); "
            "names: bruteforce, cmaes, gp, nsgaii, nsgaiii, qmc, random, tpe",
        ),
        (
            {"fixed_params": {"lr": 0.1}, "base_sampler": {"name": "cmaes", "popsiz": 4}},
            "sampler.base_sampler.popsiz: the sampler 'cmaes' has no such option (did you mean 'popsize'?)",
        ),
        (
            {"fixed_params": {"lr": 7.0}, "base_sampler": "tpe"},
            "sampler.fixed_params: parameter 'lr': 7.0 (float) is not accepted; give a number from 0.0 to 1.0",
        ),
        (
            {"fixed_params": {"rl": 0.1}, "base_sampler": "tpe"},
            "sampler.fixed_params: parameter 'rl' is unknown",
        ),
        (
            {"fixed_params": {"lr": 0.1}, "base_sampler": "bruteforce"},
            "sampler.base_sampler: 'bruteforce' needs finitely many values of 'lr'",
        ),
    ],
)
def test_a_wrong_option_is_answered_with_its_path_and_what_is_accepted(options: dict[str, Any], message: str) -> None:
    assert refusal(**options).startswith(message)
