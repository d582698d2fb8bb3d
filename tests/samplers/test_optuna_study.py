"""Optuna's samplers and pruners behind our contracts."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import SpaceExhausted
from asyncsweep.hooks.contracts import Params, Sampler, TrialRef
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.samplers.named import CmaEsSampler, NSGAIISampler, QMCSampler, TPESampler
from asyncsweep.samplers.optuna_pruner import OptunaPruner
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Categorical, Float, Int, Space
from tests.samplers.optuna_driver import final, one_trial, opened, ours, plain_optuna, trials

MIXED = Space({"lr": Float(1e-5, 1e-1, log=True), "depth": Int(1, 16), "opt": Categorical(["sgd", "adam", None])})
NUMBERS = Space({"lr": Float(1e-5, 1e-1, log=True), "depth": Int(1, 16), "x": Float(-1.0, 1.0, step=0.25)})
LINE = Space({"x": Float(0.0, 1.0)})


def suggest_mixed(trial: optuna.Trial) -> Params:
    return {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "depth": trial.suggest_int("depth", 1, 16),
        "opt": trial.suggest_categorical("opt", ["sgd", "adam", None]),
    }


def suggest_numbers(trial: optuna.Trial) -> Params:
    return {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "depth": trial.suggest_int("depth", 1, 16),
        "x": trial.suggest_float("x", -1.0, 1.0, step=0.25),
    }


def curve(params: Params) -> list[float]:
    """Ten reports that get better and cross between trials, so that about half of them are pruned."""
    loss = math.log10(params["lr"] / 3e-3) ** 2 + abs(params["depth"] - 5) / 4
    loss += {"sgd": 0.3, "adam": 0.0, None: 0.9}.get(params.get("opt"), 0.0) + params.get("x", 0.0) ** 2
    return [loss + math.sin(step * (1 + params["depth"])) / (1 + step) for step in range(10)]


Instance = Callable[[int], optuna.samplers.BaseSampler]
SAMPLERS: list[tuple[OptunaStudy, Instance]] = [
    (TPESampler(), lambda seed: optuna.samplers.TPESampler(seed=seed)),
    (CmaEsSampler(warn_independent_sampling=False), lambda seed: optuna.samplers.CmaEsSampler(seed=seed)),
    (OptunaStudy(), lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    (NSGAIISampler(population_size=10), lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=10)),
]


@pytest.mark.parametrize(("study", "plain"), SAMPLERS, ids=["tpe", "cmaes", "random", "nsgaii"])
@pytest.mark.parametrize(
    ("space", "suggest"), [(MIXED, suggest_mixed), (NUMBERS, suggest_numbers)], ids=["mixed", "numbers"]
)
def test_suggestions_and_prunings_equal_plain_optunas_trial_by_trial(
    study: OptunaStudy, plain: Instance, space: Space, suggest: Callable[[optuna.Trial], Params]
) -> None:
    study = pickle.loads(pickle.dumps(study))
    pruner = OptunaPruner(optuna.pruners.MedianPruner(), study)
    theirs = plain_optuna(plain(11), optuna.pruners.MedianPruner(), suggest, curve, 50)
    assert ours(opened(study, space, 11), pruner, curve, 50) == theirs
    assert {outcome.state for outcome in theirs} == {"COMPLETE", "PRUNED"}


def test_the_native_median_pruner_makes_the_same_sweep_as_optunas() -> None:
    pruner = MedianPruner()
    pruner.open("minimize", 0, "sweep")
    theirs = plain_optuna(optuna.samplers.TPESampler(seed=3), optuna.pruners.MedianPruner(), suggest_mixed, curve, 50)
    assert ours(opened(TPESampler(), MIXED, 3), pruner, curve, 50) == theirs


def test_a_sampler_instance_of_the_user_makes_the_same_sweep_as_plain_optuna() -> None:
    study = OptunaStudy(optuna.samplers.TPESampler(seed=5))
    pruner = OptunaPruner(optuna.pruners.MedianPruner(n_startup_trials=2), study)
    theirs = plain_optuna(
        optuna.samplers.TPESampler(seed=5), optuna.pruners.MedianPruner(n_startup_trials=2), suggest_mixed, curve, 30
    )
    assert ours(opened(study, MIXED), pruner, curve, 30) == theirs


def test_conditions_and_constants_are_walked_in_order() -> None:
    space = Space({"opt": Categorical(["sgd", "adam"]), "momentum": Float(0.0, 1.0, when={"opt": "sgd"}), "epochs": 30})
    study = opened(TPESampler(), space)
    asked = [study.ask(TrialRef(number)) for number in range(20)]
    assert all(space.check(params, partial=False) == params for params in asked)
    assert {("momentum" in params) for params in asked} == {True, False}


def test_optuna_never_hears_of_constants() -> None:
    study = opened(TPESampler(), Space({"x": Float(0.0, 1.0), "epochs": 30}))
    study.ask(TrialRef(0))
    assert [list(trial.params) for trial in trials(study)] == [["x"]]


def test_fixed_parameters_are_taken_and_the_others_suggested() -> None:
    study = opened(TPESampler(), MIXED)
    params = study.ask(TrialRef(0, {"depth": 3}))
    assert params["depth"] == 3 and MIXED.check(params, partial=False) == params


def test_a_fixed_trial_is_as_optunas_enqueued_trial() -> None:
    plain = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    plain.enqueue_trial({"depth": 3})
    expected = [suggest_mixed(plain.ask()) for _ in range(3)]
    study = opened(TPESampler(), MIXED)
    assert [study.ask(TrialRef(number, {"depth": 3} if number == 0 else {})) for number in range(3)] == expected


CHOICES = [[32, 64], {"a": 1}, b"raw", 1, True, 1.0, None]


def test_choices_that_optuna_does_not_take_come_back_as_they_are() -> None:
    space = Space({"layers": Categorical(CHOICES)})
    study = opened(TPESampler(), space)
    asked = [study.ask(TrialRef(number))["layers"] for number in range(100)]
    assert {repr(value) for value in asked} == {repr(choice) for choice in CHOICES}


@pytest.mark.parametrize("place", range(len(CHOICES)))
def test_choices_that_optuna_does_not_take_can_be_fixed_and_retold(place: int) -> None:
    space = Space({"layers": Categorical(CHOICES)})
    params = {"layers": CHOICES[place]}
    study = opened(TPESampler(), space)
    study.tell(final(0, params, [1.0]))
    assert repr(study.ask(TrialRef(1, params))) == repr(params)
    assert [trial.params for trial in trials(study)] == [{"layers": place}] * 2


def test_choices_that_optuna_takes_for_one_are_told_apart() -> None:
    study = opened(TPESampler(), Space({"flag": Categorical(["a", True, 1])}))
    study.tell(final(0, {"flag": 1}, [1.0]))
    assert [trial.params for trial in trials(study)] == [{"flag": 2}]


def test_a_parameter_asked_for_while_running_is_suggested_by_the_same_sampler() -> None:
    plain = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0)).ask()
    expected = [plain.suggest_float("x", 0.0, 1.0), plain.suggest_int("late", 1, 100)]
    study = opened(TPESampler(), LINE)
    asked = study.ask(TrialRef(0))["x"]
    assert [asked, study.suggest(TrialRef(0), "late", Int(1, 100))] == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [(State.COMPLETE, "COMPLETE"), (State.PRUNED, "PRUNED"), (State.FAILED, "FAIL"), (State.CANCELLED, "FAIL")],
)
@pytest.mark.parametrize("asked", [True, False], ids=["asked here", "retold"])
def test_final_states_become_optunas_with_their_reports(state: State, expected: str, asked: bool) -> None:
    study = opened(TPESampler(), LINE)
    params = study.ask(TrialRef(0)) if asked else {"x": 0.5}
    study.tell(final(0, params, [3.0, 2.0], state))
    (trial,) = trials(study)
    value = 2.0 if expected in ("COMPLETE", "PRUNED") else None
    told = (trial.state.name, trial.value, trial.params, trial.intermediate_values)
    assert told == (expected, value, params, {0: 3.0, 1: 2.0})


def test_a_pruned_trial_whose_last_report_is_nan_has_no_value() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(0, {"x": 0.5}, [1.0, math.nan], State.PRUNED))
    assert [(trial.state.name, trial.value) for trial in trials(study)] == [("PRUNED", None)]


def test_several_directions_keep_their_order() -> None:
    study = NSGAIISampler()
    study.open(LINE, {"loss": "minimize", "accuracy": "maximize"}, 0)
    study.tell(final(0, study.ask(TrialRef(0)), [1.0], metrics={"accuracy": 0.9, "loss": 0.1, "more": 5.0}))
    assert [trial.values for trial in trials(study)] == [[0.1, 0.9]]


def test_a_trial_told_twice_is_told_once() -> None:
    study = opened(TPESampler(), LINE)
    for _ in range(2):
        study.tell(final(0, {"x": 0.5}, [1.0]))
    assert len(list(trials(study))) == 1


def test_trials_that_ran_at_the_crash_keep_their_numbers_and_are_filled_in_when_they_end() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(0, {"x": 0.1}, [1.0]))
    study.tell(final(2, {"x": 0.3}, [3.0]))
    study.ask(TrialRef(4))
    study.tell(final(3, {"x": 0.4}, [4.0]))
    study.tell(final(1, {"x": 0.2}, [9.0, 2.0], attrs={"key": "kept"}))
    found = [(trial.number, trial.value, trial.state.name) for trial in trials(study)]
    assert found == [
        (0, 1.0, "COMPLETE"),
        (1, 2.0, "COMPLETE"),
        (2, 3.0, "COMPLETE"),
        (3, 4.0, "COMPLETE"),
        (4, None, "RUNNING"),
    ]
    late = list(trials(study))[1]
    assert (late.params, late.intermediate_values, late.system_attrs) == ({"x": 0.2}, {0: 9.0, 1: 2.0}, {"key": "kept"})


def test_a_trial_that_ran_at_the_crash_can_be_asked_for_again() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(1, {"x": 0.5}, [1.0]))
    assert study.ask(TrialRef(0, {"x": 0.25})) == {"x": 0.25}
    assert [trial.params for trial in trials(study)] == [{"x": 0.25}, {"x": 0.5}]


def test_a_trial_cancelled_before_it_was_asked_for_leaves_its_number_free_of_others() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(TrialRecord(0, State.CANCELLED))
    study.ask(TrialRef(1))
    assert [trial.state.name for trial in trials(study)] == ["FAIL", "RUNNING"]


def test_a_resumed_sampler_does_not_repeat_its_first_draws() -> None:
    first, second = opened(TPESampler(), LINE), opened(TPESampler(), LINE)
    history = [one_trial(first, NopPruner(), number, lambda params: [params["x"]]) for number in range(3)]
    for record in history:
        second.tell(record)
    assert second.ask(TrialRef(3))["x"] not in [record.params["x"] for record in history]


def test_a_resumed_sampler_by_name_draws_the_same_each_time() -> None:
    asked = []
    for _ in range(2):
        study = opened(TPESampler(), LINE)
        study.tell(final(0, {"x": 0.5}, [1.0]))
        asked.append(study.ask(TrialRef(1)))
    assert asked[0] == asked[1]


def test_a_resumed_instance_draws_anew() -> None:
    study = opened(OptunaStudy(optuna.samplers.RandomSampler(seed=0)), LINE)
    study.tell(final(0, {"x": 0.5}, [1.0]))
    repeated = opened(OptunaStudy(optuna.samplers.RandomSampler(seed=0)), LINE).ask(TrialRef(0))
    assert study.ask(TrialRef(1)) != repeated


def test_a_trial_retold_in_the_middle_of_a_sweep_does_not_reseed() -> None:
    asked = []
    for cancelled in (True, False):
        study = opened(OptunaStudy(), LINE)
        study.ask(TrialRef(0))
        if cancelled:
            study.tell(TrialRecord(1, State.CANCELLED))
        asked.append(study.ask(TrialRef(2)))
    assert asked[0] == asked[1]


def test_the_generation_of_a_genetic_sampler_survives_a_restart() -> None:
    first, second = opened(NSGAIISampler(population_size=4), LINE), opened(NSGAIISampler(population_size=4), LINE)
    for number in range(9):
        second.tell(one_trial(first, NopPruner(), number, lambda params: [params["x"]]))
    first.ask(TrialRef(9))
    second.ask(TrialRef(9))
    assert (
        second.attrs(9)
        == {"NSGAIISampler:generation": 2}
        == {k: v for k, v in first.attrs(9).items() if "study" not in k}
    )


def test_a_quasi_random_sampler_goes_on_in_its_sequence_after_a_restart() -> None:
    options = {"scramble": True, "seed": 1}
    first, second = opened(QMCSampler(**options), LINE), opened(QMCSampler(**options), LINE)
    for number in range(5):
        second.tell(one_trial(first, NopPruner(), number, lambda params: [params["x"]]))
    assert second.ask(TrialRef(5)) == first.ask(TrialRef(5))


def test_a_change_in_the_study_is_given_out_once() -> None:
    study = opened(QMCSampler(), LINE)
    one_trial(study, NopPruner(), 0, lambda params: [params["x"]])
    study.ask(TrialRef(1))
    assert [list(study.attrs(1)) for _ in range(2)] == [["asyncsweep:study"], []]


def test_no_pickle_is_given_out() -> None:
    study = opened(CmaEsSampler(), NUMBERS)
    records = [one_trial(study, NopPruner(), number, curve) for number in range(30)]
    assert any(":optimizer" in key for trial in trials(study) for key in trial.system_attrs)
    assert not [key for record in records for key in record.sampler_attrs or {} if ":optimizer" in key]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle from the journal was loaded",))


@pytest.mark.parametrize("late", [True, False])
def test_no_pickle_is_taken_from_a_journal(late: bool) -> None:
    attrs = {"cma:generation": 0, "cma:optimizer:0": pickle.dumps(Bomb()).hex()}
    study = opened(CmaEsSampler(), NUMBERS)
    for number in (1, 0, 2) if late else (0, 1, 2):
        study.tell(final(number, {"lr": 1e-3, "depth": 3, "x": 0.5}, [1.0], attrs=attrs))
    assert study.ask(TrialRef(3))


def test_a_resumed_cma_es_learns_on_from_its_history() -> None:
    first, second = opened(CmaEsSampler(popsize=4), NUMBERS), opened(CmaEsSampler(popsize=4), NUMBERS)
    for number in range(41):
        second.tell(one_trial(first, NopPruner(), number, curve))
    generations = []
    for number in range(41, 61):
        generations.append(one_trial(second, NopPruner(), number, curve).sampler_attrs["cma:generation"])  # type: ignore[index]
    assert generations[-1] > 10


def test_the_end_of_an_optuna_grid_is_exhaustion() -> None:
    space = Space({"a": Int(0, 2), "b": Categorical(["x", "y"])})
    study = opened(OptunaStudy(optuna.samplers.GridSampler({"a": [0, 1, 2], "b": ["x", "y"]})), space)
    seen = [one_trial(study, NopPruner(), number, lambda params: [1.0]).params for number in range(6)]
    assert len({repr(params) for params in seen}) == 6
    with pytest.raises(SpaceExhausted):
        study.ask(TrialRef(6))


def test_a_search_that_was_complete_before_the_restart_is_exhausted_after_it() -> None:
    space = Space({"a": Int(0, 2)})
    first = opened(OptunaStudy(optuna.samplers.GridSampler({"a": [0, 1, 2]})), space)
    second = opened(OptunaStudy(optuna.samplers.GridSampler({"a": [0, 1, 2]})), space)
    for number in range(3):
        second.tell(one_trial(first, NopPruner(), number, lambda params: [1.0]))
    with pytest.raises(SpaceExhausted):
        second.ask(TrialRef(3))


def test_reports_of_a_sweep_with_several_directions_are_left_out_while_it_runs() -> None:
    study = opened(NSGAIISampler(), LINE, 0, "loss", "size")
    study.ask(TrialRef(0))
    study.report(0, 0, 1.0)
    assert [trial.intermediate_values for trial in trials(study)] == [{}]


def test_a_seed_of_any_size_is_taken() -> None:
    assert opened(TPESampler(), LINE, 2**63).ask(TrialRef(0))


def test_the_optuna_study_keeps_the_contract_in_the_sampler_host() -> None:
    assert isinstance(OptunaStudy(), Sampler) and OptunaStudy.host == "process"
