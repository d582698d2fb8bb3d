"""The part of an outpost that is at the cluster's place; it runs on an event loop there, and nowhere blocks it."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from asyncsweep import __version__
from asyncsweep.core.events import (
    Event,
    Failed,
    Finished,
    Killed,
    Pruned,
    Reported,
    SeriesReported,
    Started,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.outposts.files import Sender
from asyncsweep.executors.outposts.messages import (
    Hello,
    Kill,
    Launch,
    Leave,
    Left,
    Param,
    Retire,
    TakeBack,
    Verdict,
    Welcome,
    to_outpost,
)
from asyncsweep.executors.outposts.outbox import Outbox
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.hooks.contracts import Job, JobId, Setup
from asyncsweep.worker.outcome import describe

# An outpost whose words nobody carries any more gives up, before it takes all memory. That is some minutes of reports.
MOST_WAITING = 500_000
# The time in which a short trial ends: what nobody waits for is held back as long, and goes with the end.
UNHURRIED_S = 0.005
# The end of an attempt that took less than the first is held back for the second while the next one runs, and goes with that one's end:
# beside trials as short, a message takes longer than the wait.
BRIEF_S = 0.001
BRIEF_PATIENCE_S = 0.002
# How long what attempts left may take to get on its way when an outpost ends.
_LAST_WORDS_S = 2.0

T = TypeVar("T")


class Outpost:
    """One slot at a cluster's place.

    Whoever has it calls `serve` in a task, gives what arrives to `tell`, and carries what `take` gives until that is b"".

    Args:
        scratch: A folder of the place that the outpost may make its own folder in; None for the system's.
        resources: What its slot offers, besides the host's name.
    """

    def __init__(self, scratch: str | None = None, resources: Mapping[str, Any] | None = None) -> None:
        self._scratch = scratch
        self._resources = {"host": platform.node(), **(resources or {})}
        self._out = Outbox()
        self._welcome: Welcome | None = None
        self._welcomed = anyio.Event()
        self._leaving = anyio.Event()
        self._executor: ProcessExecutor | None = None
        self._sender: Sender | None = None
        # When each attempt that runs began, by a clock of its own.
        self._running: dict[JobId, float] = {}
        self._is_retired = False

    async def take(self) -> bytes:
        """What is to be carried to the sweep; b"" at the end."""
        return await self._out.take()

    def leave(self) -> None:
        """End: nobody hears of this outpost any more, or its place closes."""
        self._leaving.set()
        self._welcomed.set()

    async def serve(self) -> None:
        """Run what the sweep launches here until it says that it is enough."""
        error: ErrorInfo | None = None
        try:
            self._out.put(Hello(__version__, os.getpid(), self._resources))
            await self._welcomed.wait()
            if self._welcome is not None:
                async with self._open(self._welcome):
                    await self._leaving.wait()
        except Exception as fault:  # told there, where somebody sees it
            error = ErrorInfo(*describe(fault, first_frame_is_ours=False))
        finally:
            self._executor = None
            self._out.put(Left(error))
            self._out.close()

    def tell(self, data: bytes) -> None:
        """Take what arrived from the sweep.

        Raises:
            msgspec.DecodeError: It is no message.
        """
        for message in to_outpost(data):
            if isinstance(message, Welcome):
                self._welcome = message
                self._welcomed.set()
            elif isinstance(message, Leave):
                self.leave()
            elif self._executor is None:
                continue  # it has ended, and the sweep will hear
            elif isinstance(message, Launch):
                self._executor.launch(Job(message.trial, message.attempt, message.worker, message.params))
            elif isinstance(message, Kill):
                self._executor.kill(JobId(message.trial, message.attempt), message.grace_s)
            elif isinstance(message, TakeBack):
                self._executor.take_back(JobId(message.trial, message.attempt))
            elif isinstance(message, Retire):
                self._is_retired = True
                self._executor.resize(0)
            elif isinstance(message, Verdict | Param):
                self._executor.answer(JobId(message.trial, message.attempt), message.as_answer())

    def post(self, *events: Event) -> None:
        """The inbox of the executor here."""
        for event in events:
            patience_s = 0.0
            if isinstance(event, Reported | SeriesReported):
                patience_s = UNHURRIED_S
            elif isinstance(event, Started):
                patience_s = UNHURRIED_S
                self._running[JobId(event.trial, event.attempt)] = time.perf_counter()
            elif isinstance(event, WorkerLost):
                for job in list(self._running):  # there is one slot: what runs was there
                    self._ended(job, is_final=False)
            elif isinstance(event, Finished | Pruned | Failed | Killed):
                job = JobId(event.trial, event.attempt)
                if job in self._running:
                    if time.perf_counter() - self._running[job] < BRIEF_S:
                        patience_s = BRIEF_PATIENCE_S
                    self._ended(job, is_final=isinstance(event, Finished | Pruned))
            self._out.put(event, patience_s=patience_s)
            if self._is_retired and isinstance(event, WorkerLost):
                self.leave()
        self._out.is_hurried = not self._running
        if self._out.n_waiting > MOST_WAITING:
            self.leave()

    def _ended(self, job: JobId, *, is_final: bool) -> None:
        del self._running[job]
        sender = self._sender
        if sender is not None and sender.has_files(job.trial):
            self._out.put_slowly(sender.of_attempt(*job, is_final=is_final))

    @asynccontextmanager
    async def _open(self, welcome: Welcome) -> AsyncIterator[None]:
        scratch, is_shared = await _in_thread(
            lambda: (tempfile.mkdtemp(prefix="asyncsweep-", dir=self._scratch), os.path.exists(welcome.token))
        )
        try:
            shared = welcome.folders if is_shared else ""
            self._sender = sender = Sender(scratch, shared, welcome.artifacts_limit_bytes)
            directory = Path(scratch) if welcome.keeps_logs else None
            objective, verdicts, grace_s = welcome.objective, welcome.verdicts, welcome.grace_s
            executor = ProcessExecutor(**welcome.options)
            async with executor.open(Setup(None, objective, 1, verdicts, directory, grace_s, sender.folders), self):
                self._executor = executor
                yield
            self._executor = None
            with anyio.move_on_after(_LAST_WORDS_S):
                await self._out.emptied()
        finally:
            with anyio.CancelScope(shield=True):
                await _in_thread(lambda: shutil.rmtree(scratch, ignore_errors=True))


async def _in_thread(call: Callable[[], T]) -> T:
    """What a call gives that may wait for the disk. The default limiter is the cluster's."""
    return await anyio.to_thread.run_sync(call, limiter=anyio.CapacityLimiter(1))
