"""What attempts say: the events of executors and workers about one attempt.

A worker can say anything at any time. What does not speak of an attempt that runs (or, for its start, was launched) is
stale: `Course.running` and `Course.launched` count it, and nothing else changes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from operator import lt

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.course import Course
from asyncsweep.core.effects import AnswerParam, Judge, Publish, PublishReports, Suggest, TrialReported, TrialUsage
from asyncsweep.core.records import ErrorInfo, State, TrialRecord

# Reading a member off its class costs as much as a call.
_COMPLETE = State.COMPLETE


class Attempts:
    """The moves of attempts, one method for each event.

    Args:
        course: The sweep.
        ask_back: Has what waits at busy workers and should not asked back; the start of what was asked back may call for it.
    """

    def __init__(self, course: Course, ask_back: Callable[[], None]) -> None:
        self._course = course
        self._life = course.life
        self._ask_back = ask_back

    # -- start and end ------------------------------------------------------------------------------------------------

    def started(self, event: ev.Started) -> None:
        trial = self._course.launched(event.trial, event.attempt)
        if trial is not None:
            if self._life.slots.takes_ahead:
                self._began(trial)
            self._life.run(trial)
            limit_s = self._course.spec.trial_timeout
            if limit_s is not None and trial.kill_reason is None:
                self._life.set_timer(trial.number, trial.attempt, limit_s)

    def _began(self, trial: TrialRecord) -> None:
        """Of an attempt it may have been thought that it waits ahead, it may have been asked back, or its launch timed."""
        life, launching = self._life, self._course.launching
        if launching.timed is not None:
            launching.started(trial.number, trial.attempt, life.at)
        attempt = (trial.number, trial.attempt)
        if attempt in life.questions.take_backs or attempt not in life.slots.jobs.get(trial.worker or "", ()):
            life.began(trial)
            self._ask_back()

    def launch_failed(self, event: ev.LaunchFailed) -> None:
        trial = self._course.launched(event.trial, event.attempt)
        if trial is not None:
            self._course.end_attempt(trial, event.error)

    def taken_back(self, event: ev.TakenBack) -> None:
        """One that is being killed is left to `Killed`, which comes too."""
        trial = self._course.launched(event.trial, event.attempt)
        if trial is None:
            return
        if (event.trial, event.attempt) in self._life.questions.kills:
            self._course.stale += 1
        else:
            self._course.take_back(trial)

    def finished(self, event: ev.Finished) -> None:
        course = self._course
        trial = course.running(event.trial, event.attempt)
        if trial is None:
            return
        fault = policy.fault_of(course.spec, event.metrics)
        if fault is None:
            course.conclude(trial, _COMPLETE, policy.in_order(course.spec, event.metrics))
        else:
            course.end_attempt(trial, fault)

    def pruned(self, event: ev.Pruned) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._course.conclude(trial, State.PRUNED, policy.metrics_of_pruned(self._course.spec, trial))

    def failed(self, event: ev.Failed) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._course.end_attempt(trial, event.error)

    # -- while it runs ------------------------------------------------------------------------------------------------

    def reported(self, event: ev.Reported) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is None:
            return
        step = event.step
        if trial.steps is None or trial.reported is None:
            trial.steps = array("q", (step,))
            trial.reported = array("d", (event.value,))
        else:
            rising = trial.rising and step > trial.steps[-1]
            if not rising and step in trial.steps:
                return  # as in Optuna, the first report of a step stands
            trial.rising = rising
            trial.steps.append(step)
            trial.reported.append(event.value)
        if event.metrics:
            if trial.report_metrics is None:
                trial.report_metrics = []
            trial.report_metrics.append((step, event.metrics))
        life = self._life
        update = TrialReported(at=life.at, trial=event.trial, step=step, value=event.value, metrics=event.metrics)
        life.out.append(Publish(update))

    def series_reported(self, event: ev.SeriesReported) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._take_series(trial, event.reports)

    def _take_series(self, trial: TrialRecord, reports: list[tuple[int, float]]) -> None:
        if trial.steps is None or trial.reported is None:
            trial.steps, trial.reported = array("q"), array("d")
        steps, values = trial.steps, trial.reported
        new = [step for step, _ in reports]
        if trial.rising and all(map(lt, [steps[-1] if steps else -1, *new], new)):
            steps.extend(new)
            values.extend([value for _, value in reports])
        else:
            reports = _sorted_out(trial, reports)
        if reports:
            at, number = self._life.at, trial.number
            updates = [TrialReported(at=at, trial=number, step=step, value=value) for step, value in reports]
            self._life.out.append(PublishReports(updates))

    def verdict_asked(self, event: ev.VerdictAsked) -> None:
        if self._course.running(event.trial, event.attempt) is not None:
            self._judge(event)

    def series_up_for_verdict(self, event: ev.SeriesUpForVerdict) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._take_series(trial, event.reports)
            self._judge(event)

    def _judge(self, event: ev.VerdictAsked) -> None:
        question = (event.trial, event.attempt, event.step)
        if question in self._life.questions.verdicts:
            self._course.stale += 1
        else:
            self._life.questions.verdicts[question] = None
            self._life.out.append(Judge(*question))

    def param_asked(self, event: ev.ParamAsked) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is None:
            return
        question = (event.trial, event.attempt, event.name)
        if event.name in (trial.param_names or ()):
            self._life.out.append(AnswerParam(*question, trial.params[event.name]))
        elif question in self._life.questions.params:
            self._course.stale += 1
        elif event.name in (trial.fixed or {}):
            self._answer_fixed(trial, event)
        else:
            self._life.questions.params[question] = event.domain
            self._life.out.append(Suggest(*question, event.domain))

    def _answer_fixed(self, trial: TrialRecord, event: ev.ParamAsked) -> None:
        """The user gave the parameter a value when the trial was enqueued."""
        assert trial.fixed is not None
        value = trial.fixed[event.name]
        if event.domain.contains(value):
            self._life.add_param(trial, event.name, value, event.domain)
            self._life.out.append(AnswerParam(event.trial, event.attempt, event.name, value))
        else:
            error = ErrorInfo("TrialError", f"{value!r} was enqueued, which is not in {event.domain}")
            self._life.out.append(AnswerParam(event.trial, event.attempt, event.name, error=error))

    def attr_set(self, event: ev.AttrSet) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            trial.attrs = {**(trial.attrs or {}), event.key: event.value}

    def constraint_set(self, event: ev.ConstraintSet) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None and event.name not in (known := trial.constraints or {}):
            trial.constraints = {**known, event.name: event.value}  # as in Optuna, the first value of a name stands

    def used(self, event: ev.Used) -> None:
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            trial.usage = {**(trial.usage or {}), **event.usage}
            self._life.publish(TrialUsage(at=self._life.at, trial=event.trial, usage=trial.usage))


def _sorted_out(trial: TrialRecord, reports: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Take in reports that do not all rise; gives those that are the first of their steps, as in Optuna."""
    steps, values = trial.steps, trial.reported
    assert steps is not None and values is not None
    taken = []
    for step, value in reports:
        if not trial.rising or (steps and step <= steps[-1]):
            if step in steps:
                continue
            trial.rising = False
        steps.append(step)
        values.append(value)
        taken.append((step, value))
    return taken
