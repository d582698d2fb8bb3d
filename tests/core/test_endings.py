"""Ends that the outside brings about: time limits, kills, lost workers, cancelled trials, stops."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    Ask,
    CancelTimer,
    Finish,
    Kill,
    Launch,
    Publish,
    SetTimer,
    SweepFinished,
    SweepStopping,
    Tell,
    TrialDropped,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    failed,
    finished,
    killed,
    launch_failed,
    pruned,
    spec,
    started,
    suggested,
    worker_joined,
    worker_lost,
)

TIMEOUT = ErrorInfo("TrialTimeout", "ran longer than trial_timeout=10.0 s")
LOST = ErrorInfo("WorkerLost", "killed by SIGKILL")


def running(**settings: object) -> Bench:
    """A bench on which trial 0 runs on worker "w", which has one slot."""
    return Bench(spec(**settings), worker_joined("w"), suggested(0), started(0))


def ended(state: State, error: ErrorInfo | None = None, trial: int = 0) -> list[object]:
    return [Tell(trial), Publish(TrialFinished(at=0.0, trial=trial, state=state, metrics={}, error=error))]


def over(reason: str, error: ErrorInfo | None = None) -> list[object]:
    return [Publish(SweepFinished(at=0.0, reason=reason)), Finish(reason, error)]


# -- time limits ----------------------------------------------------------------------------------------------------------


def test_an_attempt_under_a_time_limit_sets_its_timer() -> None:
    bench = Bench(spec(trial_timeout=10.0), worker_joined("w"), suggested(0))
    assert bench.send(started(0)) == [
        Publish(TrialStarted(at=0.0, trial=0, attempt=1, worker="w")),
        SetTimer(0, 1, 10.0),
    ]


def test_an_attempt_that_ends_cancels_its_timer() -> None:
    assert running(trial_timeout=10.0).send(finished(0))[0] == CancelTimer(0, 1)


def test_a_timer_that_fires_kills_the_attempt() -> None:
    assert running(trial_timeout=10.0, grace_s=3.0).send(ev.TimerFired(0, 1)) == [Kill(0, 1, "trial_timeout", 3.0)]


def test_a_killed_attempt_that_was_too_slow_fails() -> None:
    bench = running(trial_timeout=10.0)
    bench.send(ev.TimerFired(0, 1))
    assert bench.send(killed(0)) == [*ended(State.FAILED, TIMEOUT), Ask(1)]


def test_an_attempt_that_was_too_slow_is_retried() -> None:
    bench = running(trial_timeout=10.0, retries=1)
    bench.send(ev.TimerFired(0, 1))
    assert bench.send(killed(0)) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=TIMEOUT)),
        Launch(0, 2, "w"),
    ]


def test_a_timer_that_was_cancelled_does_nothing() -> None:
    bench = running(trial_timeout=10.0)
    bench.send(finished(0))
    assert (bench.send(ev.TimerFired(0, 1)), bench.machine.stale) == ([], 1)


def test_a_timer_that_was_never_set_does_nothing() -> None:
    bench = running()
    assert (bench.send(ev.TimerFired(0, 1), ev.TimerFired(-1, 0)), bench.machine.stale) == ([], 2)


def test_a_time_limit_does_not_hide_that_the_trial_was_cancelled() -> None:
    bench = running(trial_timeout=10.0, retries=1)
    bench.send(ev.TrialCancelled(0), ev.TimerFired(0, 1))
    assert bench.send(killed(0))[:2] == ended(State.CANCELLED)


def test_a_trial_that_was_too_slow_can_be_cancelled() -> None:
    bench = running(trial_timeout=10.0, retries=1)
    bench.send(ev.TimerFired(0, 1))
    assert bench.send(ev.TrialCancelled(0)) == []
    assert bench.send(killed(0))[:2] == ended(State.CANCELLED)


def test_a_stop_now_cancels_a_trial_that_was_too_slow() -> None:
    bench = running(trial_timeout=10.0)
    bench.send(ev.TimerFired(0, 1), ev.StopRequested("enough", now=True))
    assert bench.send(killed(0))[:2] == ended(State.CANCELLED)


def test_an_attempt_that_starts_while_it_is_killed_has_no_timer() -> None:
    bench = Bench(spec(trial_timeout=10.0), worker_joined("w"), suggested(0), ev.TrialCancelled(0))
    assert bench.send(started(0)) == [Publish(TrialStarted(at=0.0, trial=0, attempt=1, worker="w"))]


def test_a_sweep_under_a_time_limit_sets_its_timer() -> None:
    assert Bench(spec(timeout=60.0)).effects == [[SetTimer(-1, 0, 60.0)]]


def test_the_sweeps_time_limit_ends_what_runs() -> None:
    assert running(timeout=60.0).send(ev.TimerFired(-1)) == [
        Publish(SweepStopping(at=0.0, reason="timeout")),
        Kill(0, 1, "stop", 5.0),
    ]


def test_a_sweep_that_ends_cancels_its_timer() -> None:
    assert running(timeout=60.0, n_trials=1).send(finished(0))[2:] == [CancelTimer(-1, 0), *over("n_trials reached")]


# -- kills and lost workers -----------------------------------------------------------------------------------------------


def test_a_slot_stays_taken_until_the_kill_is_done() -> None:
    bench = running(n_trials=5)
    bench.send(ev.TrialCancelled(0))
    assert bench.send(finished(0))[2:] == []
    assert bench.send(killed(0)) == [Ask(1)]


def test_a_result_that_comes_before_the_kill_counts() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0), finished(0, 1.5), killed(0))
    assert (bench.trial(0).state, bench.trial(0).value) == (State.COMPLETE, 1.5)


def test_a_pruning_that_comes_before_the_kill_counts() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0), pruned(0), killed(0))
    assert bench.trial(0).state is State.PRUNED


def test_an_error_of_a_cancelled_trial_is_no_failure() -> None:
    bench = running(retries=1)
    bench.send(ev.TrialCancelled(0))
    assert bench.send(failed(0)) == ended(State.CANCELLED)


def test_a_retry_does_not_take_the_slot_of_the_attempt_that_is_killed() -> None:
    bench = running(retries=1, trial_timeout=10.0)
    bench.send(ev.TimerFired(0, 1))
    assert bench.send(failed(0)) == [Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=TIMEOUT))]
    assert bench.send(killed(0)) == [Launch(0, 2, "w")]


def test_a_kill_that_is_done_late_leaves_the_next_attempt_alone() -> None:
    bench = running(retries=1, trial_timeout=10.0)
    bench.send(ev.TimerFired(0, 1), worker_joined("v"), failed(0), started(0, attempt=2))
    assert bench.send(killed(0)) == []
    assert (bench.trial(0).state, bench.trial(0).worker) == (State.RUNNING, "v")


def test_the_sweep_does_not_finish_before_its_kills() -> None:
    bench = running(n_trials=1)
    bench.send(ev.TrialCancelled(0))
    assert bench.send(finished(0))[2:] == []
    assert bench.send(killed(0)) == over("n_trials reached")


def test_the_trials_of_a_lost_worker_fail() -> None:
    assert running(n_trials=1).send(worker_lost("w")) == [*ended(State.FAILED, LOST), *over("n_trials reached")]


def test_the_trials_of_a_lost_worker_are_retried_on_another() -> None:
    bench = running(retries=1, n_trials=1)
    bench.send(worker_joined("v"))
    assert bench.send(worker_lost("w")) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=LOST)),
        Launch(0, 2, "v"),
    ]


def test_the_trials_of_other_workers_go_on() -> None:
    bench = running()
    bench.send(worker_joined("v"), suggested(1), started(1), worker_lost("w"))
    assert [trial.state for trial in bench.machine.trials] == [State.FAILED, State.RUNNING]


def test_a_launched_trial_of_a_lost_worker_fails() -> None:
    bench = Bench(spec(n_trials=1), worker_joined("w"), suggested(0))
    assert bench.send(worker_lost("w"))[:2] == ended(State.FAILED, LOST)


def test_a_free_worker_is_lost_silently() -> None:
    bench = running(n_trials=1)
    bench.send(worker_joined("v"))
    assert bench.send(worker_lost("v")) == []


def test_the_free_slots_of_a_lost_worker_are_not_filled() -> None:
    bench = Bench(spec(), worker_joined("w", 3), worker_lost("w"))
    assert (bench.machine.life.slots.n_free, bench.send(suggested(0))[1:]) == (0, [])


def test_a_killed_attempt_whose_worker_is_lost_is_cancelled() -> None:
    bench = running(n_trials=1)
    bench.send(ev.TrialCancelled(0))
    assert bench.send(worker_lost("w")) == ended(State.CANCELLED)
    assert bench.send(killed(0)) == over("n_trials reached")


def test_a_launch_that_failed_while_it_was_killed_is_cancelled() -> None:
    bench = Bench(spec(retries=1), worker_joined("w"), suggested(0), ev.TrialCancelled(0))
    assert bench.send(launch_failed(0)) == ended(State.CANCELLED)


def test_slots_are_filled_in_the_order_of_the_workers_joining() -> None:
    bench = Bench(spec(n_trials=4), worker_joined("a", 2), worker_joined("b", 1))
    launches = [effect for effect in bench.send(suggested(0), suggested(1), suggested(2)) if isinstance(effect, Launch)]
    assert [launch.worker for launch in launches] == ["a", "a", "b"]


# -- cancelled trials -----------------------------------------------------------------------------------------------------


def test_a_running_trial_that_is_cancelled_is_killed() -> None:
    bench = running(grace_s=2.0)
    assert bench.send(ev.TrialCancelled(0)) == [Kill(0, 1, "cancelled", 2.0)]
    assert bench.send(killed(0)) == [*ended(State.CANCELLED), Ask(1)]


def test_a_trial_is_killed_once() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0))
    assert bench.send(ev.TrialCancelled(0)) == []


def test_a_launched_trial_that_is_cancelled_is_killed() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    assert bench.send(ev.TrialCancelled(0)) == [Kill(0, 1, "cancelled", 5.0)]


def test_a_waiting_trial_that_is_cancelled_is_final() -> None:
    bench = Bench(spec(), worker_joined("w"), worker_lost("w"), suggested(0))
    assert bench.send(ev.TrialCancelled(0)) == ended(State.CANCELLED)
    assert bench.send(worker_joined("v")) == [Ask(1)]


def test_an_asked_trial_that_is_cancelled_is_final_and_another_one_is_asked_for() -> None:
    bench = Bench(spec(), worker_joined("w"))
    assert bench.send(ev.TrialCancelled(0)) == [*ended(State.CANCELLED), Ask(1)]


def test_an_answer_for_a_cancelled_trial_is_dropped() -> None:
    bench = Bench(spec(), worker_joined("w"), ev.TrialCancelled(0))
    assert bench.send(suggested(0)) == []
    assert bench.trial(0).params == {}


def test_a_failed_answer_for_a_cancelled_trial_is_reported_alone() -> None:
    bench = Bench(spec(), worker_joined("w"), ev.TrialCancelled(0))
    assert len(bench.send(ev.AskFailed(0, ERROR))) == 1


def test_an_exhausted_answer_for_a_cancelled_trial_ends_the_asking() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"), ev.TrialCancelled(0))
    bench.send(ev.SpaceExhausted(0), suggested(1), started(1))
    assert bench.send(finished(1))[2:] == over("space exhausted")


def test_cancelling_a_final_trial_does_nothing() -> None:
    bench = running()
    bench.send(finished(0))
    assert bench.send(ev.TrialCancelled(0)) == []


# -- stops ----------------------------------------------------------------------------------------------------------------


def test_a_stop_lets_what_runs_go_on() -> None:
    bench = running(n_trials=5)
    assert bench.send(ev.StopRequested("enough")) == [Publish(SweepStopping(at=0.0, reason="enough"))]
    assert bench.send(finished(0))[2:] == over("enough")


def test_a_stop_without_a_reason_says_stopped() -> None:
    assert Bench(spec()).send(ev.StopRequested()) == [
        Publish(SweepStopping(at=0.0, reason="stopped")),
        *over("stopped"),
    ]


def test_a_stop_now_kills_what_runs() -> None:
    bench = running(n_trials=5)
    assert bench.send(ev.StopRequested("enough", now=True))[1:] == [Kill(0, 1, "stop", 5.0)]
    assert bench.send(killed(0)) == [*ended(State.CANCELLED), *over("enough")]


def test_a_stop_can_become_a_stop_now() -> None:
    bench = running(n_trials=5)
    bench.send(ev.StopRequested("enough"))
    assert bench.send(ev.StopRequested("now", now=True)) == [Kill(0, 1, "stop", 5.0)]
    assert bench.send(killed(0))[-1] == Finish("enough")


def test_a_stop_takes_back_what_waits() -> None:
    bench = running()
    bench.send(worker_joined("v"), worker_lost("v"), suggested(1))
    assert bench.send(ev.StopRequested("enough"))[1:] == [Publish(TrialDropped(at=0.0, trial=1))]


def test_a_stop_takes_back_what_was_asked() -> None:
    bench = Bench(spec(), worker_joined("w"))
    assert bench.send(ev.StopRequested("enough"))[1:] == [Publish(TrialDropped(at=0.0, trial=0)), *over("enough")]
    assert bench.machine.trials == []


def test_what_the_user_enqueued_stays_enqueued_when_a_stop_takes_it_back() -> None:
    bench = Bench(spec(), ev.Enqueued({"x": 0.25}), ev.Enqueued({"x": 0.75}), worker_joined("w"))
    bench.send(ev.StopRequested("enough"), ev.Reopened(spec()))
    assert bench.send(worker_joined("v", slots=2)) == [Ask(0, {"x": 0.25}), Ask(1, {"x": 0.75})]


def test_an_answer_for_a_trial_that_was_taken_back_is_dropped() -> None:
    bench = Bench(spec(n_trials=3), worker_joined("w", slots=2), suggested(0), started(0))
    bench.send(ev.StopRequested("enough"))
    assert bench.send(suggested(1)) == []


def test_a_stop_lets_what_was_launched_go_on() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    assert bench.send(ev.StopRequested("enough"))[1:] == []
    assert bench.send(started(0), finished(0))[-1] == Finish("enough")


def test_nothing_is_retried_after_a_stop() -> None:
    bench = running(retries=5)
    bench.send(ev.StopRequested("enough"))
    assert bench.send(failed(0)) == [*ended(State.FAILED, ERROR), *over("enough")]


def test_a_stop_while_a_worker_joins_asks_for_nothing() -> None:
    bench = running(n_trials=5)
    bench.send(ev.StopRequested("enough"))
    assert bench.send(worker_joined("v")) == []


def test_an_executor_that_failed_ends_the_sweep_with_its_error() -> None:
    bench = running()
    assert bench.send(ev.ExecutorFailed(ERROR)) == [
        Publish(SweepStopping(at=0.0, reason="ValueError: boom")),
        Kill(0, 1, "stop", 5.0),
    ]
    assert bench.send(killed(0))[-1] == Finish("ValueError: boom", ERROR)


def test_the_first_error_of_an_executor_stands() -> None:
    bench = running()
    bench.send(ev.ExecutorFailed(ERROR), ev.ExecutorFailed(LOST))
    assert bench.send(killed(0))[-1] == Finish("ValueError: boom", ERROR)
