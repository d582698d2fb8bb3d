"""An executor that is open, and everything that it said."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.hooks.contracts import Answer, Executor, Job, JobId

ENDS = (ev.Finished, ev.Pruned, ev.Failed, ev.Killed, ev.LaunchFailed)


class Stand:
    """An executor that is open, and everything that it said.

    Attributes:
        executor: The executor.
        events: What it posted, in order.
        patience_s: How long it may take for anything.
    """

    def __init__(self, executor: Executor, patience_s: float) -> None:
        self.executor = executor
        self.events: list[ev.Event] = []
        self.patience_s = patience_s
        self._answers: dict[type[ev.Event], Answer] = {}
        self._launched: dict[int, tuple[str, int]] = {}
        self._news = anyio.Event()

    def post(self, *events: ev.Event) -> None:
        """The executor's inbox: keeps events, a series of reports as its reports, and answers questions at once, as a driver may."""
        parts = [part for event in events for part in _parts(event)]
        for event in parts:
            self.events.append(event)
            answer = self._answers.get(type(event))
            if answer is not None:
                self.executor.answer(JobId(event.trial, event.attempt), answer)  # type: ignore[attr-defined]
        self._news.set()

    def answer_with(self, question: type[ev.Event], answer: Answer) -> None:
        """From now on answer every question of this kind so."""
        self._answers[question] = answer

    async def next(self, *kinds: type[ev.Event], trial: int | None = None, count: int = 1) -> Any:
        """Wait for the `count`-th event of these kinds, of this trial.

        Raises:
            TimeoutError: It did not come in time.
        """
        with anyio.fail_after(self.patience_s):
            while True:
                found = [e for e in self.events if isinstance(e, kinds) and trial in (None, getattr(e, "trial", None))]
                if len(found) >= count:
                    return found[count - 1]
                self._news = anyio.Event()
                await self._news.wait()

    async def free_worker(self, number: int = 1) -> str:
        """The name of the `number`-th worker that joined; one with several slots counts once for each."""
        with anyio.fail_after(self.patience_s):
            while True:
                slots = [
                    event.worker
                    for event in self.events
                    if isinstance(event, ev.WorkerJoined)
                    for _ in range(event.slots)
                ]
                if len(slots) >= number:
                    return slots[number - 1]
                self._news = anyio.Event()
                await self._news.wait()

    async def launch(self, trial: int = 0, *, slot: int = 1, worker: str = "", attempt: int = 1, **params: Any) -> None:
        """Launch an attempt in the `slot`-th slot, or at a worker."""
        worker = worker or await self.free_worker(slot)
        self._launched[trial] = worker, len(self.events)
        self.executor.launch(Job(trial, attempt, worker, params or {"x": 0.5}))

    async def end(self, trial: int = 0) -> ev.Event:
        """How the trial's last launch ended: its own word, that it was given back, or the loss of its worker."""
        worker, since = self._launched[trial]
        with anyio.fail_after(self.patience_s):
            while True:
                for event in self.events[since:]:
                    if isinstance(event, (*ENDS, ev.TakenBack)) and event.trial == trial:
                        return event
                    if isinstance(event, ev.WorkerLost) and event.worker == worker:
                        return event
                self._news = anyio.Event()
                await self._news.wait()

    async def slots_come_to(self, number: int) -> None:
        """Wait until so many slots are offered."""
        with anyio.fail_after(self.patience_s):
            while self.n_slots != number:
                self._news = anyio.Event()
                await self._news.wait()

    @property
    def n_slots(self) -> int:
        """How many slots are offered."""
        return sum(self.slots.values())

    @property
    def slots(self) -> dict[str, int]:
        """How many slots each worker offers that is here."""
        slots: dict[str, int] = {}
        for event in self.events:
            if isinstance(event, ev.WorkerCame | ev.SlotsChanged):
                slots[event.worker] = event.slots
            elif isinstance(event, ev.WorkerLost):
                del slots[event.worker]
        return slots

    async def two_at_one_slot(self, objective_is_silent: bool = False) -> None:
        """Trial 0 runs in the first slot, and trial 1 waits for it there.

        Raises:
            pytest.skip.Exception: The executor offers no places ahead.
        """
        worker = await self.free_worker()
        joined = next(event for event in self.events if isinstance(event, ev.WorkerJoined) and event.worker == worker)
        if not joined.ahead:
            pytest.skip("this executor offers no places ahead")
        await self.launch(0)
        await self.next(ev.Started if objective_is_silent else ev.Reported, trial=0)
        await self.launch(1, x=0.25)

    def said(self, trial: int = 0) -> list[str]:
        """The kinds of events of a trial, in order, without repetitions in a row, and without what is measured whenever it is."""
        told = [
            event for event in self.events if getattr(event, "trial", None) == trial and not isinstance(event, ev.Used)
        ]
        kinds = [type(event).__name__ for event in told]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


def _parts(event: ev.Event) -> list[ev.Event]:
    """What is said in one event, each for itself."""
    if not isinstance(event, ev.SeriesReported | ev.SeriesUpForVerdict):
        return [event]
    parts: list[ev.Event] = [ev.Reported(event.trial, event.attempt, *report) for report in event.reports]
    if isinstance(event, ev.SeriesUpForVerdict):
        parts.append(ev.VerdictAsked(event.trial, event.attempt, event.step))
    return parts
