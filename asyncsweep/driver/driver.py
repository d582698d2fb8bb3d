"""The driver: takes events in, journals them, has the machine handle them, and carries out the effects.

One wake-up. `post` puts events into the inbox and, unless the driver is at work already, drains it: each event is stamped,
checked, encoded for the journal and handled; effects that are answered at once (a native sampler's `Ask`) are carried out on
the spot, and their answers are handled before what else is in the inbox: of events that came together each is followed by
what it causes, as if they had come one by one. The other effects wait. When the inbox is empty everything is written to the
journal at once, and only then they touch the outside: launches, verdicts, kills, what users see. Launching may post
(`Started`), so this goes round until nothing is left. There is no task, no queue hop and no write per event.
`Started`, reports and verdicts alone are no reason to write: they go with the next write, which comes with another event,
with the first one of theirs after 50 ms, or before the next sync. What they change outside ends with this process.
With `fsync="always"` launches, kills, the end and all that users see wait until what led to them is synced (`let_out`). A launch that still waits when its
worker is lost was none: the machine hears that it was taken back.

A fault of the journal or of our own code ends the sweep: `fault` is set, nothing more is handled, and the owner is told.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio

from asyncsweep.core import effects as ef
from asyncsweep.core.effects import Publish, PublishReports
from asyncsweep.core.events import (
    Event,
    Judged,
    Reported,
    SeriesReported,
    SeriesUpForVerdict,
    SlotsChanged,
    Started,
    TakenBack,
    Used,
    VerdictAsked,
    WorkerLost,
)
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.core.stand_in import stand_in
from asyncsweep.driver.clock import Clock, Timers
from asyncsweep.driver.crew import Crew
from asyncsweep.driver.search import Search
from asyncsweep.driver.updates import Watchers
from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.contracts import Executor, Job, JobId
from asyncsweep.journal.writer import Journal

_UNHURRIED = frozenset((Started, Reported, SeriesReported, Used, VerdictAsked, SeriesUpForVerdict, Judged))
_WRITTEN_AFTER_S = 0.05
# With `fsync="always"` these wait until what led to them is synced; they stay in their order.
_HELD = frozenset((ef.Launch, ef.TakeBack, ef.Kill, ef.Finish))

log = logging.getLogger("asyncsweep")


class Due(NamedTuple):
    """What waits for a sync: effects on the outside, and updates to be shown."""

    outside: list[ef.Effect]
    updates: Sequence[ef.Update]


class Driver:
    """Drives one sweep.

    Attributes:
        machine: The sweep's state.
        watchers: Those who watch its updates.
        finish: The last effect, once the sweep has ended.
        fault: What broke the sweep itself; None otherwise.
        ended: Set with either.
    """

    def __init__(
        self,
        machine: Machine,
        journal: Journal | None,
        on_batch: Callable[[Sequence[ef.Update]], None],
        watch: Watch | None = None,
        clock: Clock | None = None,
        timers: Timers | None = None,
        *,
        waits_for_sync: bool = False,
    ) -> None:
        self.machine = machine
        self.watchers = Watchers()
        self.finish: ef.Finish | None = None
        self.fault: BaseException | None = None
        self.ended = anyio.Event()
        self.timers = timers or Timers(self.post)
        self.executor: Executor
        self.crew: Crew
        self._journal = journal
        self._on_batch = on_batch
        self._clock = clock or Clock(machine.at)
        self._inbox: deque[Event] = deque()
        self._caused: deque[Event] = deque()
        self._outside: list[ef.Effect] = []
        self._syncing: list[ef.Effect] = []
        self._updates: list[ef.Update] = []
        self._draining = False
        self._thread = threading.get_ident()
        self._closed = False
        self._must_write = False
        self._written_at = 0.0
        self._is_dirty = False
        self._dirty = anyio.Event()
        self._killed: list[JobId] = []
        self._watch = watch
        self._waits_for_sync = waits_for_sync
        self._at_once: dict[type[ef.Effect], Callable[[Any], None]] = {}
        self._later: dict[type[ef.Effect], Callable[[Any], None]] = {
            ef.Launch: self._launch,
            ef.AnswerVerdict: self._answer,
            ef.AnswerParam: self._answer,
            ef.TakeBack: self._take_back,
            ef.Kill: self._kill,
            ef.SetTimer: lambda effect: self.timers.set(effect.trial, effect.attempt, effect.delay_s),
            ef.CancelTimer: lambda effect: self.timers.cancel(effect.trial, effect.attempt),
            ef.Finish: self._finish,
        }

    @property
    def search(self) -> Search:
        """Who answers for the sampler and the pruner; to be set before anything happens."""
        return self._search

    @search.setter
    def search(self, search: Search) -> None:
        self._search = search
        self._at_once |= {ef.Ask: search.ask, ef.Suggest: search.suggest, ef.Judge: search.judge, ef.Tell: search.tell}

    def post(self, *events: Event) -> None:
        """Take events and handle them, and all that follows at once, before returning. On the loop's thread alone."""
        if self._closed:
            return
        if threading.get_ident() != self._thread:
            raise ConfigError(
                "a sweep is steered on its event loop's thread; from another one, with asyncio: "
                "loop.call_soon_threadsafe(run.stop)"
            )
        if self._draining:
            self._caused.extend(events)
            return
        self._inbox.extend(events)
        self._draining = True
        try:
            self._work()
        except Exception as error:
            self.break_off(error)
        finally:
            self._draining = False

    async def add_executor(self, name: str, executor: Executor) -> str:
        """Have one more executor; gives its name. See `Crew.add`."""
        if self._closed or self.is_over:
            raise ConfigError("add_executor(): the sweep has ended")
        name = await self.crew.add(name, executor)
        self.take_in(name)
        return name

    def take_in(self, name: str) -> None:
        """A member of the crew is open: it gets trials from now on, and the first executor is a member like any other."""
        slots, kills = self.machine.life.slots, self.machine.life.questions.kills
        held = [(JobId(*attempt), worker) for worker, jobs in slots.jobs.items() for attempt in jobs]
        waiting = [(JobId(*attempt), worker) for worker, queue in slots.queues.items() for attempt in queue]
        self.crew.take_over(slots.jobs, [*held, *waiting], [job for job in self._killed if job in kills])
        self.executor = self.crew
        self.crew.begin(name)

    def break_off(self, fault: BaseException) -> None:
        """End the sweep because of a fault of its own."""
        if self.fault is None:
            self.fault = fault
        self.close()
        self.watchers.close()
        self.ended.set()

    def close(self) -> None:
        """Hear nothing any more."""
        self._closed = True
        self._inbox.clear()
        self._caused.clear()

    async def written(self) -> None:
        """Wait until there is something new to be written, or to be synced."""
        await self._dirty.wait()
        self._dirty, self._is_dirty = anyio.Event(), False

    def due(self) -> Due:
        """What waits for its reasons to be synced; it is for `let_out` to carry it out."""
        due = Due(self._outside, self._updates)
        self._outside, self._updates = [], []
        self._syncing = due.outside
        return due

    def let_out(self, due: Due) -> None:
        """Carry out what waited, now that its reasons are synced."""
        self._syncing = []
        if self._closed:
            return
        self._draining = True
        try:
            self._act([effect for effect in due.outside if self._is_wanted(effect)])
            self._show(due.updates)
            self._work()
        except Exception as error:
            self.break_off(error)
        finally:
            self._draining = False

    def _is_wanted(self, effect: ef.Effect) -> bool:
        """False for a launch that was taken back, or lost with its worker, before it was let out."""
        if type(effect) is not ef.Launch:
            return True
        trials = self.machine.trials
        trial = trials[effect.trial] if effect.trial < len(trials) else None
        return trial is not None and (trial.attempt, trial.worker) == (effect.attempt, effect.worker)

    def _before_loss(self, event: WorkerLost) -> list[Event]:
        """What is to be heard before a loss: nothing else is launched there, and launches that were not let out yet are taken back."""
        unsent: list[Event] = []
        kills = self.machine.life.questions.kills
        for waiting in (self._syncing, self._outside):
            launches = [one for one in waiting if type(one) is ef.Launch and one.worker == event.worker]
            for launch in launches:
                waiting.remove(launch)  # another worker may come by the same name
                if self._is_wanted(launch) and (launch.trial, launch.attempt) not in kills:
                    unsent.append(TakenBack(launch.trial, launch.attempt))
        return [SlotsChanged(event.worker, 0), *reversed(unsent)] if unsent else []

    # -- one wake-up --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Handle what is in the inbox, and all that follows of it."""
        at = max(self._clock.now(), self.machine.at)
        while self._inbox or self._caused or (self._updates and not self._waits_for_sync):
            while self._inbox or self._caused or (self._outside and not self._waits_for_sync):
                self._drain(at)
                self._commit()
                self._act(self._may_go())
            if not self._waits_for_sync:
                updates, self._updates = self._updates, []
                self._show(updates)

    def _may_go(self) -> list[ef.Effect]:
        """The effects that need not wait for a sync: what they change ends with this process, as what runs does."""
        outside = self._outside
        if not self._waits_for_sync:
            self._outside = []
            return outside
        self._outside = [effect for effect in outside if type(effect) in _HELD]
        return [effect for effect in outside if type(effect) not in _HELD]

    def _drain(self, at: float) -> None:
        """Handle everything in the inbox, and what is answered at once. All of one wake-up happens at one time."""
        machine, journal, watch, inbox, caused = self.machine, self._journal, self._watch, self._inbox, self._caused
        at_once, outside, updates, waits = self._at_once, self._outside, self._updates, self._waits_for_sync
        while caused or inbox:
            event = (caused or inbox).popleft()
            if waits and type(event) is WorkerLost and (before := self._before_loss(event)):
                caused.extendleft((event, *reversed(before)))
                continue
            event.at = at
            event.seq = machine.seq + 1
            machine.check(event)
            if journal is not None:
                try:
                    journal.add(event)
                except (TypeError, OverflowError, ValueError) as error:
                    event = stand_in(event, error, "the journal cannot hold it")
                    journal.add(event)
                if type(event) not in _UNHURRIED or at - self._written_at > _WRITTEN_AFTER_S:
                    self._must_write = True
            effects = machine.handle(event)
            if watch is not None:
                watch.see(event, effects)
            for effect in effects:
                kind = type(effect)
                if kind is Publish:
                    updates.append(effect.update)  # type: ignore[attr-defined]
                elif kind is PublishReports:
                    updates += effect.updates  # type: ignore[attr-defined]
                elif (carry_out := at_once.get(kind)) is not None:
                    carry_out(effect)
                else:
                    outside.append(effect)

    def _commit(self) -> None:
        if self._journal is not None:
            if self._must_write:
                self._must_write = False
                self._written_at = self.machine.at
                self._journal.commit()
            if not self._is_dirty:
                self._is_dirty = True
                self._dirty.set()

    def _act(self, outside: Sequence[ef.Effect]) -> None:
        """Touch the outside, now that the reasons are on disk."""
        later = self._later
        for effect in outside:
            try:
                later[type(effect)](effect)
            except Exception as error:
                kind, cause = type(effect).__name__, f"{type(error).__name__}: {error}"
                raise PluginError(f"the executor failed at {kind}: {cause}") from error

    def _show(self, updates: Sequence[ef.Update]) -> None:
        if updates:
            self.watchers.put(updates)
            self._on_batch(updates)
        if self.finish is not None:
            self.watchers.close()
            self.ended.set()

    # -- effects ------------------------------------------------------------------------------------------------------

    def _launch(self, effect: ef.Launch) -> None:
        trial = self.machine.trials[effect.trial]
        self.executor.launch(Job(effect.trial, effect.attempt, effect.worker, trial.params))

    def _answer(self, effect: ef.AnswerVerdict | ef.AnswerParam) -> None:
        self.executor.answer(JobId(effect.trial, effect.attempt), effect)

    def _kill(self, effect: ef.Kill) -> None:
        job = JobId(effect.trial, effect.attempt)
        kills = self.machine.life.questions.kills
        self._killed = [*(known for known in self._killed if known in kills), job]
        self.executor.kill(job, effect.grace_s)

    def _take_back(self, effect: ef.TakeBack) -> None:
        self.executor.take_back(JobId(effect.trial, effect.attempt))  # type: ignore[attr-defined]  # it offered places ahead

    def _finish(self, effect: ef.Finish) -> None:
        self.finish = effect  # `_show` tells, when the last update is out

    @property
    def is_over(self) -> bool:
        return self.machine.phase is Phase.FINISHED or self.fault is not None

    @property
    def is_closed(self) -> bool:
        """True when nothing is heard any more: it has ended, or was broken off."""
        return self._closed
