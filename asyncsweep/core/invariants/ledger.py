"""What the outside owes and holds, kept from events and effects alone: the machine's own books are never looked at.

`invariants` holds these books against the machine's. Whoever simulates the outside (a test, a driverless harness) finds here
which answers are due.
"""

from __future__ import annotations

from collections import Counter

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.effects import (
    AnswerParam,
    AnswerVerdict,
    Ask,
    CancelTimer,
    Effect,
    Finish,
    Judge,
    Kill,
    Launch,
    Publish,
    PublishReports,
    SetTimer,
    Suggest,
    SweepStopping,
    TakeBack,
    Tell,
    TrialDropped,
    TrialFinished,
    TrialRetried,
    TrialStarted,
    Update,
)
from asyncsweep.core.records import SweepSpec
from asyncsweep.core.resources import unmet
from asyncsweep.space import Domain

Attempt = tuple[int, int]


class Ledger:
    """Read each event with `took`, then its effects in order with `did`.

    Attributes:
        spec: The settings of the current process's part.
        workers: The slots of each worker that is here.
        most_slots: The most slots that there were at a time.
        unfit: Workers that offer not what trials need; they count as having no slots.
        places: How many attempts may wait ahead at each worker where some may.
        ahead: The worker at which each attempt waits ahead, in the order of their launches.
        take_backs: Attempts that were asked back and have neither begun nor ended.
        held: Which worker's slot each attempt holds; one that is being killed holds it until `Killed` or `WorkerLost`.
        launched: Trials that were launched and have not started, with their attempt.
        running: Trials that run, with their attempt; external ones too.
        external: Trials taken with `run.ask()`.
        attempts: How many attempts of each trial were launched.
        launches: The same, in this process's part alone.
        interrupted: How many attempts of each trial a `Reopened`, or a blameless loss of their worker, cut short.
        asks: Trials whose parameters are due.
        verdicts: (trial, attempt, step) whose verdict is due from the pruner.
        params: (trial, attempt, name) whose value is due from the sampler.
        domains: The domain in which it was asked, for each such question of this process's part.
        constraints: The first value of each name that a running (trial, attempt) set.
        kills: Attempts whose end is due from the executor.
        timers: (trial, attempt) of running timers.
        told: Trials that the sampler knows to be final, and those of earlier searches.
        asked: How many trials the sampler was ever asked for, less those that vanished.
        final: Trials that are final.
        dropped: Trials that are no part of the sweep any more.
        withdrawn: Trials for which the sampler found nothing left to try.
        exhausted: True once the sampler has nothing left to try.
        paused: True between `Paused` and `Unpaused`.
        stopping: True once nothing new may start.
        finished: True after `Finish`.
    """

    def __init__(self) -> None:
        self.spec: SweepSpec | None = None
        self.external: dict[int, None] = {}
        self.attempts: dict[int, int] = {}
        self.interrupted: dict[int, int] = {}
        self.told: dict[int, None] = {}
        self.asked = 0
        self.final: dict[int, None] = {}
        self.dropped: dict[int, None] = {}
        self.paused = False
        self._forget_process()

    def _forget_process(self) -> None:
        self.workers: dict[str, int] = {}
        self.most_slots = 0
        self.unfit: dict[str, None] = {}
        self.places: dict[str, int] = {}
        self.held: dict[Attempt, str] = {}
        self.ahead: dict[Attempt, str] = {}
        self.take_backs: dict[Attempt, None] = {}
        self.launched: dict[int, int] = {}
        self.running: dict[int, int] = {}
        self.launches: dict[int, int] = {}
        self.asks: dict[int, None] = {}
        self.verdicts: dict[tuple[int, int, int], None] = {}
        self.params: dict[tuple[int, int, str], None] = {}
        self.domains: dict[tuple[int, int, str], Domain] = {}
        self.constraints: dict[Attempt, dict[str, float]] = {}
        self.kills: dict[Attempt, None] = {}
        self.timers: dict[Attempt, None] = {}
        self.withdrawn: dict[int, None] = {}
        self.exhausted = False
        self.stopping = False
        self.finished = False
        self._external_asked = False

    # -- what can be read -----------------------------------------------------------------------------------------------

    @property
    def n_free(self) -> int:
        """How many slots are free."""
        return sum(max(0, slots - self.n_held(worker)) for worker, slots in self.workers.items())

    @property
    def n_room(self) -> int:
        """How many more attempts may wait ahead."""
        waiting = Counter(self.ahead.values())
        over = {worker: max(0, self.n_held(worker) - self.workers[worker]) for worker in self.places}
        there = {worker: places for worker, places in self.places.items() if self.workers[worker]}
        return sum(max(0, places - waiting[worker] - over[worker]) for worker, places in there.items())

    @property
    def _is_parallel(self) -> bool:
        return self.spec is None or self.spec.concurrency != 1

    @property
    def window(self) -> int:
        """W of a `reproducible` sweep; 0 when results count as they come."""
        return 0 if self.spec is None else self.spec.reproducible

    def n_held(self, worker: str) -> int:
        """How many slots of a worker are taken."""
        return sum(1 for holder in self.held.values() if holder == worker)

    @property
    def resting(self) -> dict[int, int]:
        """Trials that wait for the end of their backoff, with their last attempt."""
        return {
            trial: attempt
            for trial, attempt in self.timers
            if trial >= 0 and self.running.get(trial) != attempt and self.launched.get(trial) != attempt
        }

    def is_stale(self, event: ev.Event) -> bool:
        """Whether a worker's message speaks of no attempt that it could speak of now."""
        if isinstance(event, ev.Started | ev.TakenBack):
            if isinstance(event, ev.TakenBack) and (event.trial, event.attempt) in self.kills:
                return True
            return self.finished or self.launched.get(event.trial) != event.attempt
        if isinstance(event, ev.WorkerEvent):
            return self.finished or self.running.get(event.trial) != event.attempt
        return False

    def is_due(self, event: ev.Event) -> bool:
        """Whether an answer was asked for; True for what is no answer."""
        if isinstance(event, ev.Suggested | ev.SpaceExhausted | ev.AskFailed):
            return event.trial in self.asks
        if isinstance(event, ev.Judged | ev.JudgeFailed):
            return (event.trial, event.attempt, event.step) in self.verdicts
        if isinstance(event, ev.ParamSuggested | ev.SuggestFailed):
            return (event.trial, event.attempt, event.name) in self.params
        if isinstance(event, ev.Killed):
            return (event.trial, event.attempt) in self.kills
        return True

    # -- events ---------------------------------------------------------------------------------------------------------

    def took(self, event: ev.Event) -> None:
        """An event is about to be handled."""
        if isinstance(event, ev.SweepOpened):
            self.spec = event.spec
        elif isinstance(event, ev.Reopened):
            self._reopened(event)
        elif self.finished:
            return
        elif isinstance(event, ev.WorkerCame):
            offered = event.resources if isinstance(event, ev.WorkerJoined) else {}
            fits = self.spec is None or unmet(self.spec.needs, offered) is None
            self.workers[event.worker] = event.slots if fits else 0
            if not fits:
                self.unfit[event.worker] = None
            elif isinstance(event, ev.WorkerJoined) and event.ahead and not self.window and self._is_parallel:
                self.places[event.worker] = event.ahead
            self.most_slots = max(self.most_slots, sum(self.workers.values()))
        elif isinstance(event, ev.SlotsChanged):
            if event.worker not in self.unfit:
                self.workers[event.worker] = event.slots
                self.most_slots = max(self.most_slots, sum(self.workers.values()))
                self._fill(event.worker)
        elif isinstance(event, ev.WorkerLost):
            if event.kind in policy.BLAMELESS:
                self._cut_short(event.worker)
            self._lost(event.worker)
        elif isinstance(event, ev.TakenBack):
            if not self.is_stale(event):
                self._gave_back((event.trial, event.attempt))
                self._left((event.trial, event.attempt))
        elif isinstance(event, ev.Paused | ev.Unpaused):
            self.paused = isinstance(event, ev.Paused)
        elif isinstance(event, ev.StopRequested | ev.ExecutorFailed):
            self.stopping = True
        elif isinstance(event, ev.TimerFired):
            self.timers.pop((event.trial, event.attempt), None)
        else:
            self._took_answer(event)
        self._external_asked = isinstance(event, ev.ExternalAsked)

    def _lost(self, worker: str) -> None:
        """A worker is gone: what waited ahead there never began, unless it was to be killed."""
        del self.workers[worker]
        self.places.pop(worker, None)
        self.unfit.pop(worker, None)
        for attempt in [attempt for attempt, holder in self.ahead.items() if holder == worker]:
            if attempt not in self.kills:
                self._gave_back(attempt)
            del self.ahead[attempt]
        self.held = {attempt: holder for attempt, holder in self.held.items() if holder != worker}

    def _gave_back(self, attempt: Attempt) -> None:
        """The launch of an attempt is as if it had not been, and the next one has its number."""
        trial = attempt[0]
        self.launched.pop(trial)
        self.take_backs.pop(attempt, None)
        self.attempts[trial] -= 1
        self.launches[trial] -= 1

    def _left(self, attempt: Attempt) -> None:
        """An attempt has left its slot or its place; what waited longest at its worker follows it into the slot."""
        self.ahead.pop(attempt, None)
        worker = self.held.pop(attempt, None)
        if worker is not None:
            self._fill(worker)

    def _fill(self, worker: str) -> None:
        """What waits ahead at a worker begins while that has slots for it."""
        n_free = self.workers.get(worker, 0) - self.n_held(worker)
        for following in [one for one, holder in self.ahead.items() if holder == worker][: max(0, n_free)]:
            self.held[following] = self.ahead.pop(following)

    def _cut_short(self, worker: str) -> None:
        """What ran on a worker is not to blame for its loss: that attempt does not count."""
        for attempt, holder in self.held.items():
            if holder == worker and attempt not in self.kills:
                self.interrupted[attempt[0]] = self.interrupted.get(attempt[0], 0) + 1
                self.launches[attempt[0]] = self.launches.get(attempt[0], 1) - 1

    def _took_answer(self, event: ev.Event) -> None:
        if isinstance(event, ev.Suggested | ev.SpaceExhausted | ev.AskFailed):
            del self.asks[event.trial]
            if isinstance(event, ev.SpaceExhausted):
                self.exhausted = True
                self.withdrawn[event.trial] = None
        elif isinstance(event, ev.Judged | ev.JudgeFailed):
            del self.verdicts[event.trial, event.attempt, event.step]
        elif isinstance(event, ev.ParamSuggested | ev.SuggestFailed):
            del self.params[event.trial, event.attempt, event.name]
        elif isinstance(event, ev.Killed):
            del self.kills[event.trial, event.attempt]
            self._left((event.trial, event.attempt))
        elif isinstance(event, ev.ConstraintSet):
            if self.running.get(event.trial) == event.attempt:
                self.constraints.setdefault((event.trial, event.attempt), {}).setdefault(event.name, event.value)
        elif isinstance(event, ev.LaunchFailed):
            if self.launched.get(event.trial) == event.attempt:
                self._ended(event.trial)

    def _reopened(self, event: ev.Reopened) -> None:
        self.spec = event.spec
        if event.spec.reproducible:  # a new sampler is asked again for what was answered, and told what that needs
            open_asks = (trial for trial in (*self.asks, *self.withdrawn) if trial < self.asked)
            unanswered = (trial for trial in open_asks if trial not in self.final)
            n_answered = min(unanswered, default=self.asked)
            past = [trial for trial in self.told if trial < 0]
            self.told = dict.fromkeys((*past, *range(n_answered - event.spec.reproducible)))
        for trial in (*self.launched, *self.running):
            self.interrupted[trial] = self.interrupted.get(trial, 0) + 1
        self._forget_process()

    # -- effects --------------------------------------------------------------------------------------------------------

    def did(self, effect: Effect) -> None:
        """An effect is about to be carried out."""
        if isinstance(effect, Publish):
            self._published(effect.update)
        elif isinstance(effect, Ask):
            self.asks[effect.trial] = None
            self.asked = max(self.asked, effect.trial + 1)
            if self._external_asked:
                self.external[effect.trial] = None
            else:  # the number may have been that of an external trial which was withdrawn
                self.external.pop(effect.trial, None)
            self._external_asked = False
        elif isinstance(effect, Launch):
            is_busy = self.n_held(effect.worker) >= self.workers.get(effect.worker, 0)
            (self.ahead if is_busy else self.held)[effect.trial, effect.attempt] = effect.worker
            self.launched[effect.trial] = self.attempts[effect.trial] = effect.attempt
            self.launches[effect.trial] = self.launches.get(effect.trial, 0) + 1
        elif isinstance(effect, Tell):
            self.told[effect.trial] = None
        elif isinstance(effect, Judge):
            self.verdicts[effect.trial, effect.attempt, effect.step] = None
        elif isinstance(effect, Suggest):
            self.params[effect.trial, effect.attempt, effect.name] = None
            self.domains[effect.trial, effect.attempt, effect.name] = effect.domain
        elif isinstance(effect, Kill):
            self.kills[effect.trial, effect.attempt] = None
        elif isinstance(effect, TakeBack):
            self.take_backs[effect.trial, effect.attempt] = None
        elif isinstance(effect, SetTimer):
            self.timers[effect.trial, effect.attempt] = None
        elif isinstance(effect, CancelTimer):
            self.timers.pop((effect.trial, effect.attempt), None)
        elif isinstance(effect, Finish):
            self.finished = True
        else:
            assert isinstance(effect, AnswerVerdict | AnswerParam | PublishReports)

    def _published(self, update: Update) -> None:
        if isinstance(update, TrialStarted):
            self.launched.pop(update.trial, None)
            self.running[update.trial] = update.attempt
            begun = (update.trial, update.attempt)
            self.take_backs.pop(begun, None)
            if begun in self.ahead:
                self.held[begun] = self.ahead.pop(begun)
            if update.worker is None:
                self.attempts[update.trial] = update.attempt
        elif isinstance(update, TrialRetried | TrialFinished):
            self._ended(update.trial)
            if isinstance(update, TrialFinished):
                self.final[update.trial] = None
        elif isinstance(update, SweepStopping):
            self.stopping = True
        elif isinstance(update, TrialDropped):
            self.dropped[update.trial] = None
            self.final.pop(update.trial, None)
            for book in (self.attempts, self.interrupted, self.launches, self.external):
                book.pop(update.trial, None)  # its number can be another trial's

    def _ended(self, trial: int) -> None:
        attempt = self.running.pop(trial, self.launched.pop(trial, None))
        if attempt is not None:
            self.take_backs.pop((trial, attempt), None)
            if (trial, attempt) not in self.kills:
                self._left((trial, attempt))
