"""Optuna's pruners behind our contract."""

from __future__ import annotations

import optuna
import pytest

from asyncsweep.core.records import State
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner, TrialRef, VerdictSteps
from asyncsweep.samplers.named import TPESampler
from asyncsweep.samplers.optuna_pruner import OptunaPruner
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Float, Space
from tests.samplers.optuna_driver import final, opened, trials

LINE = Space({"x": Float(0.0, 1.0)})
Threshold = optuna.pruners.ThresholdPruner


def alone(pruner: optuna.pruners.BasePruner) -> OptunaPruner:
    """A pruner beside a sampler that is not Optuna's."""
    made = OptunaPruner(pruner)
    made.open("minimize", 0, "0")
    return made


def beside(pruner: optuna.pruners.BasePruner) -> tuple[OptunaStudy, OptunaPruner]:
    """A pruner beside Optuna's TPE."""
    study = TPESampler()
    made = OptunaPruner(pruner, study)
    opened(study, LINE)
    made.open("minimize", 0, "0")
    return study, made


def halving() -> optuna.pruners.BasePruner:
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1)


def verdict(pruner: OptunaPruner, number: int, *reports: tuple[int, float]) -> bool:
    for step, value in reports:
        pruner.report(number, step, value)
    return pruner.judge(number, reports[-1][0])


def test_the_optuna_pruner_keeps_the_contract_in_the_sampler_host() -> None:
    made = OptunaPruner(Threshold(upper=1.0))
    assert isinstance(made, Pruner) and OptunaPruner.host == "process"


def test_an_optuna_pruner_works_beside_another_sampler() -> None:
    made = alone(Threshold(upper=1.0))
    verdicts = []
    for number, value in enumerate([0.5, 2.0]):
        verdicts.append(verdict(made, number, (0, value)))
        made.finish(final(number, {"x": 0.5}, [value]))
    assert verdicts == [False, True]


def test_a_pruner_alone_compares_with_the_first_metric_whatever_its_name() -> None:
    made = alone(optuna.pruners.NopPruner())
    made.finish(final(0, {"x": 0.5}, [1.0], metrics={"loss": 0.25, "size": 9.0}))
    assert [trial.values for trial in trials(made._study)] == [[0.25]]


def test_a_pruner_alone_learns_from_trials_that_ended() -> None:
    made = alone(optuna.pruners.MedianPruner(n_startup_trials=1))
    made.finish(final(0, {"x": 0.5}, [1.0, 1.0]))
    assert [verdict(made, number, (0, value)) for number, value in ((1, 0.5), (2, 2.0))] == [False, True]


def test_a_pruner_beside_an_optuna_sampler_shares_its_study() -> None:
    study, made = beside(Threshold(upper=1.0))
    params = study.ask(TrialRef(0))
    verdict(made, 0, (0, 2.0))
    study.tell(final(0, params, [2.0], State.PRUNED))
    made.finish(final(0, params, [2.0], State.PRUNED))
    found = [(trial.params, trial.state.name, trial.intermediate_values) for trial in trials(study)]
    assert found == [(params, "PRUNED", {0: 2.0})]


def test_an_optuna_pruner_judges_a_trial_that_ran_at_the_crash() -> None:
    study, made = beside(Threshold(upper=1.0))
    study.tell(final(1, {"x": 0.5}, [0.5]))
    study.ask(TrialRef(2))
    assert verdict(made, 0, (0, 2.0))


def test_reports_of_a_trial_that_is_told_as_a_whole_begin_no_trial() -> None:
    study, made = beside(Threshold(upper=1.0))
    record = final(-1, {"x": 0.5}, [3.0])
    made.report(-1, 0, 3.0)
    study.tell(record)
    made.finish(record)
    assert [(trial.state.name, trial.intermediate_values) for trial in trials(study)] == [("COMPLETE", {0: 3.0})]


def test_a_retried_trial_is_judged_on_its_new_reports_alone() -> None:
    study, made = beside(Threshold(upper=1.0))
    params = study.ask(TrialRef(0))
    verdicts = []
    for value in (2.0, 0.5):
        made.restart(0)
        verdicts.append(verdict(made, 0, (0, value)))
    study.tell(final(0, params, [0.5]))
    assert verdicts == [True, False]
    assert [trial.intermediate_values for trial in trials(study)] == [{0: 0.5}]


def test_reports_before_a_retry_are_forgotten_also_when_no_verdict_was_asked_for() -> None:
    made = alone(Threshold(upper=1.0))
    made.report(0, 0, 2.0)
    made.restart(0)
    verdict(made, 0, (1, 0.5))
    assert [trial.intermediate_values for trial in trials(made._study)] == [{1: 0.5}]


def test_a_retried_trial_begins_on_the_first_rung_of_successive_halving() -> None:
    made = alone(halving())
    for _ in range(2):
        made.restart(0)
        verdict(made, 0, (1, 3.0))
        assert [trial.system_attrs for trial in trials(made._study)] == [{"completed_rung_0": 3.0}]
        verdict(made, 0, (4, 2.0))


def test_a_step_reported_twice_counts_once() -> None:
    made = alone(Threshold(upper=1.5))
    assert not verdict(made, 0, (0, 1.0), (0, 2.0))


def test_the_attributes_of_a_verdict_are_the_pruners_and_given_out_once() -> None:
    study, made = beside(halving())
    study.ask(TrialRef(0))
    verdict(made, 0, (1, 3.0))
    assert (study.attrs(0), made.attrs(0), made.attrs(0)) == ({}, {"completed_rung_0": 3.0}, {})


def test_the_attributes_of_the_sampler_are_not_the_pruners() -> None:
    study, made = beside(halving())
    for number in range(10):
        study.tell(final(number, study.ask(TrialRef(number)), [1.0]))
    study.ask(TrialRef(10))
    verdict(made, 10, (1, 3.0))
    assert list(made.attrs(10)) == ["completed_rung_0"] and list(study.attrs(10)) == ["tpe:relative_params:0"]


def test_restored_attributes_put_a_running_trial_back_on_its_rung() -> None:
    study, made = beside(halving())
    study.pending(final(0, {"x": 0.5}, [], State.RUNNING))
    made.restore(0, {"completed_rung_0": 3.0})
    verdict(made, 0, (1, 3.0), (4, 2.0))
    assert (study.attrs(0), made.attrs(0)) == ({}, {"completed_rung_1": 2.0})


def test_what_the_pruner_kept_of_a_pending_trial_is_not_the_samplers_and_goes_with_a_retry() -> None:
    study, made = beside(halving())
    study.pending(final(0, {"x": 0.5}, [], State.RUNNING, pruner_attrs={"completed_rung_0": 3.0}))
    given_out = study.attrs(0)
    made.restart(0)
    assert (given_out, [trial.system_attrs for trial in trials(study)]) == ({}, [{}])


def test_both_kinds_of_attributes_come_back_with_a_final_trial() -> None:
    study, _ = beside(halving())
    study.tell(final(0, {"x": 0.5}, [1.0], attrs={"mine": 1}, pruner_attrs={"completed_rung_0": 3.0}))
    assert [trial.system_attrs for trial in trials(study)] == [{"mine": 1, "completed_rung_0": 3.0}]


def test_a_pruner_after_a_restart_decides_as_one_without() -> None:
    reports = [(number, [(step, (number * 7 % 5) + 1.0 / step) for step in (1, 2, 4)]) for number in range(12)]
    verdicts = []
    for restart_at in (None, 6):
        made = alone(halving())
        told = []
        found = []
        for number, steps in reports:
            if number == restart_at:
                made = alone(halving())
                for record in told:
                    made.finish(record)
            kept: dict[str, float] = {}
            for report in steps:
                found.append(verdict(made, number, report))
                kept |= made.attrs(number)
            told.append(final(number, {}, [value for _, value in steps], pruner_attrs=kept))
            made.finish(told[-1])
        verdicts.append(found)
    assert verdicts[0] == verdicts[1] and {True, False} <= set(verdicts[0])


def test_a_pruner_and_several_directions_are_refused() -> None:
    study = TPESampler()
    OptunaPruner(optuna.pruners.MedianPruner(), study)
    with pytest.raises(ConfigError, match="pruner: Optuna's pruners take one direction, got loss, size"):
        study.open(LINE, {"loss": "minimize", "size": "minimize"}, 0)


def test_a_verdict_may_come_at_every_step() -> None:
    assert OptunaPruner(optuna.pruners.MedianPruner()).verdict_steps() == VerdictSteps(0, 1)
