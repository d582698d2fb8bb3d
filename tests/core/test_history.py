"""Trials of earlier searches, which are taken in before the sweep's first trial."""

from __future__ import annotations

from array import array

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Ask, Finish, PluginFailed, Publish, Tell
from asyncsweep.core.records import PastTrial, State
from asyncsweep.errors import InvalidTransition
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    adopted,
    finished,
    spec,
    started,
    suggested,
    worker_joined,
)


def test_a_trial_of_an_earlier_search_is_told() -> None:
    assert Bench(spec()).send(adopted()) == [Tell(-1)]


def test_trials_of_earlier_searches_count_down_from_minus_one() -> None:
    bench = Bench(spec())
    assert bench.send(adopted(1.0), adopted(2.0)) == [Tell(-1), Tell(-2)]
    assert [(trial.number, trial.value) for trial in bench.machine.history] == [(-1, 1.0), (-2, 2.0)]


def test_the_record_has_all_that_is_known() -> None:
    past = PastTrial({"x": 0.25}, State.PRUNED, {"value": 3.0}, (0, 2), (5.0, 3.0), {"size": 1.0})
    bench = Bench(spec(), ev.Adopted(past))
    trial = bench.machine.history[0]
    assert (trial.state, trial.params, trial.metrics, trial.constraints) == (
        State.PRUNED,
        {"x": 0.25},
        {"value": 3.0},
        {"size": 1.0},
    )
    assert (trial.steps, trial.reported) == (array("q", [0, 2]), array("d", [5.0, 3.0]))


def test_a_trial_that_reported_nothing_has_no_reports() -> None:
    assert list(Bench(spec(), adopted()).machine.history[0].reports) == []


def test_a_failed_trial_has_no_value() -> None:
    trial = Bench(spec(), adopted(None, State.FAILED)).machine.history[0]
    assert (trial.state, trial.value) == (State.FAILED, None)


def test_history_is_told_before_the_first_ask() -> None:
    assert Bench(spec(), adopted()).send(worker_joined("w")) == [Ask(0)]


def test_history_is_no_part_of_the_sweep() -> None:
    bench = Bench(spec(n_trials=1), adopted(-1.0), adopted(-2.0), worker_joined("w"), suggested(0), started(0))
    assert bench.send(finished(0, 1.0))[-1] == Finish("n_trials reached")
    assert [trial.number for trial in bench.machine.trials] == [0]


def test_a_trial_of_an_earlier_search_is_not_the_best() -> None:
    bench = Bench(spec(), adopted(-1.0), worker_joined("w"), suggested(0), started(0), finished(0, 1.0))
    assert bench.machine.best is bench.trial(0)


def test_history_does_not_reach_the_target() -> None:
    assert Bench(spec(target=0.0), adopted(-1.0)).send(worker_joined("w")) == [Ask(0)]


def test_history_takes_no_count_of_states() -> None:
    bench = Bench(spec(), adopted())
    assert bench.machine.life.counts == dict.fromkeys(State, 0)


def test_history_after_the_first_trial_is_refused() -> None:
    bench = Bench(spec(), worker_joined("w"))
    with pytest.raises(InvalidTransition, match="has trials of its own already"):
        bench.send(adopted())


def test_a_tell_of_history_may_fail() -> None:
    bench = Bench(spec(), adopted())
    update = PluginFailed(at=0.0, where="sampler.tell", error=ERROR)
    assert bench.send(ev.TellFailed(-1, ERROR)) == [Publish(update)]


def test_a_failed_tell_of_history_that_there_is_not_is_refused() -> None:
    bench = Bench(spec(), adopted())
    with pytest.raises(InvalidTransition, match="no trial -2"):
        bench.send(ev.TellFailed(-2, ERROR))


def test_history_cannot_be_cancelled() -> None:
    bench = Bench(spec(), adopted())
    with pytest.raises(InvalidTransition, match="no trial -1"):
        bench.send(ev.TrialCancelled(-1))


def test_a_message_of_a_worker_about_history_is_ignored() -> None:
    bench = Bench(spec(), adopted())
    assert (bench.send(started(-1, 0), finished(-1, attempt=0)), bench.machine.stale) == ([], 2)


def test_history_outlives_the_process_that_took_it_in() -> None:
    bench = Bench(spec(), adopted(), ev.Reopened(spec()))
    assert [trial.number for trial in bench.machine.history] == [-1]


def test_history_is_not_told_again_by_the_machine() -> None:
    bench = Bench(spec(), adopted())
    assert bench.send(ev.Reopened(spec()), worker_joined("w")) == [Ask(0)]


def test_a_sweep_with_a_window_tells_history_at_once() -> None:
    bench = Bench(spec(reproducible=2))
    assert bench.send(adopted(), worker_joined("w")) == [Tell(-1), Ask(0)]
