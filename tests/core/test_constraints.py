"""Constraints: what an objective sets, which trials are feasible, and that no other trial is the best."""

from __future__ import annotations

import math

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Ask, Finish
from asyncsweep.core.records import State
from asyncsweep.testing.events import (
    Bench,
    constraint_set,
    failed,
    finished,
    spec,
    started,
    suggested,
    worker_joined,
)


def running(**settings: object) -> Bench:
    """A bench on which trial 0 runs on worker "w", which has one slot."""
    return Bench(spec(**settings), worker_joined("w"), suggested(0), started(0))


def after(bench: Bench, *trials: tuple[float, float | None]) -> Bench:
    """Trials that came to an end from 0 on: each with its value and its constraint."""
    for number, (value, constraint) in enumerate(trials):
        if number:
            bench.send(suggested(number), started(number))
        if constraint is not None:
            bench.send(constraint_set(number, "size", constraint))
        bench.send(finished(number, value))
    return bench


def best(bench: Bench) -> int | None:
    return None if bench.machine.best is None else bench.machine.best.number


def test_constraints_are_kept_silently_in_the_order_in_which_they_were_set() -> None:
    bench = running()
    assert bench.send(constraint_set(0, "size", 1.0), constraint_set(0, "age", -1.0)) == []
    assert list((bench.trial(0).constraints or {}).items()) == [("size", 1.0), ("age", -1.0)]


def test_the_first_value_of_a_constraint_stands() -> None:
    bench = running()
    bench.send(constraint_set(0, "size", 1.0), constraint_set(0, "age", 0.0), constraint_set(0, "size", -1.0))
    assert list((bench.trial(0).constraints or {}).items()) == [("size", 1.0), ("age", 0.0)]


def test_a_constraint_of_a_trial_that_ended_is_ignored() -> None:
    bench = running()
    bench.send(finished(0), constraint_set(0, "size", 1.0))
    assert (bench.trial(0).constraints, bench.machine.stale) == (None, 1)


def test_a_retry_forgets_the_constraints() -> None:
    bench = running(retries=1)
    bench.send(constraint_set(0, "size", 1.0), failed(0))
    assert bench.trial(0).constraints is None


def test_what_a_former_process_heard_of_constraints_is_forgotten() -> None:
    bench = running()
    bench.send(constraint_set(0, "size", 1.0), ev.Reopened(spec()))
    assert bench.trial(0).constraints is None


@pytest.mark.parametrize(("value", "feasible"), [(-1.0, True), (0.0, True), (1e-9, False), (math.nan, False)])
def test_a_trial_is_feasible_while_no_constraint_is_above_zero(value: float, feasible: bool) -> None:
    bench = running()
    bench.send(constraint_set(0, "age", -1.0), constraint_set(0, "size", value))
    assert bench.trial(0).is_feasible is feasible


def test_a_trial_without_constraints_is_feasible() -> None:
    assert running().trial(0).is_feasible


def test_an_infeasible_trial_is_complete() -> None:
    bench = running()
    bench.send(constraint_set(0, "size", 1.0), finished(0))
    assert bench.trial(0).state is State.COMPLETE


def test_an_infeasible_trial_is_not_the_best() -> None:
    assert best(after(running(n_trials=5), (2.0, 0.0), (1.0, 1.0), (3.0, -1.0))) == 0


def test_there_is_no_best_trial_while_none_is_feasible() -> None:
    assert best(after(running(n_trials=5), (2.0, 1.0))) is None


def test_an_infeasible_trial_does_not_reach_the_target() -> None:
    bench = after(running(n_trials=5, target=1.0), (0.0, 1.0))
    assert bench.effects[-1][-1] == Ask(1)


def test_an_infeasible_trial_counts_as_no_better_value() -> None:
    bench = after(running(n_trials=9, patience=2), (2.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    assert bench.effects[-1][-1] == Finish("no better value in 2 trials")


def test_infeasible_trials_before_the_first_feasible_one_count_for_patience() -> None:
    bench = after(running(n_trials=9, patience=2), (2.0, 1.0), (1.0, 1.0))
    assert bench.effects[-1][-1] == Finish("no better value in 2 trials")


def test_a_feasible_trial_that_is_better_begins_the_patience_anew() -> None:
    bench = after(running(n_trials=9, patience=2), (2.0, 0.0), (1.0, 1.0), (1.5, 0.0), (0.0, 1.0))
    assert bench.effects[-1][-1] == Ask(4)


def test_with_several_directions_an_infeasible_trial_counts_as_no_better_value() -> None:
    bench = running(n_trials=9, patience=1, directions={"value": "minimize", "cost": "minimize"})
    bench.send(constraint_set(0, "size", 1.0))
    assert bench.send(finished(0, 1.0, cost=1.0))[-1] == Finish("no better value in 1 trials")
