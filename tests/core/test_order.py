"""`reproducible`: what an ask may know, and stop rules that take trials in the order of their numbers."""

from __future__ import annotations

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    Ask,
    Finish,
    Judge,
    Kill,
    Launch,
    Publish,
    SweepFinished,
    SweepStopping,
    Tell,
    TrialDropped,
    TrialFinished,
    TrialRetried,
    TrialSuggested,
)
from asyncsweep.core.policy import INTERRUPTED
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.errors import InvalidTransition
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    failed,
    finished,
    killed,
    pruned,
    spec,
    started,
    suggested,
    verdict_asked,
    worker_joined,
)


def settings(window: int = 2, **changes: object) -> dict[str, object]:
    return {"n_trials": 9, "reproducible": window, "concurrency": window, **changes}


def running(window: int = 2, slots: int = 0, **changes: object) -> Bench:
    """A bench on which as many trials run as the window lets begin, in as many slots unless told otherwise."""
    bench = Bench(spec(**settings(window, **changes)), worker_joined("w", slots or window))
    bench.send(*map(suggested, range(window)))
    return bench.send(*map(started, range(window))) and bench


def begun(bench: Bench, trial: int) -> None:
    """The trial that was asked for runs."""
    bench.send(suggested(trial), started(trial))


def ended(trial: int, value: float = 0.0) -> list[object]:
    return [Publish(TrialFinished(at=0.0, trial=trial, state=State.COMPLETE, metrics={"value": value}))]


def cancelled(trial: int) -> list[object]:
    return [Publish(TrialFinished(at=0.0, trial=trial, state=State.CANCELLED, metrics={}))]


def dropped(*trials: int) -> list[object]:
    return [Publish(TrialDropped(at=0.0, trial=trial)) for trial in trials]


def over(reason: str, error: ErrorInfo | None = None) -> list[object]:
    return [Publish(SweepFinished(at=0.0, reason=reason)), Finish(reason, error)]


# -- what comes before an ask -----------------------------------------------------------------------------------------------


def test_as_many_trials_begin_at_once_as_the_window_is_wide() -> None:
    bench = Bench(spec(**settings(2)))
    assert bench.send(worker_joined("w", 5)) == [Ask(0), Ask(1)]


def test_the_ask_for_a_trial_comes_after_the_tell_of_the_one_a_window_before() -> None:
    assert running().send(finished(0)) == [*ended(0), Tell(0), Ask(2)]


def test_a_trial_that_ended_early_is_told_when_its_turn_comes() -> None:
    bench = running()
    assert bench.send(finished(1)) == ended(1)
    assert bench.send(finished(0)) == [*ended(0), Tell(0), Ask(2), Tell(1), Ask(3)]


def test_a_slot_idles_until_the_trial_a_window_before_is_final() -> None:
    bench = running(3)
    assert bench.send(finished(2), finished(1)) == [*ended(2), *ended(1)]
    assert bench.machine.life.slots.n_free == 2


def test_with_fewer_slots_than_the_window_an_ask_knows_no_more() -> None:
    bench = Bench(spec(**settings(2)), worker_joined("w", 1))
    begun(bench, 0)
    assert bench.send(finished(0)) == [*ended(0), Ask(1)]
    begun(bench, 1)
    assert bench.send(finished(1)) == [*ended(1), Tell(0), Ask(2)]


def test_with_a_window_of_one_each_ask_knows_every_trial() -> None:
    bench = running(1)
    assert bench.send(finished(0)) == [*ended(0), Tell(0), Ask(1)]


def test_a_pruned_and_a_failed_trial_are_told_in_their_turn() -> None:
    bench = running()
    bench.send(failed(1))
    assert [effect for effect in bench.send(pruned(0)) if isinstance(effect, Tell | Ask)] == [
        *(Tell(0), Ask(2)),
        *(Tell(1), Ask(3)),
    ]


def test_a_trial_that_waits_for_its_parameters_holds_back_later_asks() -> None:
    bench = Bench(spec(**settings(2)), worker_joined("w", 3), suggested(1), started(1))
    assert bench.send(finished(1)) == ended(1)


def test_a_retry_holds_back_later_asks() -> None:
    bench = running(retries=1)
    bench.send(finished(1))
    assert bench.send(failed(0)) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=ERROR)),
        Launch(0, 2, "w"),
    ]
    assert bench.send(started(0, attempt=2), finished(0, attempt=2))[1:] == [
        *(*ended(0), Tell(0), Ask(2)),
        *(Tell(1), Ask(3)),
    ]


def test_a_verdict_is_asked_at_once() -> None:
    assert running().send(verdict_asked(1, 3)) == [Judge(1, 1, 3)]


def test_an_external_ask_is_refused() -> None:
    bench = running()
    assert (bench.send(ev.ExternalAsked()), bench.machine.stale) == ([], 1)


def test_what_the_user_wants_next_is_asked_for_in_its_turn() -> None:
    bench = running()
    assert bench.send(ev.Enqueued({"x": 0.1})) == []
    assert bench.send(finished(0)) == [*ended(0), Tell(0), Ask(2, {"x": 0.1})]


def test_a_cancelled_trial_is_told_in_its_turn() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0))
    assert bench.send(killed(0)) == [*cancelled(0), Tell(0), Ask(2)]


def test_a_failed_ask_is_told_in_its_turn() -> None:
    bench = Bench(spec(**settings(2)), worker_joined("w", 2))
    effects = bench.send(ev.AskFailed(0, ERROR))
    assert [effect for effect in effects if isinstance(effect, Tell | Ask)] == [Tell(0), Ask(2)]


def test_numbers_for_which_nothing_was_left_vanish() -> None:
    bench = running(n_trials=5)
    bench.send(finished(0), ev.SpaceExhausted(2))
    assert bench.send(finished(1)) == [*ended(1), Tell(1), *over("space exhausted")]
    assert len(bench.machine.trials) == 2


# -- the end ----------------------------------------------------------------------------------------------------------------


def test_the_end_tells_what_no_ask_had_to_know() -> None:
    bench = running(n_trials=2)
    bench.send(finished(1))
    assert bench.send(finished(0)) == [*ended(0), Tell(0), Tell(1), *over("n_trials reached")]


def test_a_stop_of_the_user_drops_nothing() -> None:
    bench = running()
    bench.send(finished(1), ev.StopRequested("enough", now=True))
    assert bench.send(killed(0)) == [*cancelled(0), Tell(0), Tell(1), *over("enough")]


def test_a_target_is_judged_in_the_order_of_the_numbers() -> None:
    bench = running(target=0.5)
    assert bench.send(finished(1, 0.5)) == ended(1, 0.5)
    assert bench.send(finished(0, 1.0)) == [
        *ended(0, 1.0),
        Publish(SweepStopping(at=0.0, reason="target 0.5 reached")),
        *(Tell(0), Tell(1)),
        *over("target 0.5 reached"),
    ]


def test_a_target_that_a_first_trial_reaches_drops_the_second() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0))
    assert bench.send(finished(0, 0.5)) == [
        *ended(0, 0.5),
        Publish(SweepStopping(at=0.0, reason="target 0.5 reached")),
        *dropped(1),
        Tell(0),
        *over("target 0.5 reached"),
    ]


def test_what_runs_beyond_the_stop_is_ended_and_dropped() -> None:
    bench = running(3, target=0.5)
    bench.send(finished(1, 0.0))
    assert bench.send(finished(0, 0.5)) == [
        *ended(0, 0.5),
        Publish(SweepStopping(at=0.0, reason="target 0.5 reached")),
        Kill(2, 1, "stop", 5.0),
    ]
    assert bench.send(killed(2)) == [*cancelled(2), *dropped(2, 1), Tell(0), *over("target 0.5 reached")]


def test_dropped_trials_vanish() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0), finished(0, 0.5))
    assert [trial.number for trial in bench.machine.trials] == [0]
    assert bench.machine.life.counts[State.COMPLETE] == 1


def test_a_dropped_trial_is_not_the_best() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0), finished(0, 0.5))
    assert bench.machine.best is bench.trial(0)


def test_the_best_trial_is_one_that_was_judged() -> None:
    bench = running()
    bench.send(finished(1, 0.0))
    assert bench.machine.best is None
    bench.send(finished(0, 1.0))
    assert bench.machine.best is bench.trial(1)


def test_the_first_of_equal_numbers_is_the_best_whichever_ended_first() -> None:
    bench = running()
    bench.send(finished(1, 1.0), finished(0, 1.0))
    assert bench.machine.best is bench.trial(0)


def test_patience_is_judged_in_the_order_of_the_numbers() -> None:
    bench = running(4, patience=2)
    assert bench.send(finished(3, 9.0), finished(2, 9.0), finished(1, 9.0)) == [
        *(*ended(3, 9.0), *ended(2, 9.0), *ended(1, 9.0)),
    ]
    assert bench.send(finished(0, 0.0)) == [
        *ended(0, 0.0),
        Publish(SweepStopping(at=0.0, reason="no better value in 2 trials")),
        *dropped(3),
        *(Tell(0), Tell(1), Tell(2)),
        *over("no better value in 2 trials"),
    ]


def test_failures_are_counted_in_the_order_of_the_numbers() -> None:
    bench = running(3, max_failures=0)
    failure = Publish(TrialFinished(at=0.0, trial=1, state=State.FAILED, metrics={}, error=ERROR))
    assert bench.send(failed(1), finished(2)) == [failure, *ended(2)]
    error = ErrorInfo("TooManyFailures", "1 trials failed, max_failures=0")
    assert bench.send(finished(0)) == [
        *ended(0),
        Publish(SweepStopping(at=0.0, reason=str(error))),
        *dropped(2),
        *(Tell(0), Tell(1)),
        *over(str(error), error),
    ]


def test_a_rule_that_speaks_after_a_stop_of_the_user_drops_nothing() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0), ev.StopRequested("enough"))
    assert bench.send(finished(0, 0.5)) == [*ended(0, 0.5), Tell(0), Tell(1), *over("enough")]


# -- a new process ----------------------------------------------------------------------------------------------------------


def test_the_numbers_of_dropped_trials_are_used_again() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0), finished(0, 0.5), ev.Reopened(spec(**settings())))
    assert bench.send(worker_joined("v", 2)) == [Ask(1), Tell(0), Ask(2)]
    assert bench.send(suggested(1, x=0.25)) == [
        Publish(TrialSuggested(at=0.0, trial=1, params={"x": 0.25})),
        Launch(1, 1, "v"),
    ]


def test_a_target_that_still_stands_ends_the_sweep_again() -> None:
    bench = running(target=0.5)
    bench.send(finished(1, 0.0), finished(0, 0.5))
    assert bench.send(ev.Reopened(spec(**settings(target=0.5)))) == [
        Publish(SweepStopping(at=0.0, reason="target 0.5 reached")),
        Tell(0),
        *over("target 0.5 reached"),
    ]


def test_a_new_target_that_is_met_already_keeps_every_trial() -> None:
    bench = running(n_trials=2)
    bench.send(finished(0, 0.5), finished(1, 0.0))
    assert bench.send(ev.Reopened(spec(**settings(n_trials=4, target=0.5))))[-1] == Finish("target 0.5 reached")
    assert len(bench.machine.trials) == 2


def test_a_process_that_ends_before_what_it_stopped_has_ended_leaves_the_same_sweep() -> None:
    bench = running(3, target=0.5)
    bench.send(finished(1, 0.0), finished(0, 0.5))
    effects = bench.send(ev.Reopened(spec(**settings(3, target=0.5))))
    assert effects == [
        Publish(TrialRetried(at=0.0, trial=2, attempt=1, error=INTERRUPTED)),
        Publish(SweepStopping(at=0.0, reason="target 0.5 reached")),
        *cancelled(2),
        *dropped(2, 1),
        Tell(0),
        *over("target 0.5 reached"),
    ]


def test_a_new_process_asks_again_and_tells_what_that_needs() -> None:
    bench = running(n_trials=9)
    bench.send(finished(0))  # trial 2 is asked for, and knows trial 0
    assert bench.send(ev.Reopened(spec(**settings()))) == [
        Publish(TrialRetried(at=0.0, trial=1, attempt=1, error=INTERRUPTED)),
        *(Tell(0), Ask(2)),
    ]


def test_a_new_process_tells_nothing_that_a_later_ask_has_to_know() -> None:
    bench = running(n_trials=9)
    bench.send(finished(0), suggested(2), finished(1))  # trial 3 is asked for, and knows trials 0 and 1
    assert bench.send(ev.Reopened(spec(**settings()))) == [Tell(1), Ask(3)]


def test_a_new_process_whose_asks_were_all_answered_goes_on_telling() -> None:
    bench = running(n_trials=9)
    bench.send(finished(0), suggested(2), started(2), ev.Reopened(spec(**settings())), worker_joined("v", 2))
    bench.send(started(1, attempt=2))
    assert bench.send(finished(1, attempt=2)) == [*ended(1), Tell(1), Ask(3)]


@pytest.mark.parametrize(("before", "after"), [(2, 3), (0, 2), (2, 0)])
def test_a_new_process_with_another_window_is_refused(before: int, after: int) -> None:
    bench = Bench(spec(reproducible=before))
    with pytest.raises(InvalidTransition, match=f"reproducible={after}, and it began with {before}"):
        bench.send(ev.Reopened(spec(reproducible=after)))


def test_a_finished_sweep_is_not_reopened_with_another_window() -> None:
    bench = running(n_trials=2)
    bench.send(finished(0), finished(1))
    with pytest.raises(InvalidTransition, match="reproducible=3, and it began with 2"):
        bench.send(ev.Reopened(spec(reproducible=3)))


def test_a_sweep_without_a_window_tells_each_trial_at_once() -> None:
    bench = Bench(spec(n_trials=9, concurrency=2), worker_joined("w", 2), suggested(0), suggested(1))
    bench.send(started(0), started(1))
    assert bench.send(finished(1)) == [Tell(1), *ended(1), Ask(2)]
