"""What the user does: pause, enqueue, ask for trials outside; and the rules that end a sweep."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    Ask,
    Finish,
    Kill,
    Launch,
    Publish,
    SweepFinished,
    SweepPaused,
    SweepStopping,
    SweepUnpaused,
    Tell,
    TrialFinished,
    TrialStarted,
    TrialSuggested,
)
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.testing.events import (
    Bench,
    ask_failed,
    failed,
    finished,
    killed,
    pruned,
    reported,
    spec,
    started,
    suggested,
    worker_joined,
    worker_lost,
)


def run_trials(bench: Bench, *values: float) -> list[object]:
    """Run the next trials one after the other to these values; gives the last effects."""
    effects: list[object] = []
    for value in values:
        number = len(bench.machine.trials) - 1
        bench.send(suggested(number), started(number))
        effects = list(bench.send(finished(number, value)))
    return effects


# -- pause ----------------------------------------------------------------------------------------------------------------


def test_a_pause_is_shown_once() -> None:
    assert Bench(spec()).send(ev.Paused(), ev.Paused()) == [Publish(SweepPaused(at=0.0))]


def test_a_paused_sweep_asks_for_nothing() -> None:
    bench = Bench(spec(), ev.Paused())
    assert bench.send(worker_joined("w")) == []


def test_a_paused_sweep_launches_nothing() -> None:
    bench = Bench(spec(), worker_joined("w"), ev.Paused())
    assert bench.send(suggested(0))[1:] == []


def test_a_paused_sweep_lets_what_runs_go_on() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0), started(0), ev.Paused())
    assert len(bench.send(reported(0, 1, 0.5), finished(0))) == 3


def test_an_unpaused_sweep_fills_its_slots() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w", 2), ev.Paused(), suggested(0), ev.TrialCancelled(1))
    assert bench.send(ev.Unpaused()) == [Publish(SweepUnpaused(at=0.0)), Launch(0, 1, "w"), Ask(2)]


def test_unpausing_what_is_not_paused_does_nothing() -> None:
    assert Bench(spec()).send(ev.Unpaused()) == []


def test_a_paused_sweep_finishes_when_its_budget_is_spent() -> None:
    bench = Bench(spec(n_trials=1), worker_joined("w"), suggested(0), started(0), ev.Paused())
    assert bench.send(finished(0))[-1] == Finish("n_trials reached")


def test_a_paused_sweep_with_budget_left_does_not_finish() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0), started(0), ev.Paused())
    assert bench.send(finished(0))[2:] == []


# -- enqueue and external trials ------------------------------------------------------------------------------------------


def test_enqueued_parameters_are_tried_next() -> None:
    bench = Bench(spec(), ev.Enqueued({"x": 0.1}), ev.Enqueued({"x": 0.2}))
    assert bench.send(worker_joined("w", 2)) == [Ask(0, {"x": 0.1}), Ask(1, {"x": 0.2})]


def test_enqueued_parameters_are_tried_once() -> None:
    bench = Bench(spec(), ev.Enqueued({"x": 0.1}))
    assert bench.send(worker_joined("w", 2)) == [Ask(0, {"x": 0.1}), Ask(1)]
    assert [trial.fixed for trial in bench.machine.trials] == [{"x": 0.1}, None]


def test_an_external_trial_is_asked_for_without_a_worker() -> None:
    assert Bench(spec()).send(ev.ExternalAsked()) == [Ask(0)]


def test_an_external_trial_runs_as_soon_as_it_has_parameters() -> None:
    bench = Bench(spec(), ev.ExternalAsked())
    assert bench.send(suggested(0)) == [
        Publish(TrialSuggested(at=0.0, trial=0, params={"x": 0.5})),
        Publish(TrialStarted(at=0.0, trial=0, attempt=1, worker=None)),
    ]


def test_an_external_trial_takes_no_slot() -> None:
    bench = Bench(spec(), ev.ExternalAsked())
    assert bench.send(worker_joined("w")) == [Ask(1)]


def test_an_external_trial_is_told_its_result() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0))
    assert bench.send(finished(0, 2.0)) == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.COMPLETE, metrics={"value": 2.0})),
    ]


def test_an_external_trial_counts_towards_the_budget() -> None:
    bench = Bench(spec(n_trials=1), ev.ExternalAsked())
    assert bench.send(worker_joined("w")) == []


def test_no_external_trial_is_given_beyond_the_budget() -> None:
    bench = Bench(spec(n_trials=1), ev.ExternalAsked())
    assert (bench.send(ev.ExternalAsked()), bench.machine.stale) == ([], 1)


def test_an_external_trial_is_not_retried() -> None:
    bench = Bench(spec(retries=3), ev.ExternalAsked(), suggested(0), failed(0))
    assert bench.trial(0).state is State.FAILED


def test_an_external_trial_that_is_cancelled_is_final() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0), ev.TrialCancelled(0))
    assert bench.trial(0).state is State.CANCELLED


def test_a_stop_waits_for_an_external_trial() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0))
    assert bench.send(ev.StopRequested("enough"))[1:] == []
    assert bench.send(finished(0))[-1] == Finish("enough")


def test_a_stop_now_cancels_an_external_trial() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0))
    assert bench.send(ev.StopRequested("enough", now=True))[-1] == Finish("enough")


def test_an_external_trial_has_no_time_limit() -> None:
    bench = Bench(spec(trial_timeout=1.0), ev.ExternalAsked())
    assert len(bench.send(suggested(0))) == 2


def test_an_external_trial_cannot_be_started_by_a_worker() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0))
    assert (bench.send(started(0)), bench.machine.stale) == ([], 1)


def test_an_external_trial_is_given_while_paused() -> None:
    assert Bench(spec(), ev.Paused()).send(ev.ExternalAsked()) == [Ask(0)]


def test_an_external_trial_that_fails_to_get_parameters_fails() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), ask_failed(0))
    assert (bench.trial(0).state, bench.machine.life.n_asked) == (State.FAILED, 0)


# -- the rules that end a sweep -------------------------------------------------------------------------------------------


def test_the_least_value_is_the_best() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"))
    run_trials(bench, 2.0, 1.0, 3.0)
    assert bench.machine.best is bench.trial(1)


def test_the_greatest_value_is_the_best_when_maximizing() -> None:
    bench = Bench(spec(n_trials=9, directions={"value": "maximize"}), worker_joined("w"))
    run_trials(bench, 2.0, 3.0, 1.0)
    assert bench.machine.best is bench.trial(1)


def test_the_first_of_equal_values_is_the_best() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"))
    run_trials(bench, 2.0, 2.0)
    assert bench.machine.best is bench.trial(0)


def test_a_value_of_zero_can_be_the_best() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"))
    run_trials(bench, 1.0, 0.0, 1.0)
    assert bench.machine.best is bench.trial(1)


def test_there_is_no_best_before_the_first_result() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"), suggested(0), started(0))
    bench.send(reported(0, 1, -5.0), pruned(0))
    assert bench.machine.best is None


def test_there_is_no_best_with_several_directions() -> None:
    bench = Bench(spec(directions={"value": "minimize", "b": "minimize"}), worker_joined("w"), suggested(0), started(0))
    bench.send(finished(0, 1.0, b=2.0))
    assert bench.machine.best is None


def test_a_target_that_is_reached_ends_the_sweep() -> None:
    bench = Bench(spec(n_trials=9, target=1.0), worker_joined("w"))
    assert run_trials(bench, 1.5)[-1] == Ask(1)
    assert run_trials(bench, 1.0)[2:] == [
        Publish(SweepStopping(at=0.0, reason="target 1.0 reached")),
        Publish(SweepFinished(at=0.0, reason="target 1.0 reached")),
        Finish("target 1.0 reached"),
    ]


def test_a_target_is_reached_from_below_when_maximizing() -> None:
    bench = Bench(spec(n_trials=9, target=1.0, directions={"value": "maximize"}), worker_joined("w"))
    assert run_trials(bench, 0.5)[-1] == Ask(1)
    assert run_trials(bench, 1.5)[-1] == Finish("target 1.0 reached")


def test_a_target_that_is_reached_ends_what_runs() -> None:
    bench = Bench(
        spec(n_trials=9, target=1.0), worker_joined("w", 2), suggested(0), started(0), suggested(1), started(1)
    )
    assert bench.send(finished(0, 0.5))[-1] == Kill(1, 1, "stop", 5.0)


def test_patience_ends_a_sweep_that_does_not_improve() -> None:
    bench = Bench(spec(n_trials=9, patience=2), worker_joined("w"))
    assert run_trials(bench, 3.0, 3.0)[-1] == Ask(2)
    assert run_trials(bench, 4.0)[-1] == Finish("no better value in 2 trials")


def test_patience_begins_anew_with_each_better_value() -> None:
    bench = Bench(spec(n_trials=9, patience=2), worker_joined("w"))
    assert run_trials(bench, 3.0, 3.0, 2.0, 2.0)[-1] == Ask(4)
    assert run_trials(bench, 2.5)[-1] == Finish("no better value in 2 trials")


def test_pruned_trials_try_the_patience() -> None:
    bench = Bench(spec(n_trials=9, patience=1), worker_joined("w"), suggested(0), started(0))
    assert bench.send(pruned(0))[-1] == Finish("no better value in 1 trials")


def test_failed_and_cancelled_trials_do_not_try_the_patience() -> None:
    bench = Bench(spec(n_trials=9, patience=1), worker_joined("w"), suggested(0), started(0), failed(0))
    bench.send(suggested(1), started(1), ev.TrialCancelled(1))
    assert bench.send(killed(1))[-1] == Ask(2)


def test_too_many_failures_end_the_sweep_with_an_error() -> None:
    bench = Bench(spec(n_trials=9, max_failures=1), worker_joined("w"), suggested(0), started(0), failed(0))
    error = ErrorInfo("TooManyFailures", "2 trials failed, max_failures=1")
    bench.send(suggested(1), started(1))
    assert bench.send(failed(1))[2:] == [
        Publish(SweepStopping(at=0.0, reason=str(error))),
        Publish(SweepFinished(at=0.0, reason=str(error))),
        Finish(str(error), error),
    ]


def test_a_rule_that_is_met_after_a_stop_ends_nothing_more() -> None:
    bench = Bench(
        spec(n_trials=9, target=1.0), worker_joined("w", 2), suggested(0), started(0), suggested(1), started(1)
    )
    bench.send(ev.StopRequested("enough"))
    assert bench.send(finished(0, 0.5))[2:] == []
    assert bench.send(finished(1, 0.5))[-1] == Finish("enough")


def test_max_failures_of_zero_ends_at_the_first_failure() -> None:
    bench = Bench(spec(n_trials=9, max_failures=0), worker_joined("w"), suggested(0), started(0))
    assert isinstance(bench.send(worker_lost("w"))[-1], Finish)


def test_failures_that_were_retried_do_not_count() -> None:
    bench = Bench(spec(n_trials=9, max_failures=0, retries=1), worker_joined("w"), suggested(0), started(0))
    assert bench.send(failed(0))[-1] == Launch(0, 2, "w")


def test_a_failed_ask_counts_as_a_failure() -> None:
    bench = Bench(spec(n_trials=9, max_failures=0), worker_joined("w"))
    assert isinstance(bench.send(ask_failed(0))[-1], Finish)
