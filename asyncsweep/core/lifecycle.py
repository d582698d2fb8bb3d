"""The trials and the stages through which they go.

    asked     no parameters yet, its number is in `questions.asks`    begin, ask
    waiting   WAITING, no worker, its number is in `waiting`          give_params, requeue
              or, before a retry, a timer of its last attempt runs
    launched  WAITING, holds a slot, or waits ahead at a busy worker  launch, launch_ahead
    running   RUNNING                                                 run
    final     COMPLETE, PRUNED, FAILED, CANCELLED                     conclude

A failed attempt with retries left goes back to waiting and starts clean. A slot whose attempt is being killed stays taken
until `Killed` or `WorkerLost` says that nothing runs there any more, even when the trial's own last word came first. A launch that
is taken back, or lost with its worker while it waited ahead, was no attempt: the trial waits again, and the next launch has its number.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Any

import msgspec

from asyncsweep.core import policy
from asyncsweep.core.effects import (
    Ask,
    CancelTimer,
    Effect,
    Kill,
    Launch,
    Publish,
    SetTimer,
    TakeBack,
    Tell,
    TrialDropped,
    TrialFinished,
    TrialRetried,
    TrialStarted,
    TrialSuggested,
    Update,
)
from asyncsweep.core.order import Order
from asyncsweep.core.questions import Questions
from asyncsweep.core.records import ErrorInfo, PastTrial, State, SweepSpec, TrialRecord
from asyncsweep.core.slots import Slots
from asyncsweep.space import Domain

# Reading a member off its class costs as much as a call.
_WAITING, _RUNNING = State.WAITING, State.RUNNING
# So many different steps are kept to be shared: trials with steps of their own must not cost twice the memory.
_MOST_SHARED = 1_000


class Lifecycle:
    """Every trial of a sweep, and the effects of moving them.

    Attributes:
        trials: Every trial by its number.
        counts: How many trials are in each state.
        enqueued: Parameters that the user wants tried, next one first.
        waiting: Numbers of the trials that have parameters and no slot, next one first.
        n_asked: How many trials that will need a slot wait for parameters.
        n_open: How many trials are not final.
        deaths: How many workers died under trials with the same parameters (see `policy.key_of`).
        history: Trials of earlier searches, numbered -1, -2, ... in their order.
        order: What an ask may know.
        out: The effects of the event at hand; the machine gives them to its caller.
        at: The time of the event at hand, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self.trials: list[TrialRecord] = []
        self.counts: dict[State, int] = dict.fromkeys(State, 0)
        self.enqueued: deque[dict[str, Any]] = deque()
        self.waiting: deque[int] = deque()
        self.n_asked = 0
        self.n_open = 0
        self.deaths: dict[bytes, int] = {}
        self.history: list[TrialRecord] = []
        self.order = Order(0)
        self.slots = Slots()
        self.questions = Questions()
        self.out: list[Effect] = []
        self.at = 0.0
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._steps: dict[bytes, array[int]] = {}
        self._domains: dict[bytes, dict[str, Domain]] = {}

    # -- forward ------------------------------------------------------------------------------------------------------

    def begin(self, *, external: bool) -> None:
        """A new trial, which asks for its parameters."""
        fixed = self.enqueued.popleft() if self.enqueued else None
        trial = TrialRecord(len(self.trials), external=external, fixed=fixed, asked_at=self.at)
        self.trials.append(trial)
        self.counts[_WAITING] += 1
        self.n_open += 1
        self.ask(trial)

    def ask(self, trial: TrialRecord) -> None:
        self.questions.asks[trial.number] = None
        self.n_asked += not trial.external
        if self.order.window:
            self.out += map(Tell, self.order.due_before(trial.number))
        self.out.append(Ask(trial.number, trial.fixed))

    def answered(self, number: int) -> TrialRecord | None:
        """The sampler answered for this trial, in whatever way; None when the trial ended meanwhile, or was taken back."""
        del self.questions.asks[number]
        trial = self.trials[number] if number < len(self.trials) else None
        if trial is None or trial.is_final:
            return None
        self.n_asked -= not trial.external
        return trial

    def give_params(self, trial: TrialRecord, params: dict[str, Any], attrs: dict[str, Any] | None) -> None:
        trial.param_names = self.shared(params)
        trial.param_values = tuple(params.values())
        trial.sampler_attrs = attrs
        self.out.append(Publish(TrialSuggested(at=self.at, trial=trial.number, params=params)))
        if trial.external:
            trial.attempt = 1
            self.run(trial)
        elif trial.fixed is None:
            self.waiting.append(trial.number)
        else:  # what the user wants tried next goes before what was fetched ahead
            before = next((place for place, other in enumerate(self.waiting) if self.trials[other].fixed is None), None)
            self.waiting.insert(len(self.waiting) if before is None else before, trial.number)

    def add_param(self, trial: TrialRecord, name: str, value: Any, domain: Domain) -> None:
        trial.param_names = self.shared((*(trial.param_names or ()), name))
        trial.param_values = (*trial.param_values, value)
        trial.domains = self.shared_domains({**(trial.domains or {}), name: domain})
        self.publish(TrialSuggested(at=self.at, trial=trial.number, params=trial.params))

    def launch(self) -> TrialRecord:
        """Give a free slot to the trial that waited longest."""
        number = self.waiting.popleft()
        trial = self.trials[number]
        trial.attempt += 1
        trial.worker = self.slots.take((number, trial.attempt))
        self.out.append(Launch(number, trial.attempt, trial.worker))
        return trial

    def launch_ahead(self) -> None:
        """Have the trial that waited longest wait at a busy worker."""
        number = self.waiting.popleft()
        trial = self.trials[number]
        trial.attempt += 1
        trial.worker = self.slots.take_ahead((number, trial.attempt))
        self.out.append(Launch(number, trial.attempt, trial.worker))

    def take_back(self, trial: TrialRecord) -> None:
        """A launched attempt never began: the trial is the next to be launched, and this attempt has not been."""
        self._leave_slot(trial)
        trial.attempt -= 1
        self.waiting.appendleft(trial.number)

    def ask_back(self, attempt: tuple[int, int]) -> None:
        """Have an attempt given back that waits ahead, unless it has begun."""
        self.questions.take_backs[attempt] = None
        self.out.append(TakeBack(*attempt))

    def began(self, trial: TrialRecord) -> None:
        """An attempt has begun of which it was thought that it waits ahead, or that was asked back."""
        attempt = (trial.number, trial.attempt)
        if trial.worker is not None:
            self.slots.began(trial.worker, attempt)
        self.questions.take_backs.pop(attempt, None)

    def run(self, trial: TrialRecord) -> None:
        self._set_state(trial, _RUNNING)
        trial.started_at = self.at
        update = TrialStarted(at=self.at, trial=trial.number, attempt=trial.attempt, worker=trial.worker)
        self.out.append(Publish(update))

    # -- the end ------------------------------------------------------------------------------------------------------

    def end_attempt(self, trial: TrialRecord, error: ErrorInfo, spec: SweepSpec, *, may_retry: bool) -> None:
        """An attempt ended without a result: by `error`, or because it was to be killed."""
        reason = trial.kill_reason
        if reason == policy.KILL_TIMEOUT:
            error = ErrorInfo("TrialTimeout", f"ran longer than trial_timeout={spec.trial_timeout} s")
        elif reason is not None:
            self.conclude(trial, State.CANCELLED)
            return
        if may_retry and not trial.external and spec.retries.allows(error, len(trial.failures)):
            self._leave_slot(trial)
            trial.failures = (*trial.failures, error)
            self.requeue(trial, error)
            delay_s = spec.retries.delay_s(len(trial.failures))
            if delay_s:
                self.set_timer(trial.number, trial.attempt, delay_s)
            else:
                self.waiting.appendleft(trial.number)
        else:
            trial.error = error
            self.conclude(trial, State.FAILED)

    def interrupt(self, trial: TrialRecord, error: ErrorInfo) -> None:
        """An attempt was cut short by what it is not to blame for: the trial is next, and this is no retry."""
        self._leave_slot(trial)
        self.requeue(trial, error)
        self.waiting.appendleft(trial.number)

    def requeue(self, trial: TrialRecord, error: ErrorInfo) -> None:
        """Back to WAITING, because the attempt ended in `error`; the next one starts clean."""
        self._set_state(trial, State.WAITING)
        trial.steps = trial.reported = trial.report_metrics = trial.attrs = None
        trial.pruner_attrs = trial.constraints = trial.usage = None
        trial.rising = True
        trial.started_at = 0.0
        self.publish(TrialRetried(at=self.at, trial=trial.number, attempt=trial.attempt, error=error))

    def conclude(self, trial: TrialRecord, state: State, metrics: dict[str, float] | None = None) -> None:
        """The trial is final: free its slot, tell the sampler, show it."""
        number = trial.number
        if metrics:
            trial.metric_names = self.shared(metrics)
            trial.metric_values = tuple(metrics.values())
        if trial.param_names is None:
            self.n_asked -= number in self.questions.asks and not trial.external
        elif trial.state is _WAITING and trial.worker is None and number in self.waiting:
            self.waiting.remove(number)
        self._leave_slot(trial)
        self._set_state(trial, state)
        trial.finished_at = self.at
        if (
            trial.steps is not None and trial.reported is not None
        ):  # what arrays keep free is a tenth of a trial's memory
            trial.steps, trial.reported = self.shared_steps(trial.steps), trial.reported[:]
        self.n_open -= 1
        if not self.order.window:
            self.out.append(Tell(number))
        update = TrialFinished(at=self.at, trial=number, state=state, metrics=metrics or {}, error=trial.error)
        self.out.append(Publish(update))

    def withdraw_last(self) -> None:
        """Take back the newest trial, which never got parameters: its number is free again."""
        self.counts[self.trials.pop().state] -= 1
        self.n_open -= 1

    def take_back_last(self) -> None:
        """The newest trial will not be started. What the user wanted tried is kept for a sweep that goes on."""
        trial = self.trials.pop()
        self.counts[_WAITING] -= 1
        self.n_open -= 1
        if trial.param_names is None:
            self.n_asked -= trial.number in self.questions.asks
        else:
            self.waiting.remove(trial.number)
        if trial.fixed is not None:
            self.enqueued.appendleft(trial.fixed)
        self.publish(TrialDropped(at=self.at, trial=trial.number))

    def drop_last(self) -> None:
        """Have the newest trial, which is final, never have been."""
        trial = self.trials.pop()
        self.counts[trial.state] -= 1
        self.publish(TrialDropped(at=self.at, trial=trial.number))

    def adopt(self, past: PastTrial) -> None:
        """Take in a trial of an earlier search, and tell of it."""
        record = TrialRecord(-1 - len(self.history), past.state, constraints=past.constraints)
        record.param_names, record.param_values = self.shared(past.params), tuple(past.params.values())
        record.metric_names, record.metric_values = self.shared(past.metrics), tuple(past.metrics.values())
        if past.steps:
            record.steps, record.reported = array("q", past.steps), array("d", past.values)
        self.history.append(record)
        self.out.append(Tell(record.number))

    def kill(self, trial: TrialRecord, reason: str, grace_s: float) -> None:
        """End a running attempt. Of several reasons the user's cancelling counts most, a time limit least."""
        attempt = (trial.number, trial.attempt)
        if policy.outranks(reason, trial.kill_reason):
            trial.kill_reason = reason
        if attempt not in self.questions.kills:
            self.questions.kills[attempt] = trial.worker
            self.out.append(Kill(*attempt, reason, grace_s))

    def forget_process(self) -> None:
        """The process that ran the sweep is gone: no workers, no questions, nothing waits."""
        self.slots = Slots()
        self.questions = Questions()
        self.waiting.clear()
        self.n_asked = 0

    # -- small parts --------------------------------------------------------------------------------------------------

    def set_timer(self, trial: int, attempt: int, delay_s: float) -> None:
        self.questions.timers[trial, attempt] = None
        self.out.append(SetTimer(trial, attempt, delay_s))

    def publish(self, update: Update) -> None:
        self.out.append(Publish(update))

    def _leave_slot(self, trial: TrialRecord) -> None:
        attempt = (trial.number, trial.attempt)
        if attempt in self.questions.timers:
            del self.questions.timers[attempt]
            self.out.append(CancelTimer(*attempt))
        if trial.worker is not None:
            if attempt not in self.questions.kills:
                self.slots.release(trial.worker, attempt)
            if self.questions.take_backs:
                self.questions.take_backs.pop(attempt, None)
            trial.worker = None
        trial.kill_reason = None

    def _set_state(self, trial: TrialRecord, state: State) -> None:
        self.counts[trial.state] -= 1
        self.counts[state] += 1
        trial.state = state

    def shared_domains(self, domains: dict[str, Domain]) -> dict[str, Domain]:
        """Trials that ask for the same share one dict, which nobody changes."""
        return self._domains.setdefault(msgspec.msgpack.encode(domains), domains)

    def shared_steps(self, steps: array[int]) -> array[int]:
        """Most trials report at the same steps: those that are final share one array of them, which nobody changes."""
        key = steps.tobytes()
        known = self._steps.get(key)
        if known is None:
            known = steps[:]
            if len(self._steps) < _MOST_SHARED:
                self._steps[key] = known
        return known

    def shared(self, names: Any) -> tuple[str, ...]:
        """Names as a tuple, the same one for all who have them."""
        key = tuple(names)
        return self._names.setdefault(key, key)
