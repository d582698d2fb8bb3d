"""What Optuna is told that it did not suggest: history, trials that run after a restart, define-by-run, constraints."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from asyncsweep.core.records import State
from asyncsweep.hooks.contracts import TrialRef
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.samplers.named import BruteForceSampler, NSGAIISampler, TPESampler
from asyncsweep.samplers.optuna_export import study_of
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Categorical, Float, Int, Space
from tests.samplers.optuna_driver import final, one_trial, opened, trials

LINE = Space({"x": Float(0.0, 1.0)})


def with_seed(seed: int, **options: Any) -> tuple[OptunaStudy, optuna.Study]:
    """Our study and plain Optuna's, with TPE."""
    plain = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, **options))
    return opened(TPESampler(**options), LINE, seed), plain


# -- an earlier search -------------------------------------------------------------------------------------------------


def test_trials_of_an_earlier_search_come_first_in_their_order() -> None:
    study = opened(TPESampler(), LINE)
    for number in (-1, -2):
        study.tell(final(number, {"x": -number / 10}, [1.0 * number]))
    study.ask(TrialRef(0))
    study.tell(final(0, {"x": 0.5}, [7.0]))
    assert [(trial.number, trial.value) for trial in trials(study)] == [(0, -1.0), (1, -2.0), (2, 7.0)]


def test_a_sampler_with_history_suggests_what_plain_optuna_does() -> None:
    study, plain = with_seed(3, n_startup_trials=5)
    for number in range(1, 9):
        study.tell(final(-number, {"x": number / 10}, [abs(number / 10 - 0.3)]))
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            "x": optuna.distributions.FloatDistribution(0.0, 1.0)
        }
        value = abs(number / 10 - 0.3)
        plain.add_trial(optuna.create_trial(params={"x": number / 10}, distributions=distributions, value=value))
    expected = []
    for _ in range(8):
        trial = plain.ask()
        expected.append(trial.suggest_float("x", 0.0, 1.0))
        plain.tell(trial, expected[-1])
    asked = [one_trial(study, NopPruner(), n, lambda params: [params["x"]]).params["x"] for n in range(8)]
    assert asked == expected


def test_history_that_is_told_again_after_a_restart_is_in_the_study_once() -> None:
    study = opened(TPESampler(), LINE)
    for _ in range(2):
        study.tell(final(-1, {"x": 0.1}, [1.0]))
    assert len(list(trials(study))) == 1


def test_history_in_the_wrong_order_is_refused() -> None:
    study = opened(TPESampler(), LINE)
    study.ask(TrialRef(0))
    with pytest.raises(ValueError, match="trial -1 of an earlier search came out of order"):
        study.tell(final(-1, {"x": 0.1}, [1.0]))


def test_numbers_are_passed_over_behind_history_too() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(-1, {"x": 0.1}, [1.0]))
    study.tell(final(1, {"x": 0.3}, [3.0]))
    study.tell(final(0, {"x": 0.2}, [2.0]))
    assert [trial.value for trial in trials(study)] == [1.0, 2.0, 3.0]


def test_a_retold_trial_is_what_optunas_own_add_trial_would_make_of_it() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(0, {"x": 0.25}, [3.0, 2.0], State.PRUNED, attrs={"key": [1]}))
    (ours,) = trials(study)
    plain = optuna.create_study()
    plain.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.PRUNED,
            value=2.0,
            params={"x": 0.25},
            distributions={"x": optuna.distributions.FloatDistribution(0.0, 1.0)},
            intermediate_values={0: 3.0, 1: 2.0},
            system_attrs={"key": [1]},
        )
    )
    theirs = plain.trials[0]
    ours.datetime_start = theirs.datetime_start
    ours.datetime_complete = theirs.datetime_complete
    assert ours == theirs


def test_retelling_to_a_brute_force_search_looks_once_whether_anything_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    look = optuna.samplers.BruteForceSampler.after_trial
    monkeypatch.setattr(
        optuna.samplers.BruteForceSampler, "after_trial", lambda *given: (looked.append(1), look(*given))
    )
    study = opened(BruteForceSampler(), Space({"n": Int(0, 99)}))
    for number in range(50):
        study.tell(final(number, {"n": number}, [1.0]))
    assert study.ask(TrialRef(50))["n"] >= 50 and len(looked) == 1


# -- trials that run after a restart -----------------------------------------------------------------------------------


def test_a_pending_trial_runs_in_optuna_with_its_parameters() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(0, {"x": 0.1}, [1.0]))
    study.pending(final(2, {"x": 0.75}, [], State.RUNNING, attrs={"key": 1}))
    found = [(trial.state.name, trial.params, trial.system_attrs) for trial in trials(study)]
    assert found == [("COMPLETE", {"x": 0.1}, {}), ("RUNNING", {}, {}), ("RUNNING", {"x": 0.75}, {"key": 1})]


def test_a_pending_trial_is_completed_when_it_is_told() -> None:
    study = opened(TPESampler(), LINE)
    study.pending(final(0, {"x": 0.75}, [], State.RUNNING))
    study.tell(final(0, {"x": 0.75}, [3.0, 2.0]))
    found = [(trial.state.name, trial.params, trial.intermediate_values, trial.value) for trial in trials(study)]
    assert found == [("COMPLETE", {"x": 0.75}, {0: 3.0, 1: 2.0}, 2.0)]


def test_a_number_passed_over_before_becomes_a_pending_trial() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(1, {"x": 0.1}, [1.0]))
    study.pending(final(0, {"x": 0.75}, [], State.RUNNING))
    assert [(trial.state.name, trial.params) for trial in trials(study)] == [
        ("RUNNING", {"x": 0.75}),
        ("COMPLETE", {"x": 0.1}),
    ]


def test_a_trial_that_was_asked_for_here_or_ended_is_not_made_pending() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(0, {"x": 0.1}, [1.0]))
    asked = study.ask(TrialRef(1))
    for number in range(2):
        study.pending(final(number, {"x": 0.75}, [], State.RUNNING))
    found = [(trial.state.name, trial.params) for trial in trials(study)]
    assert found == [("COMPLETE", {"x": 0.1}), ("RUNNING", asked)]


def test_constant_liar_keeps_away_from_pending_trials() -> None:
    """TPE takes what runs for bad."""
    asked = []
    for is_pending in (False, True):
        study = opened(TPESampler(n_startup_trials=3), LINE)
        for number in range(20):
            x = number / 20
            study.tell(final(number, {"x": x}, [abs(x - 0.5)]))
        if is_pending:
            for number in range(20, 40):
                study.pending(final(number, {"x": 0.5 + (number - 30) / 1000}, [], State.RUNNING))
        asked.append([abs(study.ask(TrialRef(40 + more))["x"] - 0.5) for more in range(20)])
    near = [sum(distance < 0.02 for distance in distances) for distances in asked]
    assert near[1] < near[0]


# -- parameters that the objective asked for while it ran --------------------------------------------------------------

LATE = {"late": Int(1, 100, log=True), "kind": Categorical(["a", "b"])}


@pytest.mark.parametrize("state", [State.COMPLETE, State.RUNNING])
def test_parameters_asked_for_while_running_come_back_after_a_restart(state: State) -> None:
    study = opened(TPESampler(), LINE)
    record = final(0, {"x": 0.5, "late": 7, "kind": "b"}, [1.0], state, domains=dict(LATE))
    if state == State.RUNNING:
        study.pending(record)
    else:
        study.tell(record)
    (trial,) = trials(study)
    assert trial.params == {"x": 0.5, "late": 7, "kind": "b"}
    assert trial.distributions["late"] == optuna.distributions.IntDistribution(1, 100, log=True)


def test_parameters_asked_for_of_a_trial_that_ran_at_the_crash_are_filled_in_when_it_ends() -> None:
    study = opened(TPESampler(), LINE)
    study.tell(final(1, {"x": 0.5}, [1.0]))
    study.tell(final(0, {"x": 0.5, "late": 7}, [1.0], domains={"late": LATE["late"]}))
    assert next(trials(study)).params == {"x": 0.5, "late": 7}


def test_a_domain_may_differ_between_trials() -> None:
    study = opened(TPESampler(), Space({}))
    for number in range(3):
        study.tell(final(number, {"late": number}, [1.0], domains={"late": Int(0, 5 + number)}))
    highs = [trial.distributions["late"].high for trial in trials(study)]  # type: ignore[attr-defined]
    assert highs == [5, 6, 7]


def test_a_trials_own_domain_comes_before_what_another_trial_asked_for_last() -> None:
    study = opened(TPESampler(), Space({}))
    study.ask(TrialRef(0))
    study.suggest(TrialRef(0), "late", Int(0, 5))
    study.tell(final(1, {"late": 9}, [1.0], domains={"late": Int(0, 9)}))
    highs = [trial.distributions["late"].high for trial in trials(study)]  # type: ignore[attr-defined]
    assert highs == [5, 9]


@pytest.mark.parametrize("value", [[1, 2], (1, 2)])
def test_choices_that_were_tuples_before_the_journal_are_found_again(value: Any) -> None:
    study = opened(TPESampler(), Space({}))
    study.tell(final(0, {"layers": value}, [1.0], domains={"layers": Categorical([(3, 4), (1, 2)])}))
    assert study.ask(TrialRef(1)) == {}
    assert study.suggest(TrialRef(1), "layers", Categorical([[3, 4], [1, 2]])) in ([3, 4], [1, 2])
    assert next(trials(study)).params["layers"] == 1


def test_define_by_run_goes_on_after_a_restart_with_what_was_learnt() -> None:
    study = opened(TPESampler(n_startup_trials=5), Space({}))
    for number in range(30):
        x = number / 30
        study.tell(final(number, {"late": x}, [abs(x - 0.5)], domains={"late": Float(0.0, 1.0)}))
    asked = [study.suggest(TrialRef(30 + more), "late", Float(0.0, 1.0)) for more in range(10)]
    assert sum(abs(x - 0.5) < 0.2 for x in asked) >= 8


# -- constraints -------------------------------------------------------------------------------------------------------


def test_constraints_are_told_to_optuna() -> None:
    study = opened(TPESampler(), LINE)
    study.ask(TrialRef(0))
    for number in range(2):
        study.tell(final(number, {"x": 0.5}, [1.0], constraints={"memory": 2, "time": -1.5}))
    assert [trial.constraints for trial in trials(study)] == [{"memory": 2.0, "time": -1.5}] * 2


def plain_with_constraint(sampler: optuna.samplers.BaseSampler, n_trials: int) -> list[tuple[float, float]]:
    study = optuna.create_study(sampler=sampler)
    found = []
    for _ in range(n_trials):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
        trial.set_constraint("c", 0.8 - x - y)
        study.tell(trial, x + y)
        found.append((x, y))
    return found


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (TPESampler(n_startup_trials=5), optuna.samplers.TPESampler(seed=2, n_startup_trials=5)),
        (NSGAIISampler(population_size=8), optuna.samplers.NSGAIISampler(seed=2, population_size=8)),
    ],
    ids=["tpe", "nsgaii"],
)
def test_a_constrained_search_equals_plain_optunas(ours: OptunaStudy, plain: optuna.samplers.BaseSampler) -> None:
    study = opened(ours, Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}), 2)
    found = []
    for number in range(40):
        params = study.ask(TrialRef(number))
        x, y = params["x"], params["y"]
        study.tell(final(number, params, [x + y], constraints={"c": 0.8 - x - y}))
        found.append((x, y))
    assert found == plain_with_constraint(plain, 40)


# -- export ------------------------------------------------------------------------------------------------------------


def test_an_exported_study_has_the_constraints_and_parameters_asked_for() -> None:
    record = final(0, {"x": 0.5, "late": 7}, [1.0], domains={"late": LATE["late"]}, constraints={"memory": 2.0})
    (trial,) = study_of(LINE.domains, {"value": "minimize"}, [record]).trials
    assert (trial.params, trial.constraints) == ({"x": 0.5, "late": 7}, {"memory": 2.0})
    assert trial.user_attrs == {"asyncsweep:number": 0}
