"""A new process goes on with a sweep."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    Ask,
    CancelTimer,
    Finish,
    Launch,
    Publish,
    SetTimer,
    SweepFinished,
    SweepUnpaused,
    Tell,
    TrialFinished,
    TrialRetried,
)
from asyncsweep.core.policy import INTERRUPTED
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    ask_failed,
    failed,
    finished,
    reported,
    spec,
    started,
    suggested,
    worker_joined,
)


def running(**settings: object) -> Bench:
    """A bench on which trial 0 runs on worker "w", which has one slot."""
    return Bench(spec(**settings), worker_joined("w"), suggested(0), started(0))


def reopened(**settings: object) -> ev.Reopened:
    return ev.Reopened(spec(**settings))


def test_a_running_trial_waits_for_a_new_attempt() -> None:
    assert running().send(reopened()) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=INTERRUPTED)),
    ]


def test_an_interrupted_attempt_consumes_no_retry() -> None:
    bench = running(retries=1)
    bench.send(reopened(retries=1), worker_joined("v"), started(0, attempt=2))
    assert bench.send(failed(0, attempt=2))[-1] == Launch(0, 3, "v")
    assert bench.trial(0).failures == (ERROR,)


def test_an_interrupted_trial_starts_clean() -> None:
    bench = running()
    bench.send(reported(0, 4, 0.5), reported(0, 2, 0.1), ev.AttrSet(0, 1, "a", 1), reopened())
    trial = bench.trial(0)
    assert (trial.state, trial.steps, trial.attrs, trial.worker, trial.rising) == (
        State.WAITING,
        None,
        None,
        None,
        True,
    )


def test_a_launched_trial_waits_silently_for_a_new_attempt() -> None:
    bench = Bench(spec(n_trials=1), worker_joined("w"), suggested(0))
    assert bench.send(reopened(n_trials=1)) == []
    assert bench.send(worker_joined("v")) == [Launch(0, 2, "v")]


def test_what_waited_goes_on_waiting_by_number() -> None:
    bench = Bench(spec(), worker_joined("w", 2), ev.Paused(), suggested(1), suggested(0), reopened())
    assert bench.send(worker_joined("v", 2), ev.Unpaused()) == [
        Publish(SweepUnpaused(at=0.0)),
        Launch(0, 1, "v"),
        Launch(1, 1, "v"),
    ]


def test_what_was_asked_is_asked_again() -> None:
    bench = Bench(spec(), ev.Enqueued({"x": 0.1}), worker_joined("w"))
    assert bench.send(reopened()) == [Ask(0, {"x": 0.1})]


def test_an_asked_trial_is_not_asked_for_twice_when_a_worker_joins() -> None:
    bench = Bench(spec(), worker_joined("w"), reopened())
    assert bench.send(worker_joined("v")) == []


def test_the_workers_of_the_former_process_are_gone() -> None:
    bench = running()
    bench.send(reopened())
    assert (bench.machine.life.slots.n_free, bench.machine.life.slots.jobs) == (0, {})


def test_a_cancelled_trial_is_not_taken_up_again() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0))
    assert bench.send(reopened()) == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.CANCELLED, metrics={})),
    ]


def test_a_cancelled_trial_is_not_taken_up_again_after_a_stop() -> None:
    bench = running()
    bench.send(ev.TrialCancelled(0), ev.StopRequested(now=True), reopened())
    assert bench.trial(0).state is State.CANCELLED


def test_a_stopped_trial_is_taken_up_again() -> None:
    bench = running()
    bench.send(ev.StopRequested(now=True), reopened())
    assert (bench.trial(0).state, bench.trial(0).kill_reason) == (State.WAITING, None)


def test_a_trial_cancelled_after_the_stop_is_not_taken_up_again() -> None:
    bench = running()
    bench.send(ev.StopRequested(now=True), ev.TrialCancelled(0), reopened())
    assert bench.trial(0).state is State.CANCELLED


def test_an_external_trial_ends_with_the_process_that_took_it() -> None:
    bench = Bench(spec(), ev.ExternalAsked(), suggested(0))
    error = ErrorInfo("WorkerLost", "the process that took this trial with run.ask() has ended")
    assert bench.send(reopened()) == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.CANCELLED, metrics={}, error=error)),
    ]


def test_final_trials_are_not_told_again() -> None:
    bench = running()
    bench.send(finished(0))
    assert bench.send(reopened()) == [Ask(1)]


def test_a_finished_sweep_goes_on_with_more_trials() -> None:
    bench = running(n_trials=1)
    bench.send(finished(0))
    assert bench.send(reopened(n_trials=3), worker_joined("v", 5)) == [Ask(1), Ask(2)]


def test_a_finished_sweep_without_more_trials_finishes_again() -> None:
    bench = running(n_trials=1)
    bench.send(finished(0))
    assert bench.send(reopened(n_trials=1)) == [
        Publish(SweepFinished(at=0.0, reason="n_trials reached")),
        Finish("n_trials reached"),
    ]


def test_a_stopped_sweep_forgets_why() -> None:
    bench = running(n_trials=1)
    bench.send(ev.StopRequested("enough"), finished(0))
    assert bench.send(reopened(n_trials=1))[-1] == Finish("n_trials reached")


def test_an_error_of_the_former_process_is_forgotten() -> None:
    bench = Bench(spec(n_trials=1), ev.ExecutorFailed(ERROR))
    bench.send(reopened(n_trials=1), worker_joined("v"), suggested(0), started(0))
    assert bench.send(finished(0))[-1] == Finish("n_trials reached", None)


def test_an_exhausted_space_is_asked_again() -> None:
    bench = Bench(spec(), worker_joined("w"), ev.SpaceExhausted(0))
    assert bench.send(reopened(), worker_joined("v")) == [Ask(0)]


def test_a_number_that_was_to_vanish_is_asked_again() -> None:
    bench = Bench(spec(n_trials=3), worker_joined("w", 2), ev.SpaceExhausted(1))
    assert bench.send(reopened(n_trials=3)) == [Ask(0), Ask(1)]
    bench.send(suggested(0), suggested(1))
    assert [trial.state for trial in bench.machine.trials] == [State.WAITING, State.WAITING]


def test_failed_asks_of_the_former_process_do_not_count() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"), ask_failed(0), ask_failed(1), reopened(n_trials=9))
    assert bench.send(worker_joined("v"), ask_failed(2), ask_failed(3))[-1] == Ask(4)


def test_the_new_settings_hold() -> None:
    bench = running(retries=0)
    bench.send(reopened(retries=1), worker_joined("v"), started(0, attempt=2))
    assert bench.send(failed(0, attempt=2))[-1] == Launch(0, 3, "v")


def test_a_new_target_that_is_met_already_ends_the_sweep() -> None:
    bench = running(n_trials=5)
    bench.send(finished(0, 1.0))
    assert bench.send(reopened(n_trials=5, target=1.0))[-1] == Finish("target 1.0 reached")


def test_a_time_limit_counts_working_time_alone() -> None:
    bench = Bench(spec(timeout=60.0))
    bench.send(worker_joined("w"), after_s=10.0)
    bench.send(suggested(0), after_s=5.0)
    assert bench.send(reopened(timeout=60.0), after_s=1000.0) == [SetTimer(-1, 0, 45.0)]
    bench.send(worker_joined("v"), after_s=5.0)
    assert bench.send(reopened(timeout=60.0), after_s=1000.0) == [SetTimer(-1, 0, 40.0)]


def test_the_machine_tells_how_long_earlier_processes_worked() -> None:
    bench = Bench(spec())
    bench.send(worker_joined("w"), after_s=10.0)
    bench.send(reopened(), after_s=1000.0)
    bench.send(worker_joined("v"), after_s=5.0)
    assert bench.machine.active_s == 10.0


def test_the_time_between_the_finish_and_the_next_process_does_not_count() -> None:
    bench = Bench(spec(n_trials=1, timeout=60.0), worker_joined("w"), suggested(0), started(0))
    assert bench.send(finished(0), after_s=20.0)[2] == CancelTimer(-1, 0)
    bench.send(ev.Paused(), after_s=100.0)
    assert bench.send(reopened(n_trials=2, timeout=60.0), after_s=1000.0) == [SetTimer(-1, 0, 40.0)]


def test_a_time_limit_that_is_used_up_fires_at_once() -> None:
    bench = Bench(spec(timeout=60.0))
    bench.send(worker_joined("w"), after_s=70.0)
    assert bench.send(reopened(timeout=60.0))[0] == SetTimer(-1, 0, 0.0)


def test_a_message_to_the_former_process_is_ignored() -> None:
    bench = running()
    bench.send(reopened())
    assert (bench.send(finished(0)), bench.machine.stale) == ([], 1)


def test_a_paused_sweep_stays_paused() -> None:
    bench = Bench(spec(), ev.Paused(), reopened())
    assert bench.send(worker_joined("w")) == []
