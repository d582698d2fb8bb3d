"""The sweep as a whole: whether it runs, what ends it, and which attempts it still listens to.

What every move shares is here: the lifecycle and the settings, and what a trial's end or a stop means to the whole sweep.
The moves themselves are in `attempts`, `answers`, `workers` and `machine`.
"""

from __future__ import annotations

import enum

from asyncsweep.core import policy
from asyncsweep.core.ahead import Ahead
from asyncsweep.core.effects import CancelTimer, Finish, SweepFinished, SweepStopping, Tell
from asyncsweep.core.launching import Launching
from asyncsweep.core.lifecycle import Lifecycle
from asyncsweep.core.order import Order
from asyncsweep.core.records import ErrorInfo, State, SweepSpec, TrialRecord

SWEEP_TIMER = -1


class Phase(enum.Enum):
    """The sweep as a whole. STOPPING starts nothing new; FINISHED ends only by `Reopened`."""

    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"


# Reading a member off its class costs as much as a call, and these are asked about for each event.
_OPEN = Phase.RUNNING
_WAITING, _RUNNING = State.WAITING, State.RUNNING


class Course:
    """Where one sweep stands.

    Attributes:
        life: The trials, slots and open questions.
        ahead: How many suggestions are fetched early.
        launching: Whether attempts are launched to busy workers.
        spec: The settings, from `open` on.
        rules: The stop rules, which know the best trial; from `open` on.
        phase: See `Phase`.
        paused: Nothing is launched or asked for until the user goes on.
        stale: How many events came too late and were ignored.
        exhausted: The sampler has nothing left to try.
        error: The fault of the sweep itself; None otherwise.
        active_s: How long earlier processes worked on the sweep; `timeout` counts working time alone.
        segment_at: When this process began.
        stop_reason: Why nothing new is started, or why the sweep has ended; "" while it goes on.
    """

    spec: SweepSpec
    rules: policy.StopRules

    def __init__(self, life: Lifecycle) -> None:
        self.life = life
        self.ahead = Ahead(1)
        self.launching = Launching()
        self.phase = Phase.NEW
        self.paused = False
        self.stale = 0
        self.exhausted = False
        self.error: ErrorInfo | None = None
        self.active_s = 0.0
        self.segment_at = 0.0
        self.stop_reason = ""

    @property
    def may_ask(self) -> bool:
        """True while a new trial may be created."""
        return (
            self.phase is _OPEN
            and not self.exhausted
            and (self.spec.n_trials is None or len(self.life.trials) < self.spec.n_trials)
        )

    # -- beginning and end --------------------------------------------------------------------------------------------

    def open(self, spec: SweepSpec) -> None:
        self.rules = policy.StopRules(spec)
        self.life.order = Order(spec.reproducible)
        self._start_segment(spec)

    def reopen(self, spec: SweepSpec) -> None:
        """A new process goes on, with every trial that was open. `end_segment` was called for the former one."""
        self.life.forget_process()
        self.stop_reason = ""
        self.error = None
        self.exhausted = False
        self.rules.follow(spec)
        unanswered = (trial.number for trial in self.life.trials if not trial.is_final and trial.param_names is None)
        self.life.order.reopen(next(unanswered, len(self.life.trials)))
        self._start_segment(spec)
        for trial in self.life.trials:
            if not trial.is_final:
                self._take_up(trial)

    def _take_up(self, trial: TrialRecord) -> None:
        """Go on with a trial that was open when the former process ended."""
        may_have_run = trial.worker is not None  # its `Started` may not have been written any more
        reason, trial.kill_reason, trial.worker = trial.kill_reason, None, None
        if trial.external:
            trial.error = ErrorInfo("WorkerLost", "the process that took this trial with run.ask() has ended")
            self.conclude(trial, State.CANCELLED)
        elif reason == policy.KILL_CANCEL:
            self.conclude(trial, State.CANCELLED)
        elif trial.param_names is None:
            self.life.ask(trial)
        else:
            if may_have_run and self.spec.retries.interrupted == "fail":
                self._fail(trial, policy.INTERRUPTED)
                return
            if trial.state is State.RUNNING:
                self.life.requeue(trial, policy.INTERRUPTED)
            self.life.waiting.append(trial.number)
            if self.life.deaths:
                self.refuse_deadly(trial)

    def _fail(self, trial: TrialRecord, error: ErrorInfo) -> None:
        trial.error = error
        self.conclude(trial, State.FAILED)

    def _start_segment(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.phase = Phase.RUNNING
        self.segment_at = self.life.at
        self.set_pace(spec)
        if spec.timeout is not None:
            self.life.set_timer(SWEEP_TIMER, 0, max(0.0, spec.timeout - self.active_s))

    def set_pace(self, spec: SweepSpec) -> None:
        """Nothing is known yet of how long trials, suggestions and launches take."""
        self.ahead = Ahead(spec.concurrency, is_on=not spec.reproducible)
        self.launching = Launching()
        self.follow_slots()

    def follow_slots(self) -> None:
        """The workers have other slots than before."""
        if not self.spec.concurrency:
            self.ahead.follow(self.life.slots.n_slots)

    def end_segment(self) -> None:
        """The process that works on the sweep has ended, or is done: what it took counts up to its last event."""
        if self.phase is not Phase.FINISHED:
            self.active_s += self.life.at - self.segment_at

    def obey_rules(self) -> None:
        """Stop when a stop rule says so."""
        self.rules.has_news = False
        failures = self.rules.too_many_failures()
        if failures is not None:
            self.error = failures
            self.stop(str(failures), now=True)
        else:
            reason = self.rules.reason_to_stop()
            if reason is not None:
                self.stop(reason, now=True)

    def settle_order(self) -> None:
        """Hold the stop rules to the trials in the order of their numbers; what comes after a stop is to be dropped."""
        order, trials = self.life.order, self.life.trials
        while True:
            if self.rules.has_news and self.phase is _OPEN:
                self.obey_rules()
                if self.phase is not _OPEN:
                    order.kept = order.settled
            if order.kept is not None or order.settled >= len(trials) or not trials[order.settled].is_final:
                return
            self.rules.see(trials[order.settled])
            order.settled += 1

    def stop(self, reason: str, *, now: bool) -> None:
        """Start nothing new; with `now` also end what runs."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            self.stop_reason = reason
            self.life.publish(SweepStopping(at=self.life.at, reason=reason))
        trials = self.life.trials
        while trials and _never_started(trials[-1]):
            self.life.take_back_last()
        for trial in trials if self.life.n_open else ():
            if not trial.is_final and (now or (trial.worker is None and trial.state is State.WAITING)):
                self.cancel(trial, policy.KILL_STOP)

    def finish(self) -> None:
        """Nothing is open and nothing new may start: the last effects."""
        order = self.life.order
        while order.kept is not None and len(self.life.trials) > order.kept:
            self.life.drop_last()
        if order.window:  # what no ask had to know
            self.life.out += map(Tell, order.due_before(len(self.life.trials) + order.window - 1))
        self.end_segment()
        self.phase = Phase.FINISHED
        for timer in self.life.questions.timers:
            self.life.out.append(CancelTimer(*timer))
        self.life.questions.timers.clear()
        reason = self.stop_reason or ("space exhausted" if self.exhausted else "n_trials reached")
        self.stop_reason = reason
        self.life.publish(SweepFinished(at=self.life.at, reason=reason))
        self.life.out.append(Finish(reason, self.error))

    # -- one trial ----------------------------------------------------------------------------------------------------

    def running(self, number: int, attempt: int) -> TrialRecord | None:
        """The trial, if this is its current attempt and it runs; None (and counted) when that is stale."""
        trials = self.life.trials
        if 0 <= number < len(trials):
            trial = trials[number]
            if trial.attempt == attempt and trial.state is _RUNNING:
                return trial
        self.stale += 1
        return None

    def launched(self, number: int, attempt: int) -> TrialRecord | None:
        """The trial, if this is its current attempt and it was launched but not started; None (and counted) otherwise."""
        trials = self.life.trials
        if 0 <= number < len(trials):
            trial = trials[number]
            if trial.attempt == attempt and trial.state is _WAITING and trial.worker is not None:
                return trial
        self.stale += 1
        return None

    def cancel(self, trial: TrialRecord, reason: str) -> None:
        """End an open trial: at once where nothing of it runs, else by a kill."""
        if trial.worker is None:
            self.conclude(trial, State.CANCELLED)
        else:
            self.life.kill(trial, reason, self.spec.grace_s)

    def end_attempt(self, trial: TrialRecord, error: ErrorInfo) -> None:
        """An attempt ended without a result: the trial is retried while that is allowed, else it is final."""
        self.life.end_attempt(trial, error, self.spec, may_retry=self.phase is Phase.RUNNING)
        if trial.is_final:
            self._see(trial)
        elif self.life.deaths:
            self.refuse_deadly(trial)

    def take_back(self, trial: TrialRecord) -> None:
        """A launched attempt never began, and never will: the trial waits again, unless nothing may start any more."""
        self.launching.forget(trial.number)
        self.life.take_back(trial)
        if self.phase is not _OPEN:
            if trial is self.life.trials[-1] and _never_started(trial):
                self.life.take_back_last()
            else:
                self.conclude(trial, State.CANCELLED)
        elif self.life.deaths:
            self.refuse_deadly(trial)

    def lose(self, trial: TrialRecord, error: ErrorInfo) -> None:
        """The worker died under an attempt. After some deaths nothing with these parameters is tried again."""
        if trial.kill_reason is not None or trial.external:
            self.end_attempt(trial, error)
            return
        if error.type in policy.BLAMELESS:
            if self.phase is _OPEN:
                self.life.interrupt(trial, error)
                if self.life.deaths:  # of other trials with these parameters
                    self.refuse_deadly(trial)
            else:
                self.end_attempt(trial, error)
            return
        key = policy.key_of(trial, self.spec)
        n_deaths = self.life.deaths[key] = self.life.deaths.get(key, 0) + 1
        limit = self.spec.retries.quarantine
        if limit is None or n_deaths < limit:
            self.end_attempt(trial, error)
            return
        self._fail(trial, policy.last_straw(error, n_deaths))
        for other in self.life.trials if self.life.n_open else ():
            if not other.is_final and other.worker is None and other.param_names is not None and not other.external:
                self.refuse_deadly(other)

    def refuse_deadly(self, trial: TrialRecord) -> bool:
        """Fail a trial that waits with parameters that are not tried again; True when it was one."""
        limit = self.spec.retries.quarantine
        if limit is None:
            return False
        n_deaths = self.life.deaths.get(policy.key_of(trial, self.spec), 0)
        if n_deaths >= limit:
            self._fail(trial, policy.quarantined(n_deaths))
        return n_deaths >= limit

    def fail_sweep(self, error: ErrorInfo, reason: str) -> None:
        """End the sweep because it cannot go on."""
        self.error = error
        self.stop(reason, now=True)

    def conclude(self, trial: TrialRecord, state: State, metrics: dict[str, float] | None = None) -> None:
        """The trial is final."""
        self.life.conclude(trial, state, metrics)
        self._see(trial)

    def _see(self, trial: TrialRecord) -> None:
        ahead = self.ahead
        if ahead.is_on and trial.started_at and not trial.external:
            ahead.ran(trial.finished_at - trial.started_at)
            self.launching.is_slow = self.launching.takes_s > ahead.notable_s
        if not self.life.order.window:
            self.rules.see(trial)


def _never_started(trial: TrialRecord) -> bool:
    """Whether a trial was asked for, or has its parameters, and waits for its first launch."""
    return trial.state is _WAITING and trial.worker is None and not trial.attempt and not trial.external
