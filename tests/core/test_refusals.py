"""Events that our own driver can never send: refused with the story, and nothing is changed."""

from __future__ import annotations

import math

import msgspec
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.invariants import state_of
from asyncsweep.core.machine import Machine
from asyncsweep.errors import InvalidTransition
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    ask_failed,
    failed,
    finished,
    judged,
    killed,
    param_asked,
    param_suggested,
    reported,
    spec,
    started,
    suggested,
    verdict_asked,
    worker_joined,
    worker_lost,
)


def refused(bench: Bench, event: ev.Event) -> str:
    """What the machine says to an event; it must say something and must not have changed."""
    before = state_of(bench.machine)
    with pytest.raises(InvalidTransition) as caught:
        bench.machine.check(event)
    assert state_of(bench.machine) == before
    return str(caught.value).splitlines()[0]


def running() -> Bench:
    return Bench(spec(), worker_joined("w"), suggested(0), started(0))


def refusal(bench: Bench, event: ev.Event) -> str:
    return refused(bench, bench.stamped(event))


def test_nothing_can_come_before_the_opening() -> None:
    bench = Bench(spec())
    bench.machine = Machine()
    assert refusal(bench, worker_joined()) == "WorkerJoined cannot happen: the sweep is not open"


def test_no_worker_can_speak_before_the_opening() -> None:
    bench = Bench(spec())
    bench.machine = Machine()
    assert refusal(bench, finished(0)) == "Finished cannot happen: the sweep is not open"


def test_a_sweep_is_opened_once() -> None:
    assert refusal(running(), ev.SweepOpened(spec())) == "SweepOpened cannot happen: the sweep is open already"


def test_a_finished_sweep_is_not_opened_again() -> None:
    bench = Bench(spec(), ev.StopRequested())
    assert refusal(bench, ev.SweepOpened(spec())) == "SweepOpened cannot happen: the sweep is open already"


def test_events_have_no_gap() -> None:
    event = msgspec.structs.replace(ev.Paused(), seq=9)
    assert refused(running(), event) == "Paused cannot happen: its seq is 9, the next one is 5"


def test_an_event_does_not_come_twice() -> None:
    event = msgspec.structs.replace(ev.Paused(), seq=4)
    assert refused(running(), event) == "Paused cannot happen: its seq is 4, the next one is 5"


def test_time_does_not_go_back() -> None:
    bench = running()
    assert refused(bench, bench.stamped(ev.Paused(), -1.0)) == "Paused cannot happen: its time -1.0 is before 0.0"


def test_a_time_is_a_number() -> None:
    bench = running()
    assert refused(bench, bench.stamped(ev.Paused(), math.nan)) == "Paused cannot happen: its time nan is before 0.0"


def test_an_event_of_an_unknown_type_is_refused() -> None:
    class Sneezed(ev.Event, kw_only=False):
        pass

    assert refusal(running(), Sneezed()) == "Sneezed cannot happen: the machine does not know this type of event"


def test_a_worker_joins_once() -> None:
    assert refusal(running(), worker_joined("w")) == "WorkerJoined cannot happen: worker 'w' is here already"


def test_a_worker_has_slots() -> None:
    assert refusal(running(), worker_joined("v", 0)) == "WorkerJoined cannot happen: 0 slots"


def test_a_worker_with_one_slot_is_let_in() -> None:
    bench = running()
    bench.machine.check(bench.stamped(worker_joined("v", 1)))


def test_a_worker_that_is_not_here_cannot_be_lost() -> None:
    assert refusal(running(), worker_lost("v")) == "WorkerLost cannot happen: worker 'v' is not here"


def test_a_worker_is_lost_once() -> None:
    bench = running()
    bench.send(worker_lost("w"))
    assert refusal(bench, worker_lost("w")) == "WorkerLost cannot happen: worker 'w' is not here"


def test_a_trial_that_does_not_exist_cannot_be_cancelled() -> None:
    bench = running()
    assert refusal(bench, ev.TrialCancelled(1)) == "TrialCancelled cannot happen: there is no trial 1"
    assert refusal(bench, ev.TrialCancelled(-1)) == "TrialCancelled cannot happen: there is no trial -1"


def test_a_trial_that_does_not_exist_cannot_fail_to_be_told() -> None:
    assert refusal(running(), ev.TellFailed(1, ERROR)) == "TellFailed cannot happen: there is no trial 1"


def test_parameters_that_nobody_asked_for_are_refused() -> None:
    bench = running()
    assert refusal(bench, suggested(0)) == "Suggested cannot happen: nobody asked for trial 0"
    assert refusal(bench, ask_failed(0)) == "AskFailed cannot happen: nobody asked for trial 0"
    assert refusal(bench, ev.SpaceExhausted(5)) == "SpaceExhausted cannot happen: nobody asked for trial 5"


def test_a_verdict_that_nobody_asked_for_is_refused() -> None:
    bench = running()
    bench.send(verdict_asked(0, 1))
    message = "cannot happen: no verdict was asked on trial 0 at step 2"
    assert refusal(bench, judged(0, 2, prune=True)) == f"Judged {message}"
    assert refusal(bench, ev.JudgeFailed(0, 1, 2, ERROR)) == f"JudgeFailed {message}"


def test_a_verdict_is_given_once() -> None:
    bench = running()
    bench.send(verdict_asked(0, 1), judged(0, 1, prune=False))
    assert refusal(bench, judged(0, 1, prune=False)).startswith("Judged cannot happen")


def test_a_parameter_that_nobody_asked_for_is_refused() -> None:
    bench = running()
    bench.send(param_asked(0, "y"))
    message = "cannot happen: nobody asked for 'z' of trial 0"
    assert refusal(bench, param_suggested(0, "z", 1)) == f"ParamSuggested {message}"
    assert refusal(bench, ev.SuggestFailed(0, 1, "z", ERROR)) == f"SuggestFailed {message}"


def test_a_kill_that_nobody_asked_for_is_refused() -> None:
    assert refusal(running(), killed(0)) == "Killed cannot happen: nobody killed attempt 1 of trial 0"


def test_answers_that_come_after_the_finish_are_let_pass() -> None:
    bench = Bench(spec(), worker_joined("w"), ev.StopRequested())
    bench.machine.check(bench.stamped(suggested(0)))
    bench.machine.check(bench.stamped(worker_lost("nobody")))


def test_the_refusal_tells_the_story_of_the_trial() -> None:
    bench = Bench(spec(retries=1), worker_joined("w"), suggested(0), started(0), failed(0), started(0, attempt=2))
    bench.send(reported(0, 1, 0.5, attempt=2))
    with pytest.raises(InvalidTransition) as caught:
        bench.machine.check(bench.stamped(suggested(0)))
    assert caught.value.story == (
        "sweep: running after event 7; 1 trials, 1 open",
        "trial 0: RUNNING, asked at 0.0, parameters {'x': 0.5}",
        "earlier attempt: ValueError: boom",
        "attempt 2 on worker w, 1 reports",
    )


def test_the_story_has_the_error_of_a_failed_trial() -> None:
    bench = running()
    bench.send(failed(0))
    assert bench.machine.story(suggested(0))[-1] == "error: ValueError: boom"


def test_the_story_of_an_event_without_a_trial_is_that_of_the_sweep() -> None:
    bench = running()
    bench.send(finished(0))
    assert bench.machine.story(ev.Paused()) == ["sweep: running after event 5; 2 trials, 1 open"]
    assert bench.machine.story(suggested(7)) == ["sweep: running after event 5; 2 trials, 1 open"]
