"""Asks in a hurry: several from one fit, over fewer trials; and nothing of it otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy
import optuna
import pytest

from asyncsweep.core.records import State
from asyncsweep.hooks.contracts import Params, TrialRef
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.samplers.named import CmaEsSampler, TPESampler
from asyncsweep.samplers.optuna_hurry import HurriedTPESampler, picks
from asyncsweep.samplers.optuna_pruner import OptunaPruner
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Categorical, Float, Int, Space
from tests.samplers.optuna_driver import final, one_trial, opened

PLANE = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})


def loss(params: Params) -> float:
    return math.hypot(params["x"] - 0.3, params["y"] - 0.7)


def told(study: OptunaStudy, count: int) -> OptunaStudy:
    """The study after `count` trials on a spiral through the plane."""
    for number in range(count):
        params = {"x": number * 0.618 % 1.0, "y": number * 0.755 % 1.0}
        study.tell(final(number, params, [loss(params)]))
    return study


def hurried(study: OptunaStudy, first: int, asks: int) -> list[Params]:
    study.hurry(asks)
    return [study.ask(TrialRef(number)) for number in range(first, first + asks)]


class Counted:
    """Counts fits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fits = 0
        fit = optuna.samplers.TPESampler._sample

        def counted(*given: Any) -> Any:
            self.fits += 1
            return fit(*given)

        monkeypatch.setattr(optuna.samplers.TPESampler, "_sample", counted)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def test_asks_in_a_hurry_are_answered_from_one_fit(counted: Counted) -> None:
    hurried(told(opened(TPESampler(), PLANE), 20), 20, 8)
    assert counted.fits == 1


def test_every_ask_in_a_hurry_has_a_point_of_its_own() -> None:
    asked = hurried(told(opened(TPESampler(), PLANE), 20), 20, 16)
    assert all(len({params[name] for params in asked}) == 16 for name in ("x", "y"))


def test_points_of_a_hurry_are_as_good_as_those_asked_for_one_by_one() -> None:
    """The mean distance to the optimum; a random point's is about 0.5."""
    alone = told(opened(TPESampler(), PLANE), 60)
    one_by_one = [loss(alone.ask(TrialRef(number))) for number in range(60, 100)]
    together = [loss(params) for params in hurried(told(opened(TPESampler(), PLANE), 60), 60, 40)]
    assert numpy.mean(together) < 1.25 * numpy.mean(one_by_one) < 0.3


def test_the_end_of_a_hurry_is_the_end_of_its_fit(counted: Counted) -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    hurried(study, 20, 4)
    study.ask(TrialRef(24))
    study.ask(TrialRef(25))
    assert counted.fits == 3


def test_a_fit_draws_for_the_asks_that_are_left_and_no_more() -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    study.hurry(5)
    left = []
    for number in range(20, 25):
        study.ask(TrialRef(number))
        left.append(len(study._study.sampler._picks))  # type: ignore[attr-defined]
    assert left == [4, 3, 2, 1, 0]


def test_a_point_that_an_ask_did_not_need_is_not_kept_beyond_the_hurry(counted: Counted) -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    study.hurry(2)
    study.ask(TrialRef(20))
    study.ask(TrialRef(21, {"x": 0.5, "y": 0.5}))
    study.ask(TrialRef(22))
    assert counted.fits == 2


def test_a_fit_of_other_parameters_answers_nothing(counted: Counted) -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    study.hurry(3)
    study.ask(TrialRef(20))
    sampler, frozen = study._study.sampler, study._storage.get_trial(20)
    sampler.sample_relative(study._study, frozen, {"x": optuna.distributions.FloatDistribution(0.0, 1.0)})
    assert counted.fits == 2


def test_another_hurry_begins_with_another_fit(counted: Counted) -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    hurried(study, 20, 4)
    hurried(study, 24, 4)
    study.hurry(4)
    study.ask(TrialRef(28))
    study.hurry(4)
    study.ask(TrialRef(29))
    assert counted.fits == 4


def test_fixed_parameters_are_kept_in_a_hurry() -> None:
    study = told(opened(TPESampler(), PLANE), 20)
    study.hurry(3)
    asked = [study.ask(TrialRef(20 + number, {"x": 0.125} if number == 1 else {})) for number in range(3)]
    assert [params["x"] == 0.125 for params in asked] == [False, True, False]


def test_a_small_space_gives_other_points_while_it_has_them() -> None:
    space = Space({"a": Categorical(["p", "q", "r"]), "b": Int(0, 1)})
    study = opened(TPESampler(n_startup_trials=4), space)
    for number in range(30):
        params = {"a": "pqr"[number % 3], "b": number % 2}
        study.tell(final(number, params, [0.0 if params == {"a": "p", "b": 0} else 1.0 + number % 3]))
    asked = hurried(study, 30, 5)
    assert len({(params["a"], params["b"]) for params in asked}) == 5


def test_the_first_trials_of_a_hurry_are_random(counted: Counted) -> None:
    asked = hurried(opened(TPESampler(), PLANE), 0, 8)
    assert counted.fits == 0 and len({params["x"] for params in asked}) == 8


def test_what_was_not_hurried_equals_plain_optuna_bit_for_bit() -> None:
    plain = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=5))
    expected = []
    for _ in range(40):
        trial = plain.ask()
        params = {name: trial.suggest_float(name, 0.0, 1.0) for name in ("x", "y")}
        plain.tell(trial, loss(params))
        expected.append(params)
    study = opened(TPESampler(), PLANE, 5)
    study.hurry(0)
    assert [one_trial(study, NopPruner(), n, lambda params: [loss(params)]).params for n in range(40)] == expected


def test_a_hurry_is_repeated_with_the_same_seed() -> None:
    assert len({repr(hurried(told(opened(TPESampler(), PLANE, 3), 20), 20, 8)) for _ in range(2)}) == 1


@pytest.mark.parametrize(
    "options", [{"multivariate": False}, {"group": True}, {"multivariate": True, "constant_liar": False}]
)
def test_every_mode_of_tpe_takes_a_hurry(options: dict[str, Any]) -> None:
    asked = hurried(told(opened(TPESampler(**options), PLANE), 20), 20, 8)
    assert all(PLANE.check(params, partial=False) == params for params in asked)


@pytest.mark.parametrize("group", [False, True])
def test_conditional_parameters_are_suggested_in_a_hurry(group: bool) -> None:
    space = Space({"x": Float(0.0, 1.0), "k": Categorical(["a", "b"]), "z": Float(0.0, 1.0, when={"k": "a"})})
    study = opened(TPESampler(n_startup_trials=5, group=group), space)
    for number in range(20):
        params: Params = {"x": number / 20, "k": "ab"[number % 2]}
        study.tell(final(number, params | ({"z": 0.5} if params["k"] == "a" else {}), [params["x"]]))
    asked = hurried(study, 20, 8)
    assert all(space.check(params, partial=False) == params for params in asked)


def test_optunas_hyperband_has_each_trial_asked_for_by_itself(counted: Counted) -> None:
    study = TPESampler(n_startup_trials=2)
    OptunaPruner(optuna.pruners.HyperbandPruner(max_resource=9), study)
    opened(study, PLANE)
    for number in range(60):
        params = {"x": number / 60, "y": 0.5}
        study.tell(final(number, params, [1.0, 1.0]))
    hurried(study, 60, 6)
    assert counted.fits == 6


def test_a_sampler_other_than_tpe_takes_no_notice_of_a_hurry() -> None:
    asked = []
    for hurry in (False, True):
        study = told(opened(CmaEsSampler(), PLANE), 10)
        if hurry:
            study.hurry(4)
        asked.append([study.ask(TrialRef(10 + number)) for number in range(4)])
    assert asked[0] == asked[1]


def test_an_optuna_without_the_method_behind_a_hurry_answers_each_ask_by_itself(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    monkeypatch.delattr(HurriedTPESampler, "_compute_acquisition_func")
    assert len(hurried(told(opened(TPESampler(), PLANE), 20), 20, 3)) == counted.fits == 3


def test_a_failing_ask_ends_its_part_of_the_hurry() -> None:
    study = opened(OptunaStudy(optuna.samplers.TPESampler(seed=0)), Space({"x": Float(0.0, 1.0)}))
    study.hurry(1)
    with pytest.raises(ValueError, match="'no number' is not a valid type"):
        study.ask(TrialRef(0, {"x": "no number"}))
    assert study._hurried == 0


# -- the choice of the picks -------------------------------------------------------------------------------------------


def test_the_best_of_each_group_is_picked() -> None:
    samples = {"x": numpy.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])}
    scores = numpy.array([0.0, 9.0, 5.0, 1.0, 0.0, 2.0])
    assert picks(samples, scores, 2) == [{"x": 2.0}, {"x": 3.0}, {"x": 6.0}]


def test_a_point_that_was_given_is_passed_over_for_the_next_best_of_the_group() -> None:
    samples = {"x": numpy.array([1.0, 2.0, 1.0, 3.0])}
    assert picks(samples, numpy.array([9.0, 0.0, 9.0, 1.0]), 2) == [{"x": 1.0}, {"x": 3.0}]


def test_a_group_of_given_points_takes_the_best_of_another() -> None:
    samples = {"x": numpy.array([1.0, 2.0, 1.0, 1.0, 4.0, 3.0])}
    scores = numpy.array([9.0, 3.0, 9.0, 9.0, 4.0, 5.0])
    assert picks(samples, scores, 2) == [{"x": 1.0}, {"x": 3.0}, {"x": 4.0}]


def test_a_point_is_repeated_when_there_is_no_other() -> None:
    assert picks({"x": numpy.array([1.0, 1.0])}, numpy.array([0.0, 0.0]), 1) == [{"x": 1.0}, {"x": 1.0}]


# -- what tpe sees -----------------------------------------------------------------------------------------------------


def shown(study: OptunaStudy) -> list[int]:
    states = [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.RUNNING]
    with study._storage.shortened():
        return [trial.number for trial in study._storage.get_all_trials(0, deepcopy=False, states=states)]


def test_a_hurry_looks_at_some_hundred_trials_of_thousands_and_its_end_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    split = optuna.samplers._tpe.sampler._split_trials
    monkeypatch.setattr(
        optuna.samplers._tpe.sampler,
        "_split_trials",
        lambda study, seen, below: (looked.append(len(seen)), split(study, seen, below))[1],
    )
    study = told(opened(OptunaStudy(optuna.samplers.TPESampler(seed=0)), PLANE), 1_000)
    hurried(study, 1_000, 2)
    study.ask(TrialRef(1_002))
    assert looked == [300, 301, 1_002]


def test_the_best_trials_are_shown_and_the_others_evenly() -> None:
    study = opened(TPESampler(), PLANE)
    values = [float((number * 389) % 3_000) for number in range(3_000)]
    for number, value in enumerate(values):
        study.tell(final(number, {"x": 0.5, "y": 0.5}, [value]))
    numbers = shown(study)
    best = sorted(range(3_000), key=lambda number: values[number])[:25]
    assert len(numbers) == 300 and set(best) <= set(numbers) and numbers == sorted(numbers)
    assert all(90 <= sum(start <= number < start + 1_000 for number in numbers) <= 110 for start in (0, 1_000, 2_000))


def test_running_trials_and_those_that_ended_last_are_all_shown() -> None:
    study = told(opened(TPESampler(), PLANE), 1_000)
    shown(study)
    for number in range(1_000, 1_010):
        study.pending(final(number, {"x": 0.5, "y": 0.5}, [], State.RUNNING))
    for number in range(1_010, 1_020):
        study.tell(final(number, {"x": 0.5, "y": 0.5}, [9.0]))
    assert set(range(1_000, 1_020)) <= set(shown(study))


def test_failed_trials_take_nobodys_place() -> None:
    study = told(opened(TPESampler(), PLANE), 400)
    for number in range(400, 800):
        study.tell(final(number, {"x": 0.5, "y": 0.5}, [9.0], State.FAILED))
    numbers = shown(study)
    assert len(numbers) == 300 and max(numbers) < 400


def test_those_to_be_shown_are_chosen_anew_from_time_to_time() -> None:
    study = told(opened(TPESampler(), PLANE), 1_000)
    counts = []
    for number in range(1_000, 1_210):
        counts.append(len(shown(study)))
        study.tell(final(number, {"x": 0.5, "y": 0.5}, [9.0]))
    assert (max(counts), counts[100], counts[101]) == (400, 400, 300)


def test_all_trials_are_shown_while_they_are_few() -> None:
    assert shown(told(opened(TPESampler(), PLANE), 300)) == list(range(300))


def test_the_best_are_the_feasible_then_the_pruned_by_how_far_they_came() -> None:
    study = opened(TPESampler(), PLANE)
    params = {"x": 0.5, "y": 0.5}
    for number in range(1_000):
        study.tell(final(number, params, [-1.0], constraints={"c": 5.0}))
    for number in range(1_000, 1_013):
        study.tell(final(number, params, [9.0]))
    for number in range(1_013, 1_040):
        study.tell(final(number, params, [9.0] * (number - 1_000), State.PRUNED))
    assert {*range(1_000, 1_013), *range(1_028, 1_040)} <= set(shown(study))


def test_with_several_directions_the_trials_are_shown_evenly() -> None:
    study = opened(TPESampler(), PLANE, 0, "loss", "size")
    for number in range(600):
        study.tell(final(number, {"x": 0.5, "y": 0.5}, [], metrics={"loss": 1.0 * number, "size": 1.0}))
    assert shown(study) == list(range(0, 600, 2))
