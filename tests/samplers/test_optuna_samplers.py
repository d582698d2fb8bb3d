"""Each of Optuna's samplers makes with us, one trial at a time, the search that it makes alone."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import optuna
import pytest

from asyncsweep.core.records import Direction
from asyncsweep.hooks.contracts import Params, TrialRef
from asyncsweep.samplers import named
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Float, Int, Space
from tests.samplers.optuna_driver import final

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
SPACE = Space({"x": Float(-1.0, 1.0), "n": Int(0, 7)})
GRID = Space({"x": Float(-1.0, 1.0, step=0.5), "n": Int(0, 3)})
ONE: dict[str, Direction] = {"loss": "minimize"}
TWO: dict[str, Direction] = {"loss": "minimize", "gain": "maximize"}
SEED = 4


def metrics(params: Params) -> dict[str, float]:
    return {"loss": (params["x"] - 0.3) ** 2 + params["n"] / 4, "gain": params["x"] + params["n"] / 7}


def theirs(
    sampler: optuna.samplers.BaseSampler, space: Space, directions: dict[str, Direction], n_trials: int
) -> list[Params]:
    study = optuna.create_study(sampler=sampler, directions=list(directions.values()))
    high, step = (3, 0.5) if space is GRID else (7, None)

    def objective(trial: optuna.Trial) -> list[float]:
        params = {"x": trial.suggest_float("x", -1.0, 1.0, step=step), "n": trial.suggest_int("n", 0, high)}
        return [metrics(params)[name] for name in directions]

    study.optimize(objective, n_trials=n_trials)
    return [trial.params for trial in study.trials]


def ours(study: OptunaStudy, space: Space, directions: dict[str, Direction], n_trials: int) -> list[Params]:
    study.open(space, directions, SEED)
    asked = []
    for number in range(n_trials):
        params = study.ask(TrialRef(number))
        study.tell(final(number, params, [], attrs=study.attrs(number), metrics=metrics(params)))
        asked.append(params)
    return asked


Case = tuple[Callable[[], OptunaStudy], Callable[[], optuna.samplers.BaseSampler], Space, dict[str, Direction], int]
CASES: dict[str, Case] = {
    "gp": (
        lambda: named.GPSampler(n_startup_trials=4),
        lambda: optuna.samplers.GPSampler(seed=SEED, n_startup_trials=4),
        SPACE,
        ONE,
        8,
    ),
    "qmc": (
        lambda: named.QMCSampler(scramble=True),
        lambda: optuna.samplers.QMCSampler(seed=SEED, scramble=True, warn_asynchronous_seeding=False),
        SPACE,
        ONE,
        20,
    ),
    "bruteforce": (named.BruteForceSampler, lambda: optuna.samplers.BruteForceSampler(seed=SEED), GRID, ONE, 20),
    "tpe, two directions": (
        lambda: named.TPESampler(n_startup_trials=5),
        lambda: optuna.samplers.TPESampler(seed=SEED, n_startup_trials=5),
        SPACE,
        TWO,
        25,
    ),
    "tpe, univariate": (
        lambda: named.TPESampler(multivariate=False),
        lambda: optuna.samplers.TPESampler(seed=SEED, multivariate=False),
        SPACE,
        ONE,
        25,
    ),
    "nsgaii": (
        lambda: named.NSGAIISampler(population_size=6),
        lambda: optuna.samplers.NSGAIISampler(seed=SEED, population_size=6),
        SPACE,
        TWO,
        40,
    ),
    "nsgaiii": (
        lambda: named.NSGAIIISampler(population_size=6),
        lambda: optuna.samplers.NSGAIIISampler(seed=SEED, population_size=6),
        SPACE,
        TWO,
        40,
    ),
    "partial-fixed": (
        lambda: named.PartialFixedSampler(fixed_params={"n": 2}, base_sampler={"name": "tpe", "n_startup_trials": 5}),
        lambda: optuna.samplers.PartialFixedSampler(
            {"n": 2}, optuna.samplers.TPESampler(seed=SEED, n_startup_trials=5)
        ),
        SPACE,
        ONE,
        25,
    ),
}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")  # plain Optuna's
@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_torch) if name == "gp" else name for name in CASES])
def test_the_suggestions_equal_plain_optunas_trial_by_trial(name: str) -> None:
    make, plain, space, directions, n_trials = CASES[name]
    study = pickle.loads(pickle.dumps(make()))
    assert ours(study, space, directions, n_trials) == theirs(plain(), space, directions, n_trials)


# -- a sampler whose module no other process can import, as those of OptunaHub -----------------------------------------

CODE = """
import optuna

OFFSET = 0.125

class Hub(optuna.samplers.BaseSampler):
    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return OFFSET if name == "x" else len(study.get_trials(deepcopy=False)) % 8
"""


@pytest.fixture
def hub() -> Iterator[Any]:
    """A sampler of a module that is in memory alone."""
    module = types.ModuleType("hub_of_a_test")
    sys.modules["hub_of_a_test"] = module
    exec(CODE, vars(module))  # noqa: S102  our own text above
    yield module
    sys.modules.pop("hub_of_a_test", None)


def test_a_sampler_of_a_module_that_cannot_be_imported_works_where_its_module_travels_by_value(hub: Any) -> None:
    cloudpickle.register_pickle_by_value(hub)
    packed = cloudpickle.dumps(hub.Hub())
    cloudpickle.unregister_pickle_by_value(hub)
    del sys.modules["hub_of_a_test"]
    study = OptunaStudy(pickle.loads(packed))
    assert ours(study, SPACE, ONE, 3) == [{"x": 0.125, "n": number} for number in (1, 2, 3)]
