"""The sweep as a state machine without I/O: `check` an event, `handle` it, carry out the effects that it gives.

Theory of operation. `handle` works in two steps. A *move*, chosen by the event's type, changes what the event speaks of.
Then *settle* does what the new state asks for, to a fixed point. So no move needs to know what else was waiting for it.

The moves of users and timers are here, those of `attempts`, of `workers` and of the sampler's and pruner's `answers` in their
own files, as is `settling`. `course` has what they share: the sweep as a whole. Below it are `lifecycle` with the stages of a trial,
`questions` with what the outside owes an answer to, and `slots` with who runs where.

The machine reads no clock and draws no random number: what it does depends on the events alone, and replaying a journal
gives the same state and effects. Its only mutator is `handle`. Stale events of workers change nothing but `stale`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncsweep.core import events as ev
from asyncsweep.core import policy, snapshot
from asyncsweep.core.answers import Answers
from asyncsweep.core.attempts import Attempts
from asyncsweep.core.course import SWEEP_TIMER, Course, Phase
from asyncsweep.core.effects import Effect, SweepPaused, SweepUnpaused
from asyncsweep.core.lifecycle import Lifecycle
from asyncsweep.core.questions import ANSWERS
from asyncsweep.core.records import SweepSpec, TrialRecord
from asyncsweep.core.settling import Settling
from asyncsweep.core.workers import Workers
from asyncsweep.errors import InvalidTransition

__all__ = ["SWEEP_TIMER", "Machine", "Phase"]

# Once the sweep is open, an event of a worker is either timely or stale. (Looked up in, never gone through.)
_NEVER_ILLEGAL = frozenset(ev.WORKER_EVENTS)
_SUGGESTED, _JUDGED = ev.Suggested, ev.Judged
# What objectives say while they run, and what they are answered, frees no slot and ends nothing: there is nothing to settle.
# A snapshot was settled when it was made.
_NOT_SETTLED = frozenset(
    (
        *(ev.Kept, ev.Snapshot),
        *(
            ev.Started,
            ev.Reported,
            ev.SeriesReported,
            ev.VerdictAsked,
            ev.SeriesUpForVerdict,
            ev.ParamAsked,
            ev.AttrSet,
            ev.ConstraintSet,
            ev.Used,
        ),
        *(ev.Judged, ev.JudgeFailed, ev.ParamSuggested, ev.SuggestFailed, ev.TellFailed),
    )
)
# Reading a member off its class costs as much as a call, and these are asked about for each event.
_NEW, _OPEN, _FINISHED = Phase.NEW, Phase.RUNNING, Phase.FINISHED


class Machine:
    """One sweep.

    Attributes:
        life: The trials, slots and open questions.
        course: The sweep as a whole.
        answers: The moves of the sampler's and pruner's answers.
        seq: The last event's number.
    """

    def __init__(self) -> None:
        self.life = Lifecycle()
        self.course = course = Course(self.life)
        self.answers = answers = Answers(course)
        self.seq = 0
        settling = Settling(course, answers)
        self._settle = settling.settle
        attempts, workers = Attempts(course, settling.ask_back), Workers(course)
        self._moves: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.SweepOpened: self._sweep_opened,
            ev.Reopened: self._reopened,
            ev.Kept: lambda event: snapshot.thaw_trials(self, event.trials),
            ev.Snapshot: lambda event: snapshot.thaw(self, event.state),
            ev.WorkerCame: workers.came,
            ev.WorkerJoined: workers.joined,
            ev.WorkerLost: workers.lost,
            ev.SlotsChanged: workers.slots_changed,
            ev.Enqueued: self._enqueued,
            ev.Adopted: self._adopted,
            ev.ExternalAsked: self._external_asked,
            ev.Suggested: answers.suggested,
            ev.SpaceExhausted: answers.space_exhausted,
            ev.AskFailed: answers.ask_failed,
            ev.TellFailed: answers.tell_failed,
            ev.LaunchFailed: attempts.launch_failed,
            ev.TakenBack: attempts.taken_back,
            ev.Started: attempts.started,
            ev.ParamAsked: attempts.param_asked,
            ev.ParamSuggested: answers.param_suggested,
            ev.SuggestFailed: answers.suggest_failed,
            ev.Reported: attempts.reported,
            ev.SeriesReported: attempts.series_reported,
            ev.VerdictAsked: attempts.verdict_asked,
            ev.SeriesUpForVerdict: attempts.series_up_for_verdict,
            ev.Judged: answers.judged,
            ev.JudgeFailed: answers.judge_failed,
            ev.AttrSet: attempts.attr_set,
            ev.ConstraintSet: attempts.constraint_set,
            ev.Used: attempts.used,
            ev.Finished: attempts.finished,
            ev.Pruned: attempts.pruned,
            ev.Failed: attempts.failed,
            ev.Killed: workers.killed,
            ev.TimerFired: self._timer_fired,
            ev.Paused: self._on_paused,
            ev.Unpaused: self._on_unpaused,
            ev.TrialCancelled: self._trial_cancelled,
            ev.StopRequested: self._stop_requested,
            ev.ExecutorFailed: workers.executor_failed,
        }

    # -- the entries --------------------------------------------------------------------------------------------------

    def check(self, event: ev.Event) -> None:
        """Refuse an event that cannot happen now; nothing is changed.

        Raises:
            InvalidTransition: With the story of the trial or sweep.
        """
        phase, kind = self.course.phase, type(event)
        if (
            (
                kind in _NEVER_ILLEGAL
                or (kind is _SUGGESTED and event.trial in self.life.questions.asks)  # type: ignore[attr-defined]
                or (kind is _JUDGED and (event.trial, event.attempt, event.step) in self.life.questions.verdicts)  # type: ignore[attr-defined]
            )
            and phase is not _NEW
            and event.seq == self.seq + 1
            and event.at >= self.life.at  # which NaN is not
        ):
            return  # nearly all there are
        complaint = self._complaint(event)
        if complaint is not None:
            raise InvalidTransition(f"{type(event).__name__} cannot happen: {complaint}", self.story(event))

    def handle(self, event: ev.Event) -> list[Effect]:
        """Take an event that `check` let pass; gives what is to be done, in order."""
        life, course = self.life, self.course
        kind = type(event)
        if kind is ev.Reopened:
            course.end_segment()
        self.seq = event.seq
        life.at = event.at
        out: list[Effect] = []
        life.out = out
        if course.phase is not _FINISHED or kind is ev.Reopened:
            self._moves[kind](event)
            if kind not in _NOT_SETTLED:
                self._settle()
        return out

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> SweepSpec:
        """The settings, from `SweepOpened` on."""
        return self.course.spec

    @property
    def rules(self) -> policy.StopRules:
        """The stop rules, from `SweepOpened` on."""
        return self.course.rules

    @property
    def phase(self) -> Phase:
        """See `Phase`."""
        return self.course.phase

    @property
    def paused(self) -> bool:
        """True between `Paused` and `Unpaused`."""
        return self.course.paused

    @property
    def stale(self) -> int:
        """How many events came too late and were ignored."""
        return self.course.stale

    @property
    def active_s(self) -> float:
        """How long earlier processes worked on the sweep; `timeout` counts working time alone."""
        return self.course.active_s

    @property
    def at(self) -> float:
        """The last event's time, in seconds since the epoch."""
        return self.life.at

    @property
    def trials(self) -> list[TrialRecord]:
        """Every trial by its number."""
        return self.life.trials

    @property
    def history(self) -> list[TrialRecord]:
        """Trials of earlier searches, numbered -1, -2, ..."""
        return self.life.history

    @property
    def concurrency(self) -> int:
        """How many trials can run at a time: as the settings say, or as many as there are slots now, and at least 1."""
        return self.spec.concurrency or max(1, self.life.slots.n_slots)

    @property
    def may_ask(self) -> bool:
        """True while a new trial may be created."""
        return self.course.may_ask

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
        if type(event) is ev.Kept or type(event) is ev.Snapshot:
            return None if self.phase is _NEW else "a snapshot stands at the beginning"
        if event.seq != self.seq + 1:
            return f"its seq is {event.seq}, the next one is {self.seq + 1}"
        if not event.at >= self.life.at:
            return f"its time {event.at} is before {self.life.at}"
        phase, kind = self.course.phase, type(event)
        if phase is not _NEW and kind in ANSWERS:
            return None if phase is _FINISHED else self.life.questions.complaint(event)
        if kind not in self._moves:
            return "the machine does not know this type of event"
        if (phase is _NEW) != (kind is ev.SweepOpened):
            return "the sweep is not open" if phase is _NEW else "the sweep is open already"
        if phase is _FINISHED and kind is not ev.Reopened:
            return None
        if isinstance(event, ev.WorkerCame):
            if event.slots < 1:
                return f"{event.slots} slots"
            if isinstance(event, ev.WorkerJoined) and not 0 <= event.ahead <= event.slots:
                return f"{event.ahead} places ahead of {event.slots} slots"
            return f"worker {event.worker!r} is here already" if event.worker in self.life.slots.jobs else None
        if type(event) is ev.SlotsChanged and event.slots < 0:
            return f"{event.slots} slots"
        if type(event) is ev.WorkerLost or type(event) is ev.SlotsChanged:
            return None if event.worker in self.life.slots.jobs else f"worker {event.worker!r} is not here"
        if type(event) is ev.TrialCancelled or type(event) is ev.TellFailed:
            first = -len(self.life.history) if type(event) is ev.TellFailed else 0
            known = first <= event.trial < len(self.life.trials)
            return None if known else f"there is no trial {event.trial}"
        if type(event) is ev.Reopened:
            same = event.spec.reproducible == self.spec.reproducible
            return (
                None if same else f"reproducible={event.spec.reproducible}, and it began with {self.spec.reproducible}"
            )
        if type(event) is ev.Adopted:
            return "the sweep has trials of its own already" if self.life.trials else None
        return None

    # -- users and timers ---------------------------------------------------------------------------------------------

    def _sweep_opened(self, event: ev.SweepOpened) -> None:
        self.course.open(event.spec)

    def _reopened(self, event: ev.Reopened) -> None:
        self.answers.forget()
        self.course.reopen(event.spec)

    def _enqueued(self, event: ev.Enqueued) -> None:
        self.life.enqueued.append(event.params)

    def _adopted(self, event: ev.Adopted) -> None:
        self.life.adopt(event.past)

    def _external_asked(self, event: ev.ExternalAsked) -> None:
        if self.course.may_ask and not self.life.order.window:
            self.life.begin(external=True)
        else:
            self.course.stale += 1

    def _on_paused(self, event: ev.Paused) -> None:
        if not self.course.paused:
            self.course.paused = True
            self.course.ahead.idle_since = None
            self.life.publish(SweepPaused(at=self.life.at))

    def _on_unpaused(self, event: ev.Unpaused) -> None:
        if self.course.paused:
            self.course.paused = False
            self.life.publish(SweepUnpaused(at=self.life.at))

    def _trial_cancelled(self, event: ev.TrialCancelled) -> None:
        trial = self.life.trials[event.trial]
        if not trial.is_final:
            self.course.cancel(trial, policy.KILL_CANCEL)

    def _stop_requested(self, event: ev.StopRequested) -> None:
        self.course.stop(event.reason or "stopped", now=event.now)

    def _timer_fired(self, event: ev.TimerFired) -> None:
        timers = self.life.questions.timers
        if (event.trial, event.attempt) not in timers:
            self.course.stale += 1
            return
        del timers[event.trial, event.attempt]
        if event.trial == SWEEP_TIMER:
            self.course.stop("timeout", now=True)
            return
        trial = self.life.trials[event.trial]
        if trial.worker is None:  # it has waited long enough for its next attempt
            self.life.waiting.appendleft(trial.number)
        else:
            self.life.kill(trial, policy.KILL_TIMEOUT, self.spec.grace_s)
