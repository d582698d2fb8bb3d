"""A trial on its way: asked, suggested, launched, running, final, retried."""

from __future__ import annotations

import math

from asyncsweep.core import events as ev
from asyncsweep.core.effects import (
    AnswerVerdict,
    Ask,
    Finish,
    Judge,
    Kill,
    Launch,
    PluginFailed,
    Publish,
    PublishReports,
    SweepFinished,
    SweepStopping,
    Tell,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
    TrialSuggested,
    updates_of,
)
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.testing.events import (
    ERROR,
    Bench,
    ask_failed,
    failed,
    finished,
    judged,
    launch_failed,
    pruned,
    reported,
    series_reported,
    series_up_for_verdict,
    spec,
    started,
    suggested,
    verdict_asked,
    worker_joined,
    worker_lost,
)

OVER = [Publish(SweepFinished(at=0.0, reason="n_trials reached")), Finish("n_trials reached")]


def running(**settings: object) -> Bench:
    """A bench on which trial 0 runs on worker "w", which has one slot."""
    return Bench(spec(**settings), worker_joined("w"), suggested(0), started(0))


def test_a_sweep_without_a_time_limit_opens_silently() -> None:
    assert Bench(spec()).effects == [[]]


def test_a_worker_with_two_slots_has_two_trials_asked_for() -> None:
    assert Bench(spec()).send(worker_joined("w", 2)) == [Ask(0), Ask(1)]


def test_no_more_trials_are_asked_for_than_the_budget_has() -> None:
    assert Bench(spec(n_trials=2)).send(worker_joined("w", 5)) == [Ask(0), Ask(1)]


def test_the_machine_tells_whether_a_further_trial_may_be_asked_for() -> None:
    bench = Bench(spec(n_trials=2), worker_joined("w"))
    before = bench.machine.may_ask
    bench.send(ev.ExternalAsked())
    assert (before, bench.machine.may_ask) == (True, False)


def test_no_more_trials_are_asked_for_than_there_are_slots() -> None:
    assert Bench(spec(n_trials=None)).send(worker_joined("w", 3)) == [Ask(0), Ask(1), Ask(2)]


def test_a_second_worker_has_a_trial_asked_for_beside_the_open_question() -> None:
    bench = Bench(spec(), worker_joined("a"))
    assert bench.send(worker_joined("b")) == [Ask(1)]


def test_a_suggested_trial_is_shown_and_launched() -> None:
    bench = Bench(spec(), worker_joined("w"))
    assert bench.send(suggested(0, x=0.25)) == [
        Publish(TrialSuggested(at=0.0, trial=0, params={"x": 0.25})),
        Launch(0, 1, "w"),
    ]


def test_a_trial_without_parameters_is_launched() -> None:
    bench = Bench(spec(space={}), worker_joined("w"))
    assert bench.send(ev.Suggested(0, {})) == [
        Publish(TrialSuggested(at=0.0, trial=0, params={})),
        Launch(0, 1, "w"),
    ]


def test_trials_are_launched_in_the_order_of_the_answers() -> None:
    bench = Bench(spec(), worker_joined("w", 2), worker_lost("w"))
    assert bench.send(suggested(1), suggested(0), worker_joined("v", 2))[-2:] == [Launch(1, 1, "v"), Launch(0, 1, "v")]


def test_the_samplers_attributes_are_kept() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0, {"generation": 3}, x=0.1))
    assert bench.trial(0).sampler_attrs == {"generation": 3}


def test_a_started_trial_is_shown_as_running() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    assert bench.send(started(0), after_s=2.0) == [Publish(TrialStarted(at=2.0, trial=0, attempt=1, worker="w"))]


def test_a_started_trial_has_the_time_of_its_start() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    bench.send(started(0), after_s=2.0)
    assert (bench.trial(0).asked_at, bench.trial(0).started_at, bench.trial(0).duration_s) == (0.0, 2.0, None)


def test_a_started_message_that_comes_twice_is_ignored() -> None:
    bench = running()
    assert (bench.send(started(0)), bench.machine.stale) == ([], 1)


def test_a_report_is_shown() -> None:
    bench = running()
    update = TrialReported(at=0.0, trial=0, step=3, value=0.5, metrics={"acc": 0.9})
    assert bench.send(reported(0, 3, 0.5, acc=0.9)) == [Publish(update)]


def test_reports_are_kept_in_the_order_of_their_coming() -> None:
    bench = running()
    bench.send(reported(0, 1, 0.1), reported(0, 5, 0.5), reported(0, 3, 0.3))
    assert list(bench.trial(0).reports) == [(1, 0.1), (5, 0.5), (3, 0.3)]


def test_further_metrics_of_reports_are_kept() -> None:
    bench = running()
    bench.send(reported(0, 1, 0.1, acc=0.5), reported(0, 2, 0.2), reported(0, 3, 0.3, acc=0.7))
    assert bench.trial(0).report_metrics == [(1, {"acc": 0.5}), (3, {"acc": 0.7})]


def test_the_first_report_of_a_step_stands() -> None:
    bench = running()
    bench.send(reported(0, 1, 0.1))
    assert (bench.send(reported(0, 1, 0.9)), list(bench.trial(0).reports)) == ([], [(1, 0.1)])


def test_the_first_report_of_a_step_stands_after_a_lower_step() -> None:
    bench = running()
    bench.send(reported(0, 5, 0.5), reported(0, 3, 0.3))
    assert (bench.send(reported(0, 5, 0.9)), list(bench.trial(0).reports)) == ([], [(5, 0.5), (3, 0.3)])


def test_a_new_highest_step_is_kept_after_a_lower_one() -> None:
    bench = running()
    bench.send(reported(0, 5, 0.5), reported(0, 3, 0.3), reported(0, 9, 0.9), reported(0, 9, 0.1))
    assert list(bench.trial(0).reports) == [(5, 0.5), (3, 0.3), (9, 0.9)]


def test_a_series_of_reports_is_each_of_them() -> None:
    series = [(1, 0.5), (4, math.inf), (4, 0.1), (2, 0.3), (9, 0.4), (1, 0.9), (2, 0.2)]
    bench, single = running(), running()
    bench.send(reported(0, 0, 1.0))
    single.send(reported(0, 0, 1.0))
    effects = bench.send(series_reported(0, *series))
    one_by_one = [effect for step, value in series for effect in single.send(reported(0, step, value))]
    updates = [update for effect in one_by_one for update in updates_of(effect)]
    assert (len(updates), effects) == (4, [PublishReports(updates)])  # type: ignore[arg-type]
    assert list(bench.trial(0).reports) == list(single.trial(0).reports)
    assert list(bench.trial(0).reports) == [(0, 1.0), (1, 0.5), (4, math.inf), (2, 0.3), (9, 0.4)]
    bench.send(series_reported(0, (4, 7.0), (10, 7.0)))
    assert list(bench.trial(0).reports)[5:] == [(10, 7.0)]


def test_a_series_up_for_a_verdict_is_the_series_and_then_the_question() -> None:
    series = [(1, 0.5), (4, math.inf), (4, 0.1)]
    bench, apart = running(), running()
    effects = bench.send(series_up_for_verdict(0, 4, *series))
    assert effects == [*apart.send(series_reported(0, *series)), *apart.send(verdict_asked(0, 4))]
    assert effects[-1] == Judge(0, 1, 4)
    assert list(bench.trial(0).reports) == [(1, 0.5), (4, math.inf)]
    assert (bench.send(series_up_for_verdict(0, 4, (5, 0.1)))[1:], bench.machine.stale) == (
        [],
        1,
    )  # it is asked already
    assert list(bench.trial(0).reports)[2:] == [(5, 0.1)]
    assert bench.send(judged(0, 4, True)) == [AnswerVerdict(0, 1, 4, True)]


def test_a_series_up_for_a_verdict_of_an_old_attempt_is_stale_once() -> None:
    bench = running()
    assert (bench.send(series_up_for_verdict(0, 1, (1, 0.1), attempt=0)), bench.machine.stale) == ([], 1)


def test_trials_that_reported_at_the_same_steps_share_them_when_they_have_ended() -> None:
    bench = Bench(spec(), worker_joined("w", 2), suggested(0), started(0), suggested(1), started(1))
    for number in (0, 1):
        bench.send(series_reported(number, (1, 0.5), (2, 0.25)))
    assert bench.trial(0).steps is not bench.trial(1).steps
    bench.send(finished(0), finished(1))
    assert bench.trial(0).steps is bench.trial(1).steps


def test_a_series_of_an_old_attempt_is_ignored() -> None:
    bench = running()
    assert (bench.send(series_reported(0, (1, 0.1), attempt=0)), bench.machine.stale) == ([], 1)


def test_a_report_of_an_old_attempt_is_ignored() -> None:
    bench = running(retries=1)
    bench.send(failed(0), started(0, attempt=2))
    assert (bench.send(reported(0, 1, 0.1, attempt=1)), bench.machine.stale) == ([], 1)


def test_a_report_of_an_attempt_to_come_is_ignored() -> None:
    bench = running()
    assert (bench.send(reported(0, 1, 0.1, attempt=2)), bench.machine.stale) == ([], 1)


def test_a_report_of_a_trial_that_does_not_exist_is_ignored() -> None:
    bench = running()
    assert (bench.send(reported(7, 1, 0.1), reported(-1, 1, 0.1)), bench.machine.stale) == ([], 2)


def test_a_report_before_the_start_is_ignored() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    assert (bench.send(reported(0, 1, 0.1)), bench.machine.stale) == ([], 1)


def test_a_finished_trial_is_told_shown_and_its_slot_filled() -> None:
    assert running().send(finished(0, 0.5)) == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.COMPLETE, metrics={"value": 0.5})),
        Ask(1),
    ]


def test_the_last_trial_finishes_the_sweep() -> None:
    assert running(n_trials=1).send(finished(0, 0.5))[2:] == OVER


def test_a_finished_trial_has_its_duration() -> None:
    bench = running()
    bench.send(finished(0), after_s=3.0)
    assert (bench.trial(0).started_at, bench.trial(0).finished_at) == (0.0, 3.0)


def test_a_metric_of_zero_is_a_result() -> None:
    bench = running()
    bench.send(finished(0, 0.0))
    assert (bench.trial(0).state, bench.trial(0).value) == (State.COMPLETE, 0.0)


def test_an_infinite_metric_is_a_result() -> None:
    bench = running()
    bench.send(finished(0, math.inf))
    assert bench.trial(0).state is State.COMPLETE


def test_a_missing_metric_fails_the_trial() -> None:
    bench = running()
    bench.send(ev.Finished(0, 1, {"loss": 1.0}))
    message = "the objective did not return the metric 'value' (returned: 'loss')"
    assert (bench.trial(0).state, bench.trial(0).error) == (State.FAILED, ErrorInfo("TrialError", message))


def test_a_return_without_metrics_says_so() -> None:
    bench = running()
    bench.send(ev.Finished(0, 1, {}))
    assert "(returned: none)" in str(bench.trial(0).error)


def test_nan_fails_the_trial() -> None:
    bench = running()
    bench.send(finished(0, math.nan))
    message = "the objective returned NaN for the metric 'value'"
    assert (bench.trial(0).state, bench.trial(0).error) == (State.FAILED, ErrorInfo("TrialError", message))


def test_a_further_metric_may_be_nan() -> None:
    bench = running()
    bench.send(finished(0, 1.0, other=math.nan))
    assert bench.trial(0).state is State.COMPLETE


def test_metrics_with_a_direction_come_first() -> None:
    bench = running(directions={"a": "minimize", "b": "maximize"})
    bench.send(ev.Finished(0, 1, {"more": 3.0, "b": 2.0, "a": 1.0}))
    assert (bench.trial(0).metric_names, bench.trial(0).metric_values) == (("a", "b", "more"), (1.0, 2.0, 3.0))


def test_a_single_metric_is_the_value() -> None:
    bench = running(directions={"loss": "minimize"})
    bench.send(ev.Finished(0, 1, {"loss": 2.5}))
    assert (bench.trial(0).metrics, bench.trial(0).value) == ({"loss": 2.5}, 2.5)


def test_a_pruned_trial_has_the_value_of_its_highest_step() -> None:
    bench = running()
    bench.send(reported(0, 5, 0.5), reported(0, 3, 0.3))
    assert bench.send(pruned(0))[:2] == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.PRUNED, metrics={"value": 0.5})),
    ]


def test_a_trial_pruned_without_a_report_has_no_value() -> None:
    bench = running()
    bench.send(pruned(0))
    assert (bench.trial(0).state, bench.trial(0).value) == (State.PRUNED, None)


def test_a_trial_pruned_on_nan_has_no_value() -> None:
    bench = running()
    bench.send(reported(0, 1, 0.1), reported(0, 2, math.nan), pruned(0))
    assert bench.trial(0).metrics == {}


def test_a_trial_pruned_with_several_directions_has_no_value() -> None:
    bench = running(directions={"a": "minimize", "b": "maximize"})
    bench.send(reported(0, 1, 0.1), pruned(0))
    assert bench.trial(0).metrics == {}


def test_a_failed_trial_without_retries_is_final() -> None:
    assert running().send(failed(0)) == [
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.FAILED, metrics={}, error=ERROR)),
        Ask(1),
    ]


def test_a_failed_attempt_is_retried_at_once() -> None:
    assert running(retries=1).send(failed(0)) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=ERROR)),
        Launch(0, 2, "w"),
    ]


def test_a_retry_goes_before_what_waited() -> None:
    bench = Bench(spec(retries=1), worker_joined("a"), worker_joined("b"), suggested(0), suggested(1), started(0))
    bench.send(worker_lost("b"), failed(0))
    assert bench.machine.life.waiting == type(bench.machine.life.waiting)([1])


def test_a_retried_trial_keeps_its_error_aside() -> None:
    bench = running(retries=1)
    bench.send(failed(0))
    assert (bench.trial(0).failures, bench.trial(0).error, bench.trial(0).state) == ((ERROR,), None, State.WAITING)


def test_the_next_attempt_starts_clean() -> None:
    bench = running(retries=1)
    bench.send(reported(0, 5, 0.5, acc=1.0), reported(0, 3, 0.3), ev.AttrSet(0, 1, "a", 1), failed(0))
    trial = bench.trial(0)
    assert (trial.steps, trial.reported, trial.report_metrics, trial.attrs, trial.started_at, trial.rising) == (
        None, None, None, None, 0.0, True,
    )  # fmt: skip


def test_retries_come_to_an_end() -> None:
    bench = running(retries=1)
    bench.send(failed(0), started(0, attempt=2), failed(0, attempt=2))
    assert (bench.trial(0).state, bench.trial(0).attempt) == (State.FAILED, 2)


def test_nan_is_retried_too() -> None:
    assert running(retries=1).send(finished(0, math.nan))[-1] == Launch(0, 2, "w")


def test_a_launch_that_failed_is_retried() -> None:
    bench = Bench(spec(retries=1), worker_joined("w"), suggested(0))
    assert bench.send(launch_failed(0)) == [
        Publish(TrialRetried(at=0.0, trial=0, attempt=1, error=ERROR)),
        Launch(0, 2, "w"),
    ]


def test_a_launch_that_failed_without_retries_fails_the_trial() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0))
    assert bench.send(launch_failed(0))[1:] == [
        Publish(TrialFinished(at=0.0, trial=0, state=State.FAILED, metrics={}, error=ERROR)),
        Ask(1),
    ]


def test_a_failed_launch_of_what_runs_is_ignored() -> None:
    bench = running()
    assert (bench.send(launch_failed(0), launch_failed(9)), bench.machine.stale) == ([], 2)


def test_a_sampler_that_raised_fails_the_trial() -> None:
    bench = Bench(spec(n_trials=3), worker_joined("w"))
    assert bench.send(ask_failed(0)) == [
        Publish(PluginFailed(at=0.0, where="sampler.ask", error=ERROR)),
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.FAILED, metrics={}, error=ERROR)),
        Ask(1),
    ]


def test_a_sampler_that_raised_three_times_in_a_row_ends_the_sweep() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w"), ask_failed(0), ask_failed(1))
    reason = "the sampler failed 3 times in a row: ValueError: boom"
    assert bench.send(ask_failed(2))[3:] == [
        Publish(SweepStopping(at=0.0, reason=reason)),
        Publish(SweepFinished(at=0.0, reason=reason)),
        Finish(reason, ERROR),
    ]


def test_a_sampler_that_is_broken_ends_what_runs() -> None:
    bench = Bench(spec(n_trials=9), worker_joined("w", 2), suggested(0), started(0), ask_failed(1), ask_failed(2))
    assert bench.send(ask_failed(3))[-1] == Kill(0, 1, "stop", 5.0)


def test_an_answer_of_the_sampler_makes_up_for_earlier_failures() -> None:
    bench = Bench(
        spec(n_trials=9), worker_joined("w"), ask_failed(0), ask_failed(1), suggested(2), started(2), finished(2)
    )
    assert bench.send(ask_failed(3), ask_failed(4))[-1] == Ask(5)


def test_a_sampler_that_raised_on_a_tell_is_reported() -> None:
    bench = running()
    bench.send(finished(0))
    assert bench.send(ev.TellFailed(0, ERROR)) == [Publish(PluginFailed(at=0.0, where="sampler.tell", error=ERROR))]


def test_the_newest_trial_vanishes_when_the_space_is_exhausted() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w"))
    reason = "space exhausted"
    assert bench.send(ev.SpaceExhausted(0)) == [Publish(SweepFinished(at=0.0, reason=reason)), Finish(reason)]
    assert bench.machine.trials == []


def test_an_exhausted_space_waits_for_what_was_asked() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w", 3))
    assert bench.send(ev.SpaceExhausted(1), ev.SpaceExhausted(2)) == []
    bench.send(suggested(0), started(0))
    assert [trial.number for trial in bench.machine.trials] == [0]


def test_a_stop_may_take_back_the_trial_for_which_nothing_was_left() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w", 2))
    bench.send(ev.SpaceExhausted(1), ev.StopRequested("enough"), suggested(0))
    assert bench.machine.trials == []


def test_numbers_vanish_whatever_the_order_of_the_answers() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w", 3))
    bench.send(ev.SpaceExhausted(2), ev.SpaceExhausted(1), suggested(0))
    assert [trial.number for trial in bench.machine.trials] == [0]


def test_an_exhausted_number_before_a_used_one_is_cancelled() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w", 2))
    assert bench.send(ev.SpaceExhausted(0), suggested(1)) == [
        Publish(TrialSuggested(at=0.0, trial=1, params={"x": 0.5})),
        Tell(0),
        Publish(TrialFinished(at=0.0, trial=0, state=State.CANCELLED, metrics={})),
        Launch(1, 1, "w"),
    ]


def test_what_runs_goes_on_when_the_space_is_exhausted() -> None:
    bench = Bench(spec(n_trials=5), worker_joined("w", 2), suggested(0), started(0), ev.SpaceExhausted(1))
    assert bench.send(finished(0))[2:] == [
        Publish(SweepFinished(at=0.0, reason="space exhausted")),
        Finish("space exhausted"),
    ]


def test_events_after_the_finish_do_nothing() -> None:
    bench = running(n_trials=1)
    bench.send(finished(0))
    assert (
        bench.send(finished(0), worker_lost("w"), ev.Paused(), ev.StopRequested(), ev.Enqueued({}), worker_joined("w2"))
        == []
    )
