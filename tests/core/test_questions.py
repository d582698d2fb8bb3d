"""What an objective asks while it runs: verdicts, further parameters, attributes."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    AnswerParam,
    AnswerVerdict,
    Judge,
    PluginFailed,
    Publish,
    Suggest,
    TrialSuggested,
)
from asyncsweep.space import Float, Int
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    attr_set,
    failed,
    finished,
    judged,
    param_asked,
    param_suggested,
    spec,
    started,
    suggested,
    verdict_asked,
    worker_joined,
)


def running(**settings: object) -> Bench:
    """A bench on which trial 0 runs with x = 0.5."""
    return Bench(spec(**settings), worker_joined("w"), suggested(0), started(0))


def test_a_verdict_is_asked_of_the_pruner() -> None:
    assert running().send(verdict_asked(0, 3)) == [Judge(0, 1, 3)]


def test_a_verdict_is_answered() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3))
    assert bench.send(judged(0, 3, prune=True)) == [AnswerVerdict(0, 1, 3, True)]


def test_a_verdict_to_go_on_is_answered() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3))
    assert bench.send(judged(0, 3, prune=False)) == [AnswerVerdict(0, 1, 3, False)]


def test_attributes_of_the_pruner_are_added_to_those_of_the_sampler() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0, {"seen": 1, "rung": 0}), started(0))
    bench.send(verdict_asked(0, 3), ev.Judged(0, 1, 3, False, {"rung": 1}))
    assert bench.trial(0).sampler_attrs == {"seen": 1, "rung": 1}


def test_attributes_of_the_pruner_are_kept_where_the_sampler_has_none() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), ev.Judged(0, 1, 3, False, {"rung": 1}))
    assert bench.trial(0).sampler_attrs == {"rung": 1}


def test_attributes_of_the_pruner_leave_the_event_of_the_sampler_as_it_is() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0, {"seen": 1}), started(0))
    bench.send(verdict_asked(0, 3), ev.Judged(0, 1, 3, False, {"rung": 1}))
    assert bench.journal[2] == ev.Suggested(0, {"x": 0.5}, {"seen": 1}, seq=3)


def test_a_verdict_without_attributes_keeps_those_of_the_sampler() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0, {"seen": 1}), started(0))
    bench.send(verdict_asked(0, 3), judged(0, 3, prune=False))
    assert bench.trial(0).sampler_attrs == {"seen": 1}


def test_attributes_of_a_verdict_on_a_trial_that_ended_are_dropped() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), finished(0), ev.Judged(0, 1, 3, True, {"rung": 1}))
    assert bench.trial(0).sampler_attrs is None


def test_a_pruner_that_raised_lets_the_trial_go_on() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3))
    assert bench.send(ev.JudgeFailed(0, 1, 3, ERROR)) == [
        Publish(PluginFailed(at=0.0, where="pruner.judge", error=ERROR)),
        AnswerVerdict(0, 1, 3, False),
    ]


def test_a_verdict_asked_twice_is_judged_once() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3))
    assert (bench.send(verdict_asked(0, 3)), bench.machine.stale) == ([], 1)


def test_verdicts_at_two_steps_are_two_questions() -> None:
    bench = running()
    assert bench.send(verdict_asked(0, 3), verdict_asked(0, 4)) == [Judge(0, 1, 3), Judge(0, 1, 4)]


def test_a_verdict_asked_again_after_the_answer_is_judged_again() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), judged(0, 3, prune=False))
    assert bench.send(verdict_asked(0, 3)) == [Judge(0, 1, 3)]


def test_a_verdict_on_a_trial_that_ended_reaches_nobody() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), finished(0))
    assert (bench.send(judged(0, 3, prune=True)), bench.machine.stale) == ([], 1)


def test_a_verdict_on_an_attempt_that_ended_reaches_nobody() -> None:
    bench = running(retries=1)
    bench.send(verdict_asked(0, 3), failed(0), started(0, attempt=2))
    assert (bench.send(judged(0, 3, prune=True)), bench.machine.stale) == ([], 1)


def test_a_verdict_asked_by_a_trial_that_ended_is_ignored() -> None:
    bench = running()
    bench.send(finished(0))
    assert (bench.send(verdict_asked(0, 3)), bench.machine.stale) == ([], 1)


def test_a_further_parameter_is_asked_of_the_sampler() -> None:
    assert running().send(param_asked(0, "y", Int(1, 3))) == [Suggest(0, 1, "y", Int(1, 3))]


def test_a_further_parameter_is_shown_and_answered() -> None:
    bench = running()
    bench.send(param_asked(0, "y"))
    assert bench.send(param_suggested(0, "y", 0.75)) == [
        Publish(TrialSuggested(at=0.0, trial=0, params={"x": 0.5, "y": 0.75})),
        AnswerParam(0, 1, "y", 0.75),
    ]


def test_a_parameter_that_is_known_is_answered_at_once() -> None:
    assert running().send(param_asked(0, "x")) == [AnswerParam(0, 1, "x", 0.5)]


def test_a_further_parameter_is_known_from_then_on() -> None:
    bench = running()
    bench.send(param_asked(0, "y"), param_suggested(0, "y", 0.75))
    assert bench.send(param_asked(0, "y", Float(0.0, 2.0))) == [AnswerParam(0, 1, "y", 0.75)]


def test_a_parameter_asked_twice_is_suggested_once() -> None:
    bench = running()
    bench.send(param_asked(0, "y"))
    assert (bench.send(param_asked(0, "y")), bench.machine.stale) == ([], 1)


def test_a_sampler_that_raised_is_the_answer() -> None:
    bench = running()
    bench.send(param_asked(0, "y"))
    assert bench.send(ev.SuggestFailed(0, 1, "y", ERROR)) == [AnswerParam(0, 1, "y", error=ERROR)]


def test_a_parameter_that_could_not_be_suggested_may_be_asked_again() -> None:
    bench = running()
    bench.send(param_asked(0, "y"), ev.SuggestFailed(0, 1, "y", ERROR))
    assert bench.send(param_asked(0, "y")) == [Suggest(0, 1, "y", Float(0.0, 1.0))]


def test_a_parameter_for_a_trial_that_ended_reaches_nobody() -> None:
    bench = running()
    bench.send(param_asked(0, "y"), finished(0))
    assert (bench.send(param_suggested(0, "y", 0.75)), bench.trial(0).params) == ([], {"x": 0.5})


def test_a_failed_suggestion_for_a_trial_that_ended_reaches_nobody() -> None:
    bench = running()
    bench.send(param_asked(0, "y"), finished(0))
    assert (bench.send(ev.SuggestFailed(0, 1, "y", ERROR)), bench.machine.stale) == ([], 1)


def test_a_retry_keeps_the_further_parameters() -> None:
    bench = running(retries=1)
    bench.send(param_asked(0, "y"), param_suggested(0, "y", 0.75), failed(0), started(0, attempt=2))
    assert bench.send(param_asked(0, "y", attempt=2)) == [AnswerParam(0, 2, "y", 0.75)]


def test_a_parameter_asked_by_a_trial_that_ended_is_ignored() -> None:
    bench = running()
    bench.send(finished(0))
    assert (bench.send(param_asked(0, "y")), bench.machine.stale) == ([], 1)


def test_attributes_are_kept_silently() -> None:
    bench = running()
    assert bench.send(attr_set(0, "a", [1]), attr_set(0, "b", 2), attr_set(0, "a", 3)) == []
    assert bench.trial(0).user_attrs == {"a": 3, "b": 2}


def test_an_attribute_of_a_trial_that_ended_is_ignored() -> None:
    bench = running()
    bench.send(finished(0), attr_set(0, "a", 1))
    assert (bench.trial(0).user_attrs, bench.machine.stale) == ({}, 1)
