"""The sweep as a state machine without I/O: `check` an event, `handle` it, carry out the effects that it gives.

Theory of operation. `handle` works in two steps. A *move*, chosen by the event's type, changes what the event speaks of.
Then *settle* does what the new state asks for, to a fixed point: obey the stop rules, fill free slots with waiting trials,
ask for more while the budget lasts, finish when nothing is left. So no move needs to know what else was waiting for it.
`lifecycle` has the stages of a trial, `questions` what the outside owes an answer to, `slots` who runs where.

The machine reads no clock and draws no random number: what it does depends on the events alone, and replaying a journal
gives the same state and effects. Its only mutator is `handle`. Stale events of workers change nothing but `stale`.
"""

from __future__ import annotations

import enum
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.effects import (
    AnswerParam,
    AnswerVerdict,
    CancelTimer,
    Effect,
    Finish,
    Judge,
    PluginFailed,
    Suggest,
    SweepFinished,
    SweepPaused,
    SweepStopping,
    SweepUnpaused,
    TrialReported,
)
from asyncsweep.core.lifecycle import Lifecycle
from asyncsweep.core.records import ErrorInfo, State, SweepSpec, TrialRecord
from asyncsweep.errors import InvalidTransition

SWEEP_TIMER = -1
# Once the sweep is open, an event of a worker is either timely or stale. (Looked up in, never gone through.)
_NEVER_ILLEGAL = frozenset(ev.WORKER_EVENTS)


class Phase(enum.Enum):
    """The sweep as a whole. STOPPING starts nothing new; FINISHED ends only by `Reopened`."""

    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"


class Machine:
    """One sweep.

    Attributes:
        spec: The settings, from `SweepOpened` on.
        phase: See `Phase`.
        paused: True between `Paused` and `Unpaused`.
        life: The trials, slots and open questions.
        rules: The stop rules, which know the best trial.
        stale: How many events came too late and were ignored.
        seq: The last event's number.
        at: The last event's time, in seconds since the epoch.
        active_s: How long earlier processes worked on the sweep; `timeout` counts working time alone.
    """

    spec: SweepSpec
    rules: policy.StopRules

    def __init__(self) -> None:
        self.phase = Phase.NEW
        self.paused = False
        self.life = Lifecycle()
        self.stale = 0
        self.seq = 0
        self.at = 0.0
        self.active_s = 0.0
        self._segment_at = 0.0
        self._stop_reason = ""
        self._error: ErrorInfo | None = None
        self._exhausted = False
        self._withdrawn: list[int] = []
        self._ask_failures = 0
        self._enqueued: deque[dict[str, Any]] = deque()
        self._moves: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.SweepOpened: self._sweep_opened,
            ev.Reopened: self._reopened,
            ev.WorkerJoined: self._worker_joined,
            ev.WorkerLost: self._worker_lost,
            ev.Enqueued: self._on_enqueued,
            ev.ExternalAsked: self._external_asked,
            ev.Suggested: self._suggested,
            ev.SpaceExhausted: self._space_exhausted,
            ev.AskFailed: self._ask_failed,
            ev.TellFailed: self._tell_failed,
            ev.LaunchFailed: self._launch_failed,
            ev.Started: self._started,
            ev.ParamAsked: self._param_asked,
            ev.ParamSuggested: self._param_suggested,
            ev.SuggestFailed: self._suggest_failed,
            ev.Reported: self._reported,
            ev.VerdictAsked: self._verdict_asked,
            ev.Judged: self._judged,
            ev.JudgeFailed: self._judge_failed,
            ev.AttrSet: self._attr_set,
            ev.Finished: self._finished,
            ev.Pruned: self._pruned,
            ev.Failed: self._failed,
            ev.Killed: self._killed,
            ev.TimerFired: self._timer_fired,
            ev.Paused: self._on_paused,
            ev.Unpaused: self._on_unpaused,
            ev.TrialCancelled: self._trial_cancelled,
            ev.StopRequested: self._stop_requested,
            ev.ExecutorFailed: self._executor_failed,
        }

    # -- the entries --------------------------------------------------------------------------------------------------

    def check(self, event: ev.Event) -> None:
        """Refuse an event that cannot happen now; nothing is changed.

        Raises:
            InvalidTransition: With the story of the trial or sweep.
        """
        complaint = self._complaint(event)
        if complaint is not None:
            raise InvalidTransition(f"{type(event).__name__} cannot happen: {complaint}", self.story(event))

    def handle(self, event: ev.Event) -> list[Effect]:
        """Take an event that `check` let pass; gives what is to be done, in order."""
        life = self.life
        if type(event) is ev.Reopened:
            self._end_segment()
        self.seq = event.seq
        self.at = life.at = event.at
        out: list[Effect] = []
        life.out = out
        if self.phase is not Phase.FINISHED or type(event) is ev.Reopened:
            self._moves[type(event)](event)
            self._settle()
        return out

    @property
    def trials(self) -> list[TrialRecord]:
        """Every trial by its number."""
        return self.life.trials

    @property
    def may_ask(self) -> bool:
        """True while a new trial may be created."""
        return (
            self.phase is Phase.RUNNING
            and not self._exhausted
            and (self.spec.n_trials is None or len(self.life.trials) < self.spec.n_trials)
        )

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial; None before the first, and with several directions."""
        number = None if self.phase is Phase.NEW else self.rules.best
        return None if number is None else self.life.trials[number]

    def story(self, event: ev.Event) -> list[str]:
        """What is known of the sweep and of the trial that an event speaks of, for error messages."""
        trials = self.life.trials
        lines = [f"sweep: {self.phase.value} after event {self.seq}; {len(trials)} trials, {self.life.n_open} open"]
        number = getattr(event, "trial", -1)
        if isinstance(number, int) and 0 <= number < len(trials):
            trial = trials[number]
            lines.append(
                f"trial {number}: {trial.state}, asked at {trial.asked_at}, parameters {trial.params or 'none'}"
            )
            lines += [f"earlier attempt: {failure}" for failure in trial.failures]
            lines.append(f"attempt {trial.attempt} on worker {trial.worker}, {len(trial.steps or ())} reports")
            if trial.error is not None:
                lines.append(f"error: {trial.error}")
        return lines

    def _complaint(self, event: ev.Event) -> str | None:
        if event.seq != self.seq + 1:
            return f"its seq is {event.seq}, the next one is {self.seq + 1}"
        if not event.at >= self.at:  # which NaN is not
            return f"its time {event.at} is before {self.at}"
        if type(event) in _NEVER_ILLEGAL and self.phase is not Phase.NEW:
            return None
        if type(event) not in self._moves:
            return "the machine does not know this type of event"
        if (self.phase is Phase.NEW) != isinstance(event, ev.SweepOpened):
            return "the sweep is not open" if self.phase is Phase.NEW else "the sweep is open already"
        if self.phase is Phase.FINISHED:
            return None
        if isinstance(event, ev.WorkerJoined):
            if event.slots < 1:
                return f"{event.slots} slots"
            return f"worker {event.worker!r} is here already" if event.worker in self.life.slots.jobs else None
        if isinstance(event, ev.WorkerLost):
            return None if event.worker in self.life.slots.jobs else f"worker {event.worker!r} is not here"
        if isinstance(event, ev.TrialCancelled | ev.TellFailed):
            known = 0 <= event.trial < len(self.life.trials)
            return None if known else f"there is no trial {event.trial}"
        return self.life.questions.complaint(event)

    # -- settle -------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        life = self.life
        if self.rules.has_news and self.phase is Phase.RUNNING:
            self._obey_rules()
        if self._withdrawn and not life.questions.asks:
            self._drop_withdrawn()
        if self.phase is Phase.RUNNING and not self.paused:
            slots, waiting = life.slots, life.waiting
            while slots.n_free and waiting:
                life.launch()
            while slots.n_free > life.n_asked + len(waiting) and self.may_ask:
                self._begin(external=False)
        if not life.n_open and not life.questions.kills and self.phase is not Phase.FINISHED and not self.may_ask:
            self._finish()

    def _obey_rules(self) -> None:
        self.rules.has_news = False
        failures = self.rules.too_many_failures(self.spec)
        if failures is not None:
            self._error = failures
            self._stop(str(failures), now=True)
        else:
            reason = self.rules.reason_to_stop(self.spec)
            if reason is not None:
                self._stop(reason, now=True)

    def _begin(self, *, external: bool) -> None:
        self.life.begin(external=external, fixed=self._enqueued.popleft() if self._enqueued else None)

    def _drop_withdrawn(self) -> None:
        """Numbers that the exhausted sampler left without parameters vanish from the end; earlier ones are CANCELLED."""
        trials = self.life.trials
        withdrawn = sorted(number for number in self._withdrawn if not trials[number].is_final)
        self._withdrawn = []
        while withdrawn and withdrawn[-1] == len(trials) - 1:
            withdrawn.pop()
            self.life.withdraw_last()
        for number in withdrawn:
            self._conclude(trials[number], State.CANCELLED)

    def _finish(self) -> None:
        self._end_segment()
        self.phase = Phase.FINISHED
        for timer in self.life.questions.timers:
            self.life.out.append(CancelTimer(*timer))
        self.life.questions.timers.clear()
        reason = self._stop_reason or ("space exhausted" if self._exhausted else "n_trials reached")
        self.life.publish(SweepFinished(at=self.at, reason=reason))
        self.life.out.append(Finish(reason, self._error))

    # -- the sweep ----------------------------------------------------------------------------------------------------

    def _sweep_opened(self, event: ev.SweepOpened) -> None:
        self.spec = event.spec
        self.rules = policy.StopRules(event.spec)
        self._start_segment()

    def _reopened(self, event: ev.Reopened) -> None:
        self.spec = event.spec
        self._stop_reason = ""
        self._error = None
        self._exhausted = False
        self._withdrawn = []
        self._ask_failures = 0
        self.rules.has_news = True
        self.life.forget_process()
        self._start_segment()
        for trial in self.life.trials:
            if not trial.is_final:
                self._take_up(trial)

    def _start_segment(self) -> None:
        self.phase = Phase.RUNNING
        self._segment_at = self.at
        if self.spec.timeout is not None:
            self.life.set_timer(SWEEP_TIMER, 0, max(0.0, self.spec.timeout - self.active_s))

    def _end_segment(self) -> None:
        """The process that works on the sweep has ended, or is done: what it took counts up to its last event."""
        if self.phase is not Phase.FINISHED:
            self.active_s += self.at - self._segment_at

    def _take_up(self, trial: TrialRecord) -> None:
        """Go on with a trial that was open when the former process ended."""
        reason, trial.kill_reason, trial.worker = trial.kill_reason, None, None
        if trial.external:
            trial.error = ErrorInfo("WorkerLost", "the process that took this trial with run.ask() has ended")
            self._conclude(trial, State.CANCELLED)
        elif reason == policy.KILL_CANCEL:
            self._conclude(trial, State.CANCELLED)
        elif trial.param_names is None:
            self.life.ask(trial)
        else:
            if trial.state is State.RUNNING:
                self.life.requeue(trial, policy.INTERRUPTED)
            self.life.waiting.append(trial.number)

    def _on_enqueued(self, event: ev.Enqueued) -> None:
        self._enqueued.append(event.params)

    def _external_asked(self, event: ev.ExternalAsked) -> None:
        if self.may_ask:
            self._begin(external=True)
        else:
            self.stale += 1

    def _on_paused(self, event: ev.Paused) -> None:
        if not self.paused:
            self.paused = True
            self.life.publish(SweepPaused(at=self.at))

    def _on_unpaused(self, event: ev.Unpaused) -> None:
        if self.paused:
            self.paused = False
            self.life.publish(SweepUnpaused(at=self.at))

    def _stop_requested(self, event: ev.StopRequested) -> None:
        self._stop(event.reason or "stopped", now=event.now)

    def _executor_failed(self, event: ev.ExecutorFailed) -> None:
        self._error = self._error or event.error
        self._stop(str(event.error), now=True)

    def _timer_fired(self, event: ev.TimerFired) -> None:
        timers = self.life.questions.timers
        if (event.trial, event.attempt) not in timers:
            self.stale += 1
            return
        del timers[event.trial, event.attempt]
        if event.trial == SWEEP_TIMER:
            self._stop("timeout", now=True)
        else:
            self.life.kill(self.life.trials[event.trial], policy.KILL_TIMEOUT, self.spec.grace_s)

    def _stop(self, reason: str, *, now: bool) -> None:
        if self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            self._stop_reason = reason
            self.life.publish(SweepStopping(at=self.at, reason=reason))
        for trial in self.life.trials if self.life.n_open else ():
            if not trial.is_final and (now or (trial.worker is None and trial.state is State.WAITING)):
                self._cancel(trial, policy.KILL_STOP)

    def _trial_cancelled(self, event: ev.TrialCancelled) -> None:
        trial = self.life.trials[event.trial]
        if not trial.is_final:
            self._cancel(trial, policy.KILL_CANCEL)

    def _cancel(self, trial: TrialRecord, reason: str) -> None:
        if trial.worker is None:
            self._conclude(trial, State.CANCELLED)
        else:
            self.life.kill(trial, reason, self.spec.grace_s)

    def _conclude(self, trial: TrialRecord, state: State) -> None:
        self.life.conclude(trial, state)
        self.rules.see(trial)

    # -- workers ------------------------------------------------------------------------------------------------------

    def _worker_joined(self, event: ev.WorkerJoined) -> None:
        self.life.slots.join(event.worker, event.slots)

    def _worker_lost(self, event: ev.WorkerLost) -> None:
        for number, attempt in self.life.slots.lose(event.worker):
            trial = self.life.trials[number]
            if trial.attempt == attempt and trial.worker == event.worker:
                self._end_attempt(trial, ErrorInfo("WorkerLost", event.reason))

    def _killed(self, event: ev.Killed) -> None:
        worker = self.life.questions.kills.pop((event.trial, event.attempt))
        if worker is not None:
            self.life.slots.release(worker, event.attempt, event.trial)
        trial = self.life.trials[event.trial]
        if trial.attempt == event.attempt and trial.worker is not None:
            self._end_attempt(trial, ErrorInfo("Killed"))

    # -- the sampler's and the pruner's answers -----------------------------------------------------------------------

    def _suggested(self, event: ev.Suggested) -> None:
        self._ask_failures = 0
        trial = self.life.answered(event.trial)
        if not trial.is_final:
            self.life.give_params(trial, event.params, event.attrs)

    def _space_exhausted(self, event: ev.SpaceExhausted) -> None:
        self._exhausted = True
        trial = self.life.answered(event.trial)
        if not trial.is_final:
            self._withdrawn.append(event.trial)

    def _ask_failed(self, event: ev.AskFailed) -> None:
        trial = self.life.answered(event.trial)
        self._ask_failures += 1
        self.life.publish(PluginFailed(at=self.at, where="sampler.ask", error=event.error))
        if not trial.is_final:
            trial.error = event.error
            self._conclude(trial, State.FAILED)
        if self._ask_failures >= policy.MAX_ASK_FAILURES and self.phase is Phase.RUNNING:
            self._error = event.error
            self._stop(f"the sampler failed {self._ask_failures} times in a row: {event.error}", now=True)

    def _tell_failed(self, event: ev.TellFailed) -> None:
        self.life.publish(PluginFailed(at=self.at, where="sampler.tell", error=event.error))

    def _judged(self, event: ev.Judged) -> None:
        self._answer_verdict(event, prune=event.prune)

    def _judge_failed(self, event: ev.JudgeFailed) -> None:
        self.life.publish(PluginFailed(at=self.at, where="pruner.judge", error=event.error))
        self._answer_verdict(event, prune=False)

    def _answer_verdict(self, event: ev.Judged | ev.JudgeFailed, *, prune: bool) -> None:
        del self.life.questions.verdicts[event.trial, event.attempt, event.step]
        if self._running(event.trial, event.attempt) is not None:
            self.life.out.append(AnswerVerdict(event.trial, event.attempt, event.step, prune))

    def _param_suggested(self, event: ev.ParamSuggested) -> None:
        del self.life.questions.params[event.trial, event.attempt, event.name]
        trial = self._running(event.trial, event.attempt)
        if trial is not None:
            self.life.add_param(trial, event.name, event.value)
            self.life.out.append(AnswerParam(event.trial, event.attempt, event.name, event.value))

    def _suggest_failed(self, event: ev.SuggestFailed) -> None:
        del self.life.questions.params[event.trial, event.attempt, event.name]
        if self._running(event.trial, event.attempt) is not None:
            self.life.out.append(AnswerParam(event.trial, event.attempt, event.name, error=event.error))

    # -- what attempts say --------------------------------------------------------------------------------------------

    def _running(self, number: int, attempt: int) -> TrialRecord | None:
        """The trial, if this is its current attempt and it runs; None (and counted) when that is stale."""
        if 0 <= number < len(self.life.trials):
            trial = self.life.trials[number]
            if trial.attempt == attempt and trial.state is State.RUNNING:
                return trial
        self.stale += 1
        return None

    def _launched(self, number: int, attempt: int) -> TrialRecord | None:
        """The trial, if this is its current attempt and it was launched but not started; None (and counted) otherwise."""
        if 0 <= number < len(self.life.trials):
            trial = self.life.trials[number]
            if trial.attempt == attempt and trial.state is State.WAITING and trial.worker is not None:
                return trial
        self.stale += 1
        return None

    def _started(self, event: ev.Started) -> None:
        trial = self._launched(event.trial, event.attempt)
        if trial is not None:
            self.life.run(trial)
            if self.spec.trial_timeout is not None and trial.kill_reason is None:
                self.life.set_timer(trial.number, trial.attempt, self.spec.trial_timeout)

    def _launch_failed(self, event: ev.LaunchFailed) -> None:
        trial = self._launched(event.trial, event.attempt)
        if trial is not None:
            self._end_attempt(trial, event.error)

    def _reported(self, event: ev.Reported) -> None:
        trial = self._running(event.trial, event.attempt)
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
        update = TrialReported(at=self.at, trial=event.trial, step=step, value=event.value, metrics=event.metrics)
        self.life.publish(update)

    def _verdict_asked(self, event: ev.VerdictAsked) -> None:
        if self._running(event.trial, event.attempt) is None:
            return
        question = (event.trial, event.attempt, event.step)
        if question in self.life.questions.verdicts:
            self.stale += 1
        else:
            self.life.questions.verdicts[question] = None
            self.life.out.append(Judge(*question))

    def _param_asked(self, event: ev.ParamAsked) -> None:
        trial = self._running(event.trial, event.attempt)
        if trial is None:
            return
        question = (event.trial, event.attempt, event.name)
        if event.name in (trial.param_names or ()):
            self.life.out.append(AnswerParam(*question, trial.params[event.name]))
        elif question in self.life.questions.params:
            self.stale += 1
        else:
            self.life.questions.params[question] = None
            self.life.out.append(Suggest(*question, event.domain))

    def _attr_set(self, event: ev.AttrSet) -> None:
        trial = self._running(event.trial, event.attempt)
        if trial is not None:
            trial.attrs = {**(trial.attrs or {}), event.key: event.value}

    def _finished(self, event: ev.Finished) -> None:
        trial = self._running(event.trial, event.attempt)
        if trial is None:
            return
        fault = policy.fault_of(self.spec, event.metrics)
        if fault is None:
            self.life.complete(trial, policy.in_order(self.spec, event.metrics))
            self.rules.see(trial)
        else:
            self._end_attempt(trial, fault)

    def _pruned(self, event: ev.Pruned) -> None:
        trial = self._running(event.trial, event.attempt)
        if trial is not None:
            self.life.prune(trial, self.spec)
            self.rules.see(trial)

    def _failed(self, event: ev.Failed) -> None:
        trial = self._running(event.trial, event.attempt)
        if trial is not None:
            self._end_attempt(trial, event.error)

    def _end_attempt(self, trial: TrialRecord, error: ErrorInfo) -> None:
        self.life.end_attempt(trial, error, self.spec, may_retry=self.phase is Phase.RUNNING)
        if trial.is_final:
            self.rules.see(trial)
