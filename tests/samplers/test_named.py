"""Optuna's samplers by name: options, packages, and what each cannot do."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import warnings

import optuna
import pytest

from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.samplers import named, plugin
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Float, Int, Space
from tests.samplers.optuna_driver import final, one_trial, opened, trials

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
SPACE = Space({"x": Float(0.0, 1.0, step=0.25), "n": Int(0, 3)})
NAMED = [
    named.TPESampler,
    named.CmaEsSampler,
    named.NSGAIISampler,
    named.NSGAIIISampler,
    named.QMCSampler,
    named.BruteForceSampler,
]


@pytest.mark.parametrize("sampler", NAMED)
def test_every_named_sampler_survives_pickling_and_asks_in_the_space(sampler: type[OptunaStudy]) -> None:
    study = opened(pickle.loads(pickle.dumps(sampler())), SPACE)
    for number in range(15):
        params = one_trial(study, NopPruner(), number, lambda params: [params["x"]]).params
        assert SPACE.check(params, partial=False) == params


@pytest.mark.parametrize("sampler", [*NAMED, named.GPSampler])
def test_every_named_sampler_keeps_the_contract_in_the_sampler_host(sampler: type[OptunaStudy]) -> None:
    assert isinstance(sampler(), Sampler) and sampler.host == "process"


def test_options_reach_optuna() -> None:
    study = opened(named.QMCSampler(scramble=True, qmc_type="halton"), SPACE)
    assert (study._study.sampler._qmc_type, study._study.sampler._scramble) == ("halton", True)  # type: ignore[attr-defined]


def test_a_seed_among_the_options_comes_before_the_sweeps() -> None:
    seeded = opened(named.TPESampler(seed=7), SPACE, 1).ask(TrialRef(0))
    assert seeded == opened(named.TPESampler(), SPACE, 7).ask(TrialRef(0))


def test_an_unknown_option_is_answered_with_the_nearest_and_all_accepted() -> None:
    with pytest.raises(ConfigError) as refused:
        opened(named.BruteForceSampler(sed=1), SPACE)
    assert str(refused.value) == (
        "sampler.sed: the sampler 'bruteforce' has no such option (did you mean 'seed'?); accepted: avoid_premature_stop, seed"
    )


def test_a_value_of_the_wrong_type_is_refused_before_the_first_trial() -> None:
    for value in ("20", 20.0, True, None):
        with pytest.raises(ConfigError) as refused:
            opened(named.TPESampler(n_startup_trials=value), SPACE)
        assert str(refused.value) == f"sampler.n_startup_trials: expected int, got {value!r}"


def test_a_whole_number_is_taken_for_a_float_and_none_where_optuna_takes_it() -> None:
    assert opened(named.NSGAIISampler(crossover_prob=1, mutation_prob=None), SPACE).ask(TrialRef(0))


def test_values_that_are_refused_only_together_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"sampler: 'tpe' refuses its options .*'group': True.*: ``group`` option"):
        opened(named.TPESampler(group=True, multivariate=False), SPACE)


def test_a_sampler_among_the_options_is_an_instance() -> None:
    independent = optuna.samplers.RandomSampler(seed=1)
    study = opened(named.CmaEsSampler(independent_sampler=independent), SPACE)
    assert study._study.sampler._independent_sampler is independent  # type: ignore[attr-defined]


@pytest.mark.parametrize("sampler", [*NAMED, pytest.param(named.GPSampler, marks=needs_torch)])
def test_the_defaults_cause_no_warning(sampler: type[OptunaStudy]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(sampler(), SPACE)


def test_an_experimental_option_causes_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(named.TPESampler(group=True), SPACE)


def test_a_deprecated_option_causes_one_warning_that_names_the_sampler() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        study = opened(named.TPESampler(prior_weight=1.0), SPACE)
        study.tell(final(0, {"x": 0.5, "n": 1}, [1.0]))
        study.ask(TrialRef(1))
    assert [str(warning.message).split(" has been")[0] for warning in warned] == ["sampler: 'tpe': `prior_weight`"]


def test_a_value_that_optuna_refuses_is_a_config_error_with_the_cause() -> None:
    with pytest.raises(ConfigError, match=r"sampler.qmc_type: 'qmc' refuses 'x': .*sobol") as refused:
        opened(named.QMCSampler(qmc_type="x", scramble=True), SPACE)
    assert isinstance(refused.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("sampler", "missing", "message"),
    [
        (named.CmaEsSampler, {"cmaes"}, "sampler: 'cmaes' needs cmaes, which is not installed; pip install cmaes"),
        (
            named.GPSampler,
            {"torch", "scipy"},
            "sampler: 'gp' needs torch and scipy, which is not installed; pip install torch scipy",
        ),
        (named.GPSampler, {"torch"}, "sampler: 'gp' needs torch, which is not installed; pip install torch"),
        (named.QMCSampler, {"scipy"}, "sampler: 'qmc' needs scipy, which is not installed; pip install scipy"),
    ],
)
def test_a_missing_package_is_answered_with_the_command_that_installs_it(
    sampler: type[OptunaStudy], missing: set[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else object())
    with pytest.raises(ConfigError) as refused:
        opened(sampler(), SPACE)
    assert str(refused.value) == message


def test_cma_es_refuses_several_directions() -> None:
    with pytest.raises(ConfigError, match="sampler: 'cmaes' takes one direction, got loss, size; try 'nsgaii'"):
        opened(named.CmaEsSampler(), SPACE, 0, "loss", "size")


def test_brute_force_refuses_infinitely_many_values() -> None:
    with pytest.raises(ConfigError, match="sampler: 'bruteforce' needs finitely many values of 'x'; give it a `step`"):
        opened(named.BruteForceSampler(), Space({"x": Float(0.0, 1.0)}))


def test_brute_force_tries_every_combination_once() -> None:
    study = opened(named.BruteForceSampler(), SPACE)
    seen = [one_trial(study, NopPruner(), number, lambda params: [1.0]).params for number in range(20)]
    assert len({repr(params) for params in seen}) == 20
    with pytest.raises(SpaceExhausted):
        study.ask(TrialRef(20))


def test_every_named_sampler_is_registered() -> None:
    registered = plugin.asyncsweep_samplers().values()
    kinds = [kind for kind in vars(named).values() if isinstance(kind, type) and issubclass(kind, OptunaStudy)]
    ours = {f"asyncsweep.samplers.named:{kind.__name__}" for kind in kinds if kind is not OptunaStudy}
    assert {path for path in registered if ":" in path and "named" in path} == ours


@pytest.mark.parametrize("sampler", [named.TPESampler, named.NSGAIISampler, named.NSGAIIISampler])
def test_samplers_for_several_directions_learn_from_all_metrics(sampler: type[OptunaStudy]) -> None:
    study = opened(sampler(), SPACE, 0, "loss", "size")
    for number in range(12):
        params = study.ask(TrialRef(number))
        study.tell(final(number, params, [], metrics={"loss": params["x"], "size": float(params["n"])}))
    assert [trial.values for trial in trials(study)] == [[t.params["x"], t.params["n"]] for t in trials(study)]


def test_building_a_named_sampler_imports_neither_optuna_nor_numpy() -> None:
    code = (
        "import sys; from asyncsweep.samplers.named import TPESampler; TPESampler(n_startup_trials=3);"
        "sys.exit(', '.join({'optuna', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_optuna_logs_nothing_of_the_study_that_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    opened(named.TPESampler(), SPACE)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    optuna.logging.set_verbosity(verbosity)
    assert capsys.readouterr().err == ""
