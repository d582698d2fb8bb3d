"""The sweep's part of outposts: which are there, what runs in each, and what becomes of it when one is lost.

A *seat* is where an outpost is wanted. The cluster is asked for one, the outpost says hello from wherever it was placed, and its
worker joins the sweep. A worker's process there may end and be replaced, as with a local one. When the outpost itself is lost, so
is its worker; the seat is *gone*, and whoever placed it may place another.

An executor for a cluster hands launches, kills and answers to `Seats`, tells it what outposts say (`heard`) and which are lost
(`lost`), and otherwise has one thing to do: `keep` a seat.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from asyncsweep import __version__
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.core.events import (
    Event,
    ExecutorFailed,
    Failed,
    Finished,
    Killed,
    LaunchFailed,
    Pruned,
    SlotsChanged,
    Started,
    TakenBack,
    WorkerJoined,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.outposts.files import keep
from asyncsweep.executors.outposts.messages import (
    Artifact,
    FromOutpost,
    Hello,
    Kill,
    Launch,
    Leave,
    Left,
    Log,
    Param,
    Retire,
    TakeBack,
    Unkept,
    Verdict,
    Welcome,
    from_outpost,
)
from asyncsweep.executors.outposts.outbox import Outbox
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup

# Before the first worker joined: after so many outposts that could not begin, more are no use. Later, after so many in a row.
MAX_FAILED_FIRST = 3
MAX_FAILED_IN_A_ROW = 12
# How much longer than its grace a kill may take before its outpost is given up.
KILL_PATIENCE_S = 10.0
# How much longer than its grace an outpost may take to leave, and then the cluster to take it back.
LEAVE_S = 5.0

log = logging.getLogger("asyncsweep")


class Seat:
    """One outpost, wanted or there.

    Attributes:
        name: Tells it from all others, of other sweeps too.
        out: What is to be carried to it.
        place: Where it is, as the cluster calls it; "" while it is not there.
        is_open: False once it is gone, and nothing that it says is heard.
        retires: True once it was told to end when what runs there has ended.
        has_left: True once it has said that it ended.
        gone: Set when it is not open any more; what the cluster holds for it is to be given back.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.out = Outbox()
        self.place = ""
        self.is_open = True
        self.retires = False
        self.has_left = False
        self.gone = anyio.Event()
        self.resources: dict[str, Any] = {}
        self.workers: dict[str, str] = {}
        self.jobs: dict[JobId, str] = {}
        self.killing: dict[JobId, None] = {}


class Seats:
    """All outposts of an open sweep.

    Args:
        kind: What workers are called after: "dask".
        setup: What the executor was opened with.
        inbox: Where events go.
        options: Those of the `ProcessExecutor` at each outpost.
        artifacts_limit_bytes: The most that an attempt's artifacts may have together, where the disk is not shared.
        keep: Has the cluster place an outpost in a seat, carries what is said to and from, and gives back what the cluster holds for
            it when the seat is `gone`. It runs in a task of its own, which a cancelled sweep does not cut short.
    """

    def __init__(
        self,
        kind: str,
        setup: Setup,
        inbox: Inbox,
        options: Mapping[str, Any],
        artifacts_limit_bytes: int,
        keep: Callable[[Seat], Awaitable[None]],
    ) -> None:
        self._kind = kind
        self._setup = setup
        self._inbox = inbox
        self._options = dict(options)
        self._keep_seat = keep
        self._limit_bytes = artifacts_limit_bytes
        self._token = ""
        self._tasks: anyio.abc.TaskGroup
        self._keeping: set[anyio.CancelScope] = set()
        # Seats that wait for their time to be placed, and how many of them are not wanted any more.
        self._n_coming = 0
        self._n_too_many = 0
        self._seats: dict[str, Seat] = {}
        self._workers: dict[str, tuple[Seat, str]] = {}
        self._jobs: dict[JobId, Seat] = {}
        self._was_joined = False
        self._failures = 0
        self._has_unkept = False
        self._is_closing = False
        self._closed = anyio.Event()
        self._changed = anyio.Event()

    @property
    def all(self) -> list[Seat]:
        """The seats that are not gone."""
        return list(self._seats.values())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """While it is entered, there are as many seats as `Setup.slots` says, or `resize`. On leaving all are sent away."""
        directory = self._setup.directory
        if directory is not None:
            self._token = str(directory / f".outposts-{secrets.token_hex(8)}")
            await anyio.to_thread.run_sync(_touch, self._token)
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                try:
                    self.resize(self._setup.slots)
                    yield
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._close()
                    tasks.cancel_scope.cancel()
        finally:
            if self._token:
                with suppress(OSError):
                    os.unlink(self._token)

    # -- seats --------------------------------------------------------------------------------------------------------

    def resize(self, slots: int) -> None:
        """Have so many seats from now on; those that are given up finish what runs there, those with nothing are the first."""
        if self._is_closing:
            return
        staying = [seat for seat in self.all if not seat.retires]
        for _ in range(slots - len(staying) - self._n_coming):
            self._place(0.0)
        surplus = len(staying) + self._n_coming - slots
        self._n_too_many = max(0, min(surplus, self._n_coming))
        staying.sort(key=lambda seat: (bool(seat.place), bool(seat.jobs)))
        for seat in staying[: max(0, surplus - self._n_coming)]:
            seat.retires = True
            if seat.workers:
                seat.out.put(Retire())
                # What would be launched before the outpost has heard of it would be lost with its worker.
                self._post([SlotsChanged(worker, 0) for worker in seat.workers.values()])
            else:
                self._give_up(seat)

    def place_anew(self) -> None:
        """Have the cluster place those once more for which it had no room when it was asked: there may be a better place by now."""
        for seat in self.all:
            if not seat.place and not seat.retires:
                self._give_up(seat)
                self._place(0.0)

    def _place(self, after_s: float) -> None:
        self._n_coming += 1
        self._tasks.start_soon(self._serve, after_s)

    async def _serve(self, after_s: float) -> None:
        """Have a seat."""
        with anyio.CancelScope(shield=True) as scope:
            self._keeping.add(scope)
            try:
                with anyio.move_on_after(after_s):
                    await self._closed.wait()
                self._n_coming -= 1
                if self._n_too_many:
                    self._n_too_many -= 1
                elif not self._is_closing:
                    seat = Seat(f"{self._kind}-{secrets.token_hex(6)}")
                    self._seats[seat.name] = seat
                    await self._keep_seat(seat)
            finally:
                self._keeping.discard(scope)
                self._changed.set()

    async def _close(self) -> None:
        """Send all away and wait until they have left; who is not ready in time is left to the cluster."""
        self._is_closing = True
        self._closed.set()
        for seat in self.all:
            if seat.place:
                seat.out.put(Leave())
            else:  # nobody is there to be told
                self._give_up(seat)
        with anyio.move_on_after(self._setup.grace_s + LEAVE_S):
            while self._seats:
                await self._change()
        for seat in self.all:
            self._give_up(seat)
        with anyio.move_on_after(LEAVE_S):
            while self._keeping:
                await self._change()
        for scope in self._keeping:
            scope.cancel()

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    def heard(self, seat: Seat, data: bytes, place: str) -> None:
        """Take what an outpost said.

        Args:
            seat: The seat that the outpost is in.
            data: The bytes, in the order in which `Outpost.take` gave them.
            place: Where the outpost is, as the cluster calls it.
        """
        if not seat.is_open:
            return
        try:
            messages = from_outpost(data)
        except (msgspec.DecodeError, RecursionError) as error:
            self.lost(seat, f"what came from {place} is no message: {error}")
            return
        events: list[Event] = []
        for message in messages:
            if not seat.is_open:
                break
            if isinstance(message, Log | Artifact):
                self._keep(seat, message)
            elif isinstance(message, Event) and not isinstance(message, ExecutorFailed):
                self._translate(seat, message, events)
                if isinstance(message, Finished | Pruned | Failed):
                    # The next one is launched before the end of what runs by now is told: else the slot would seem to be idle, and
                    # what waits elsewhere would be asked back for it.
                    self._post(events)
                    events = []
            else:
                self._post(events)
                events = []
                self._beside(seat, message, place)
        self._post(events)

    def lost(self, seat: Seat, reason: str, error: ErrorInfo | None = None) -> None:
        """An outpost is gone, with what ran there.

        Args:
            seat: Its seat.
            reason: Why, in words.
            error: Set when it could not begin at all.
        """
        if not seat.is_open:
            return
        self._give_up(seat)
        events: list[Event] = []
        for worker in seat.workers.values():
            del self._workers[worker]
            events.append(WorkerLost(worker, reason))
        events += [Killed(*job) for job in seat.killing]
        for job in list(self._jobs):
            if self._jobs[job] is seat:
                del self._jobs[job]
        self._post(events)
        if not self._is_closing and not seat.retires:
            if seat.workers and error is None:
                self._place(0.0)
            else:
                self._failed(seat, error or ErrorInfo("WorkerLost", reason), is_lost=error is None)

    # -- what an executor has to do -----------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        found = self._workers.get(job.worker)
        if found is not None:  # else its loss is in the inbox already
            seat, worker = found
            if seat.retires:  # that was not known yet; its outpost may have ended by now
                self._post([TakenBack(job.trial, job.attempt)])
                return
            job_id = JobId(job.trial, job.attempt)
            self._jobs[job_id] = seat
            seat.jobs[job_id] = job.worker
            seat.out.put(Launch(worker, job.trial, job.attempt, job.params))

    def kill(self, job: JobId, grace_s: float) -> None:
        seat = self._jobs.get(job)
        if seat is None:
            self._inbox.post(Killed(*job))
        elif job not in seat.killing:
            seat.killing[job] = None
            seat.out.put(Kill(*job, grace_s))
            self._tasks.start_soon(self._see_killed, seat, job, grace_s + KILL_PATIENCE_S)

    def take_back(self, job: JobId) -> None:
        seat = self._jobs.get(job)
        if seat is not None:
            seat.out.put(TakeBack(*job))

    def answer(self, job: JobId, answer: Answer) -> None:
        seat = self._jobs.get(job)
        if seat is None:
            return
        if isinstance(answer, AnswerVerdict):
            seat.out.put(Verdict(*job, answer.step, answer.prune))
        else:
            seat.out.put(Param(*job, answer.name, answer.value, answer.error))

    # -- within -------------------------------------------------------------------------------------------------------

    def _give_up(self, seat: Seat) -> None:
        seat.is_open = False
        seat.out.put(Leave())
        seat.out.close()
        del self._seats[seat.name]
        self._changed.set()
        seat.gone.set()

    def _post(self, events: list[Event]) -> None:
        if events and not self._is_closing:
            self._inbox.post(*events)

    def _beside(self, seat: Seat, message: FromOutpost, place: str) -> None:
        if isinstance(message, Hello):
            if message.version != __version__:
                why = f"{place} has asyncsweep {message.version}, and this is {__version__}: install the same there"
                self.lost(seat, why, ErrorInfo("ConfigError", why))
            elif seat.place:
                self.lost(seat, f"the cluster started {seat.name} again, at {place}")
            else:
                seat.place, seat.resources = place, message.resources
                seat.out.put(self._welcome())
        elif isinstance(message, ExecutorFailed):
            self.lost(seat, f"no worker can be started at {place}: {message.error}", message.error)
        elif isinstance(message, Left):
            error, seat.has_left = message.error, True
            self.lost(seat, f"the outpost at {place} ended" + (f": {error}" if error else ""), error)
        elif isinstance(message, Unkept) and not self._has_unkept:
            self._unkept(f"trial {message.trial}, attempt {message.attempt}, at {place}: {message.why}")

    def _translate(self, seat: Seat, event: Event, events: list[Event]) -> None:
        """An outpost's event as one of ours; what is out of place is dropped."""
        if isinstance(event, WorkerJoined) and seat.retires:
            seat.out.put(Leave())  # it took the place of one that was lost, before this outpost heard that it retires
        elif isinstance(event, WorkerJoined):
            ours = seat.workers[event.worker] = new_worker(self._kind)
            self._workers[ours] = (seat, event.worker)
            self._was_joined = True
            events.append(WorkerJoined(ours, event.slots, event.ahead, seat.resources))
        elif isinstance(event, SlotsChanged):
            if event.worker in seat.workers and not seat.retires:
                events.append(SlotsChanged(seat.workers[event.worker], event.slots))
        elif isinstance(event, WorkerLost):
            worker = seat.workers.pop(event.worker, None)
            if worker is not None:
                del self._workers[worker]
                for job in [job for job, at in seat.jobs.items() if at == worker]:
                    self._done(seat, job)
                events.append(WorkerLost(worker, f"{event.reason}, at {seat.place}", event.kind))
                if seat.retires and not seat.workers:
                    seat.out.put(Leave())  # perhaps it replaces the worker, and has not heard yet that it retires
        else:
            job = JobId(event.trial, event.attempt)  # type: ignore[attr-defined]
            if isinstance(event, Killed):
                if seat.killing.pop(job, _NOT_HERE) is not _NOT_HERE:
                    self._done(seat, job)
                    events.append(event)
            elif job in seat.jobs:
                if isinstance(event, Started):
                    self._failures = 0
                elif isinstance(event, Finished | Pruned | Failed | LaunchFailed | TakenBack):
                    self._done(seat, job)
                events.append(event)

    def _done(self, seat: Seat, job: JobId) -> None:
        seat.jobs.pop(job, None)
        if self._jobs.get(job) is seat and job not in seat.killing:
            del self._jobs[job]

    async def _see_killed(self, seat: Seat, job: JobId, within_s: float) -> None:
        await anyio.sleep(within_s)
        if seat.is_open and job in seat.killing:
            self.lost(seat, f"{seat.place} did not end trial {job.trial} within {within_s:g} s")

    def _failed(self, seat: Seat, error: ErrorInfo, *, is_lost: bool) -> None:
        """An outpost was lost, or could not begin, before a trial could run there."""
        self._failures += 1
        if self._failures >= (MAX_FAILED_IN_A_ROW if self._was_joined or is_lost else MAX_FAILED_FIRST):
            self._inbox.post(ExecutorFailed(error))
        else:
            log.warning("no trial can run at %s: %s; it is tried again", seat.place or seat.name, error)
            self._place(min(0.1 * 2**self._failures, 5.0))

    def _welcome(self) -> Welcome:
        setup = self._setup
        return Welcome(
            setup.objective,
            self._options,
            setup.verdicts,
            setup.grace_s,
            setup.directory is not None,
            setup.folders,
            self._token,
            self._limit_bytes,
        )

    def _keep(self, seat: Seat, part: Log | Artifact) -> None:
        if JobId(part.trial, part.attempt) not in seat.jobs:
            return
        try:
            keep(self._setup.folders, part)
        except (OSError, ValueError) as error:
            self._unkept(f"trial {part.trial}, attempt {part.attempt}: {error}")

    def _unkept(self, why: str) -> None:
        if not self._has_unkept:
            self._has_unkept = True
            log.warning("what a trial printed or saved is lost: %s; of further ones that is not said again", why)


_NOT_HERE = object()


def n_wanted(own: int | None, asked: int) -> int:
    """How many seats, of `own` at most, when `asked` are wanted, 0 of them meaning all; 0 when the cluster's room decides."""
    return own or 0 if not asked else min(own or asked, asked)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
