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


def test_attributes_of_the_pruner_leave_those_of_the_sampler_as_they_are() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0, {"seen": 1, "rung": 0}), started(0))
    bench.send(verdict_asked(0, 3), judged(0, 3, False, attrs={"rung": 1}))
    assert (bench.trial(0).sampler_attrs, bench.trial(0).pruner_attrs) == ({"seen": 1, "rung": 0}, {"rung": 1})


def test_attributes_of_the_pruner_add_up() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), judged(0, 3, False, attrs={"rung": 1, "a": 1}))
    bench.send(verdict_asked(0, 4), judged(0, 4, False, attrs={"rung": 2}))
    assert bench.trial(0).pruner_attrs == {"rung": 2, "a": 1}


def test_attributes_of_the_pruner_leave_its_event_as_it_is() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), judged(0, 3, False, attrs={"rung": 1}))
    bench.send(verdict_asked(0, 4), judged(0, 4, False, attrs={"rung": 2}))
    assert bench.journal[5] == ev.Judged(0, 1, 3, False, {"rung": 1}, seq=6)


def test_a_verdict_without_attributes_keeps_those_that_there_are() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), judged(0, 3, False, attrs={"rung": 1}))
    bench.send(verdict_asked(0, 4), judged(0, 4, False))
    assert bench.trial(0).pruner_attrs == {"rung": 1}


def test_attributes_of_a_verdict_on_a_trial_that_ended_are_dropped() -> None:
    bench = running()
    bench.send(verdict_asked(0, 3), finished(0), judged(0, 3, True, attrs={"rung": 1}))
    assert bench.trial(0).pruner_attrs is None


def test_a_retry_forgets_the_attributes_of_the_pruner_and_keeps_those_of_the_sampler() -> None:
    bench = Bench(spec(retries=1), worker_joined("w"), suggested(0, {"seen": 1}), started(0))
    bench.send(verdict_asked(0, 3), judged(0, 3, False, attrs={"rung": 1}), failed(0))
    assert (bench.trial(0).sampler_attrs, bench.trial(0).pruner_attrs) == ({"seen": 1}, None)


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


def test_the_domain_of_a_further_parameter_is_kept() -> None:
    bench = running()
    bench.send(param_asked(0, "y", Int(1, 3)), param_suggested(0, "y", 2))
    assert bench.trial(0).domains == {"y": Int(1, 3)}


def test_a_trial_that_asks_for_nothing_has_no_domains() -> None:
    bench = running()
    bench.send(param_asked(0, "x"))
    assert bench.trial(0).domains is None


def test_the_domain_of_the_first_question_stands() -> None:
    bench = running()
    bench.send(param_asked(0, "y", Int(1, 3)), param_asked(0, "y", Int(1, 9)), param_suggested(0, "y", 2))
    assert bench.trial(0).domains == {"y": Int(1, 3)}


def test_a_parameter_that_could_not_be_suggested_has_no_domain() -> None:
    bench = running()
    bench.send(param_asked(0, "y"), ev.SuggestFailed(0, 1, "y", ERROR))
    assert bench.trial(0).domains is None


def test_trials_that_ask_for_equal_domains_share_them() -> None:
    bench = Bench(spec(), worker_joined("w", 2), suggested(0), suggested(1), started(0), started(1))
    for trial in (0, 1):
        bench.send(param_asked(trial, "y", Int(1, 3)), param_suggested(trial, "y", 2))
        bench.send(param_asked(trial, "z"), param_suggested(trial, "z", 0.5))
    assert bench.trial(0).domains == {"y": Int(1, 3), "z": Float(0.0, 1.0)}
    assert bench.trial(1).domains is bench.trial(0).domains


def test_trials_that_ask_for_other_domains_have_their_own() -> None:
    bench = Bench(spec(), worker_joined("w", 2), suggested(0), suggested(1), started(0), started(1))
    bench.send(param_asked(0, "y", Int(1, 3)), param_suggested(0, "y", 2))
    bench.send(param_asked(1, "y", Int(1, 4)), param_suggested(1, "y", 2))
    assert [bench.trial(trial).domains for trial in (0, 1)] == [{"y": Int(1, 3)}, {"y": Int(1, 4)}]


def test_a_retry_keeps_the_domains_of_the_further_parameters() -> None:
    bench = running(retries=1)
    bench.send(param_asked(0, "y", Int(1, 3)), param_suggested(0, "y", 2), failed(0))
    assert bench.trial(0).domains == {"y": Int(1, 3)}


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
