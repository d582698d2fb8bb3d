"""Retries: after which errors, how soon, and what is never tried again."""

from __future__ import annotations

from typing import Any

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import CancelTimer, Finish, Launch, Publish, SetTimer, Tell, TrialFinished, TrialRetried
from asyncsweep.core.policy import MAX_QUARANTINED
from asyncsweep.core.records import ErrorInfo, Retry, State
from asyncsweep.errors import ConfigError, MemoryLimitExceeded, WorkerLost
from asyncsweep.space.choices import Constant
from asyncsweep.testing.events import (
    Bench,
    failed,
    finished,
    killed,
    spec,
    started,
    suggested,
    worker_joined,
    worker_lost,
)

DEADLY = 3
NO_DISK = ErrorInfo("FileNotFoundError", "gone", bases=("OSError",))


def running(retries: Retry, **settings: Any) -> Bench:
    return Bench(spec(retries=retries, **settings), worker_joined("w"), suggested(0), started(0))


def lose(bench: Bench, number: int, attempt: int, worker: str) -> None:
    """The worker dies under the attempt, and another one takes its place."""
    bench.send(started(number, attempt=attempt), worker_lost(worker), worker_joined(f"{worker}'"))


# -- which errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "error"),
    [
        ((), ErrorInfo("ValueError")),
        ((Exception,), ErrorInfo("ValueError")),
        ((OSError,), NO_DISK),
        ((FileNotFoundError,), NO_DISK),
        (OSError, NO_DISK),
        ("OSError", NO_DISK),
        (("torch.cuda.OutOfMemoryError",), ErrorInfo("OutOfMemoryError")),
        ((KeyError, OSError), NO_DISK),
    ],
)
def test_an_error_on_the_list_is_retried(on: Any, error: ErrorInfo) -> None:
    assert running(Retry(1, on)).send(failed(0, error=error))[-1] == Launch(0, 2, "w")


@pytest.mark.parametrize(("on", "error"), [((KeyError,), NO_DISK), ((FileNotFoundError,), ErrorInfo("OSError"))])
def test_an_error_that_is_not_on_the_list_fails_the_trial(on: Any, error: ErrorInfo) -> None:
    bench = running(Retry(1, on))
    bench.send(failed(0, error=error))
    assert (bench.trial(0).state, bench.trial(0).error) == (State.FAILED, error)


@pytest.mark.parametrize("on", [(WorkerLost,), (MemoryLimitExceeded,)])
def test_a_worker_that_was_ended_for_its_memory_is_on_the_list_by_either_name(on: Any) -> None:
    bench = running(Retry(1, on))
    bench.send(ev.WorkerLost("w", "2 GiB are too much", "MemoryLimitExceeded"), worker_joined("v"))
    assert bench.trial(0).failures == (ErrorInfo("MemoryLimitExceeded", "2 GiB are too much", bases=("WorkerLost",)),)


def test_a_worker_that_just_died_was_not_ended_for_its_memory() -> None:
    bench = running(Retry(1, (MemoryLimitExceeded,)))
    bench.send(worker_lost("w"))
    assert bench.trial(0).state is State.FAILED


def test_a_trial_timeout_is_an_error_like_others() -> None:
    bench = running(Retry(1, ("TrialTimeout",)), trial_timeout=5.0)
    bench.send(ev.TimerFired(0, 1), killed(0))
    assert bench.trial(0).attempt == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": -1}, "Retry.times=-1: it must be a whole number from 0 to 1,000,000"),
        ({"times": True}, "Retry.times=True"),
        ({"times": 1.5}, "Retry.times=1.5"),
        ({"on": 3}, "Retry.on=3: expected exceptions, such as"),
        ({"on": (int,)}, "Retry.on: <class 'int'> is no exception"),
        ({"on": ("",)}, "Retry.on: '' is no exception"),
        ({"backoff_s": (5, 1)}, r"Retry.backoff_s=\(5, 1\): expected seconds"),
        ({"backoff_s": (-1, 1)}, "Retry.backoff_s"),
        ({"backoff_s": (0, float("inf"))}, "Retry.backoff_s"),
        ({"backoff_s": "soon"}, "Retry.backoff_s='soon'"),
        ({"backoff_s": (1, 2, 3)}, "Retry.backoff_s"),
        ({"quarantine": 0}, "Retry.quarantine=0: it must be a whole number >= 1, or None for no quarantine"),
        ({"quarantine": True}, "Retry.quarantine=True"),
        ({"interrupted": "maybe"}, "Retry.interrupted='maybe': expected 'retry' or 'fail'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Retry(**arguments)


# -- how soon ---------------------------------------------------------------------------------------------------------


def test_a_retry_waits_for_its_backoff_and_its_slot_is_free_meanwhile() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)))
    effects = bench.send(failed(0))
    assert effects[:2] == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=bench.trial(0).failures[0])),
        SetTimer(0, 1, 3.0),
    ]
    assert bench.send(suggested(1))[-1] == Launch(1, 1, "w")


def test_the_end_of_the_backoff_launches_the_next_attempt() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1)
    bench.send(failed(0))
    assert bench.send(ev.TimerFired(0, 1), after_s=3.0) == [Launch(0, 2, "w")]


def test_each_backoff_is_twice_the_last_one_up_to_the_most() -> None:
    bench = running(Retry(4, backoff_s=(3.0, 10.0)), n_trials=1)
    delays = []
    for attempt in range(1, 5):
        timers = [effect for effect in bench.send(failed(0, attempt=attempt)) if isinstance(effect, SetTimer)]
        delays += [timer.delay_s for timer in timers]
        bench.send(ev.TimerFired(0, attempt), started(0, attempt=attempt + 1))
    assert delays == [3.0, 6.0, 10.0, 10.0]


def test_a_number_alone_is_the_backoff_of_every_retry() -> None:
    assert [Retry(3, backoff_s=2.0).delay_s(n_failures) for n_failures in (1, 2, 3)] == [2.0, 2.0, 2.0]  # type: ignore[arg-type]


def test_a_backoff_of_very_many_retries_is_still_a_number() -> None:
    assert Retry(10_000, backoff_s=(1.0, 30.0)).delay_s(9_999) == 30.0


def test_the_time_limit_of_the_next_attempt_starts_anew() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1, trial_timeout=9.0)
    assert CancelTimer(0, 1) in bench.send(failed(0))
    assert SetTimer(0, 2, 9.0) in bench.send(ev.TimerFired(0, 1), started(0, attempt=2))


def test_a_trial_that_is_cancelled_during_its_backoff_waits_no_more() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1)
    bench.send(failed(0))
    effects = bench.send(ev.TrialCancelled(0))
    assert (effects[0], bench.trial(0).state) == (CancelTimer(0, 1), State.CANCELLED)


def test_a_stop_cancels_what_waits_for_its_retry() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)))
    bench.send(failed(0))
    assert isinstance(bench.send(ev.StopRequested("enough"))[-1], Finish)
    assert bench.trial(0).state is State.CANCELLED


def test_a_sweep_is_not_over_while_a_trial_waits_for_its_retry() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1)
    assert not any(isinstance(effect, Finish) for effect in bench.send(failed(0)))


def test_a_new_process_does_not_wait_for_the_rest_of_a_backoff() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1)
    bench.send(failed(0), ev.Reopened(bench.machine.spec))
    assert bench.send(worker_joined("v")) == [Launch(0, 2, "v")]


def test_a_pause_outlasts_a_backoff() -> None:
    bench = running(Retry(1, backoff_s=(3.0, 60.0)), n_trials=1)
    assert bench.send(failed(0), ev.Paused(), ev.TimerFired(0, 1))[3:] == []
    assert bench.send(ev.Unpaused())[-1] == Launch(0, 2, "w")


# -- a process that ended ---------------------------------------------------------------------------------------------


def test_an_interrupted_attempt_is_repeated_and_does_not_count() -> None:
    bench = running(Retry(0))
    bench.send(ev.Reopened(bench.machine.spec), worker_joined("v"))
    assert (bench.trial(0).attempt, bench.trial(0).failures) == (2, ())


def test_an_interrupted_attempt_fails_its_trial_where_the_user_wants_that() -> None:
    bench = running(Retry(5, interrupted="fail"))
    effects = bench.send(ev.Reopened(bench.machine.spec))
    assert (bench.trial(0).state, str(bench.trial(0).error)) == (
        State.FAILED,
        "Interrupted: the process that ran this attempt has ended",
    )
    assert Tell(0) in effects


# -- what ends its workers --------------------------------------------------------------------------------------------


def deadly(**settings: Any) -> Bench:
    """Trial 0 ended two workers, and runs for the third time."""
    bench = Bench(spec(**{"retries": Retry(9), "n_trials": 4, **settings}), worker_joined("w"), suggested(0))
    lose(bench, 0, 1, "w")
    lose(bench, 0, 2, "w'")
    bench.send(started(0, attempt=3))
    return bench


def test_the_third_worker_that_dies_ends_the_trial_whatever_retries_are_left() -> None:
    bench = deadly()
    bench.send(worker_lost("w''"))
    assert (bench.trial(0).state, bench.trial(0).error, len(bench.trial(0).failures)) == (
        State.FAILED,
        ErrorInfo("WorkerLost", "killed by SIGKILL (these parameters ended 3 workers, and are not tried again)"),
        2,
    )


def test_another_trial_with_the_same_parameters_is_not_launched() -> None:
    bench = deadly()
    bench.send(worker_lost("w''"), worker_joined("v"))
    error = ErrorInfo(
        "Quarantined",
        "these parameters ended 3 workers, and are not tried again; Retry(quarantine=None) would try them",
    )
    assert Publish(TrialFinished(at=0.0, trial=1, state=State.FAILED, metrics={}, error=error)) in bench.send(
        suggested(1)
    )


def test_other_parameters_are_tried() -> None:
    bench = deadly()
    bench.send(worker_lost("w''"), worker_joined("v"))
    assert bench.send(suggested(1, x=0.25))[-1] == Launch(1, 1, "v")


def test_what_waits_with_the_same_parameters_is_failed_as_well() -> None:
    bench = deadly(concurrency=2)
    bench.send(worker_joined("u"), ev.Paused(), suggested(1))
    assert bench.trial(1).state is State.WAITING
    bench.send(worker_lost("w''"))
    assert (bench.trial(1).state, getattr(bench.trial(1).error, "type", "")) == (State.FAILED, "Quarantined")


def test_a_running_trial_with_the_same_parameters_is_not_tried_again_when_it_fails() -> None:
    bench = deadly(concurrency=2)
    bench.send(worker_joined("u"), suggested(1), started(1), worker_lost("w''"))
    assert bench.trial(1).state is State.RUNNING
    bench.send(failed(1))
    assert getattr(bench.trial(1).error, "type", "") == "Quarantined"


def test_trials_with_the_same_parameters_count_together() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"))
    worker = "w"
    for number in range(DEADLY):
        bench.send(suggested(number))
        lose(bench, number, 1, worker)
        worker += "'"
    bench.send(suggested(DEADLY))
    assert [getattr(trial.error, "type", "") for trial in bench.machine.trials] == [
        *["WorkerLost"] * DEADLY,
        "Quarantined",
        "",
    ]


def test_what_the_user_ended_killed_no_worker() -> None:
    bench = deadly(trial_timeout=9.0)
    bench.send(ev.TimerFired(0, 3), worker_lost("w''"), worker_joined("v"))
    assert bench.trial(0).attempt == 4


def test_a_trial_without_parameters_is_like_no_other() -> None:
    bench = Bench(spec(space={}, n_trials=9), worker_joined("w"))
    worker = "w"
    for number in range(DEADLY + 1):
        bench.send(ev.Suggested(number, {}))
        lose(bench, number, 1, worker)
        worker += "'"
    assert {getattr(trial.error, "type", "") for trial in bench.machine.trials[: DEADLY + 1]} == {"WorkerLost"}


def test_deaths_are_remembered_by_the_next_process() -> None:
    bench = deadly()
    bench.send(worker_lost("w''"), ev.Reopened(bench.machine.spec), worker_joined("v"), suggested(1))
    assert getattr(bench.trial(1).error, "type", "") == "Quarantined"


def test_a_sampler_that_suggests_nothing_else_ends_the_sweep() -> None:
    bench = deadly(n_trials=None)
    bench.send(worker_lost("w''"), worker_joined("v"))
    for number in range(1, MAX_QUARANTINED):
        bench.send(suggested(number))
    finish = bench.send(suggested(MAX_QUARANTINED))[-1]
    assert isinstance(finish, Finish)
    assert finish.error == ErrorInfo("Quarantined", finish.reason)
    assert finish.reason == "the last 100 suggestions were all parameters that ended their workers"


def test_one_good_suggestion_begins_the_count_anew() -> None:
    bench = deadly(n_trials=None)
    bench.send(worker_lost("w''"), worker_joined("v"))
    for number in range(1, MAX_QUARANTINED):
        bench.send(suggested(number))
    bench.send(suggested(MAX_QUARANTINED, x=0.25), started(MAX_QUARANTINED), finished(MAX_QUARANTINED))
    for number in range(MAX_QUARANTINED + 1, 2 * MAX_QUARANTINED):
        assert not any(isinstance(effect, Finish) for effect in bench.send(suggested(number)))
    assert isinstance(bench.send(suggested(2 * MAX_QUARANTINED))[-1], Finish)


def test_a_trial_that_is_evaluated_elsewhere_is_nobodys_to_refuse() -> None:
    bench = deadly(concurrency=2)
    bench.send(worker_lost("w''"), ev.ExternalAsked())
    number = max(trial.number for trial in bench.machine.trials)
    bench.send(suggested(number))
    assert bench.trial(number).state is State.RUNNING


def test_without_quarantine_parameters_are_tried_as_often_as_retries_say() -> None:
    bench = deadly(retries=Retry(9, quarantine=None))
    bench.send(worker_lost("w''"), worker_joined("v"))
    assert bench.trial(0).attempt == 4


def test_a_quarantine_can_be_lifted_when_the_sweep_goes_on() -> None:
    bench = deadly()
    bench.send(worker_lost("w''"), ev.Reopened(spec(n_trials=4, retries=Retry(9, quarantine=None))), worker_joined("v"))
    assert bench.send(suggested(1))[-1] == Launch(1, 1, "v")


def test_parameters_that_cannot_be_different_are_not_to_blame_in_other_trials() -> None:
    bench = Bench(spec(space={"epochs": Constant(30)}, n_trials=9), worker_joined("w"))
    worker = "w"
    for number in range(DEADLY + 1):
        bench.send(suggested(number, epochs=30))
        lose(bench, number, 1, worker)
        worker += "'"
    assert {getattr(trial.error, "type", "") for trial in bench.machine.trials[: DEADLY + 1]} == {"WorkerLost"}


def test_an_attempt_that_was_launched_may_have_run_when_the_process_ended() -> None:
    bench = Bench(spec(retries=Retry(5, interrupted="fail")), worker_joined("w"), suggested(0))
    bench.send(ev.Reopened(bench.machine.spec))
    assert (bench.trial(0).state, getattr(bench.trial(0).error, "type", "")) == (State.FAILED, "Interrupted")


# -- losses that are nobody's fault -----------------------------------------------------------------------------------


def test_a_lost_device_is_no_failure_of_its_trial() -> None:
    """Neither retries nor deaths are counted, and there is no backoff."""
    bench = running(Retry(0, quarantine=1, backoff_s=(5, 5)))
    for attempt in (1, 2, 3):
        effects = bench.send(ev.WorkerLost(f"w{attempt - 1 or ''}", "GPU is lost", "DeviceLost"))
        assert [effect for effect in effects if isinstance(effect, SetTimer)] == []
        bench.send(worker_joined(f"w{attempt}"), started(0, attempt=attempt + 1))
    bench.send(finished(0, attempt=4))
    trial = bench.trial(0)
    assert (trial.state, trial.attempt, trial.failures) == (State.COMPLETE, 4, ())


def test_a_lost_device_ends_a_trial_that_was_to_be_ended() -> None:
    bench = running(Retry(3))
    bench.send(ev.TrialCancelled(0), ev.WorkerLost("w", "GPU is lost", "DeviceLost"), killed(0))
    assert bench.trial(0).state is State.CANCELLED


def test_a_lost_device_fails_its_trial_when_the_sweep_is_stopping() -> None:
    bench = running(Retry(3))
    bench.send(ev.StopRequested("enough"), ev.WorkerLost("w", "GPU is lost", "DeviceLost"))
    assert (bench.trial(0).state, str(bench.trial(0).error)) == (State.FAILED, "DeviceLost: GPU is lost")
