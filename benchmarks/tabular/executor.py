"""Trials of a table, in virtual time: an executor that looks results up, and ends trials in the order of their training times.

Driver, machine and sampler host are the real ones. What is not real is the time that a trial takes: whenever every slot is
taken, or nothing more will come, the trial that would have ended first ends. So suggestions are asked for, and results told,
in the order in which eight machines would have caused it, however long training would have taken.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal
from unittest.mock import patch

import anyio

from asyncsweep.core.events import Finished, Killed, Started, WorkerJoined
from asyncsweep.driver import driver
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from benchmarks.tabular.tables import Table

# A driver's time is seconds since the epoch; 0 would read as "never".
_BEGIN_AT = 1e9


class VirtualTime:
    """Seconds that pass when a trial ends, and at no other time."""

    def __init__(self) -> None:
        self.at = _BEGIN_AT

    def now(self) -> float:
        return self.at

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Drivers that are made meanwhile stamp their events with this time, instead of reading a clock of their own."""
        with patch.object(driver, "Clock", lambda not_before=0.0: self):
            yield


class TableExecutor:
    """Of the contract `Executor`: as many slots as it is told, one worker for each.

    Args:
        table: Where results come from.
        n_trials: How many trials there will be: the last ones end though slots are free.
        time: The virtual time.
        on_end: Called with the number of ended trials after each.
    """

    remote = False
    runs: Literal["async", "sync", "both"] = "both"

    def __init__(
        self, table: Table, n_trials: int, time: VirtualTime, on_end: Callable[[int], None] = lambda ended: None
    ) -> None:
        self._table = table
        self._n_trials = n_trials
        self._time = time
        self._on_end = on_end
        self._running: list[tuple[float, int, JobId, float]] = []
        self._launched = 0
        self._news = anyio.Event()

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._slots = setup.slots
        self._inbox = inbox
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_trials)
            inbox.post(*(WorkerJoined(f"machine-{number}", 1) for number in range(setup.slots)))
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def launch(self, job: Job) -> None:
        loss, seconds = self._table.look_up(job.params)
        heapq.heappush(self._running, (self._time.at + seconds, job.trial, JobId(job.trial, job.attempt), loss))
        self._launched += 1
        self._inbox.post(Started(job.trial, job.attempt))
        self._news.set()

    def kill(self, job: JobId, grace_s: float) -> None:
        self._running = [one for one in self._running if one[2] != job]
        heapq.heapify(self._running)
        self._inbox.post(Killed(*job))

    def answer(self, job: JobId, answer: Answer) -> None:
        """Nothing is ever asked by a table."""

    async def _end_trials(self) -> None:
        ended = 0
        while True:
            while not self._running or (len(self._running) < self._slots and self._launched < self._n_trials):
                self._news = anyio.Event()
                await self._news.wait()
            self._time.at, _, job, loss = heapq.heappop(self._running)
            ended += 1
            self._inbox.post(Finished(*job, {"value": loss}))
            self._on_end(ended)
