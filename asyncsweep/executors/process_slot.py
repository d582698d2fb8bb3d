"""One place for a trial in a local child process.

A *slot* is a place for one trial and, while all goes well, one worker to the machine. The process that serves it may be
replaced between two trials (`fresh`, `max_trials_per_worker`) without the machine knowing. A process that ends in any other
way is a lost worker: `WorkerLost` names its exit code or signal, and the slot comes back under a new name when its
replacement is ready.

A process that cannot be started, or ends before it is ready, has run nothing: its slot keeps its name and the job that waits, and
tries again after a while.
"""

from __future__ import annotations

from typing import Protocol

import anyio

from asyncsweep.core.events import Event, Killed, SlotsChanged, Started, TakenBack, WorkerLost
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.limits import Limits
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output
from asyncsweep.worker.claims import Claims

_FEWER = "the executor has fewer slots now"


class Office(Protocol):
    """What a slot needs of its executor.

    Attributes:
        pass_env: What workers get of our environment.
        n_started: How many jobs have been started, in all slots.
    """

    pass_env: tuple[str, ...]
    n_started: int

    def joined(self, name: str, slot: ProcessSlot, ahead: int) -> None: ...
    def left(self, name: str, reason: str, kind: str) -> None: ...
    def gone(self, slot: ProcessSlot) -> None: ...
    def done(self, job: JobId) -> None: ...
    def unkept(self, why: str) -> None: ...
    def failed_start(self, slot: ProcessSlot, error: ErrorInfo, tries: int, *, final: bool) -> float | None: ...


class ProcessSlot:
    """One place for a trial.

    Attributes:
        process: What serves it now; None while there is nothing.
        leaves: True once it was given up.
        n_started_seen: How many jobs the executor had started at the last look whether it gets on without this slot.
    """

    def __init__(
        self,
        office: Office,
        setup: Setup,
        inbox: Inbox,
        max_trials: int | None,
        limits: Limits,
        claims: Claims | None,
    ) -> None:
        self._office = office
        self._setup = setup
        self._inbox = inbox
        self._max_trials = max_trials
        self._limits = limits
        self._claims = claims
        self._name = new_worker("process")
        self._has_joined = False
        self.process: WorkerProcess | None = None
        self._job: Job | None = None
        self._next: Job | None = None
        self._killing: list[JobId] = []
        self._ended_unheard: list[JobId] = []
        self._tries = 0
        self.n_started_seen = 0
        self._closing = False
        self.leaves = False
        self._closed = anyio.Event()
        self._serving = False
        self._ended = anyio.Event()

    @property
    def is_ready(self) -> bool:
        """True while a process here runs a job, or could."""
        return self.process is not None and self.process.is_ready

    @property
    def has_job(self) -> bool:
        """True while a job runs or waits here."""
        return self._job is not None

    async def serve(self) -> None:
        """Keep a process here until the executor closes."""
        self._serving = True
        try:
            # A cancelled sweep ends its trials as any other does: `open` sees to it, within the grace.
            with anyio.CancelScope(shield=True):
                await self._serve()
        finally:
            self._ended.set()

    async def _serve(self) -> None:
        while not self._closing and not self.leaves:
            process = self.process = WorkerProcess(
                *(self._setup, self._inbox, self._ready, self._outcome, self._max_trials, self._limits),
                pass_env=self._office.pass_env,
                name=self._name,
                on_unkept=self._office.unkept,
                claims=self._claims,
            )
            try:
                reason = await process.run()
            except OSError as error:
                what = "its link broke" if process.was_ready else "no process can be started"
                reason, process.fault = f"{what}: {error}", ErrorInfo("OSError", str(error))
            self.process = None
            pause_s = self._after(process, reason)
            if pause_s is None:
                return
            if pause_s:
                with anyio.move_on_after(pause_s):
                    await self._closed.wait()
        if self.leaves and not self._closing:
            if self._has_joined:
                self._lose(WorkerLost.__name__, _FEWER)
            self._office.gone(self)

    def _after(self, process: WorkerProcess, reason: str) -> float | None:
        """The process has ended: the seconds until another one should take its place, None when none should."""
        if self._closing:
            return None
        if self.leaves:
            if self._has_joined:
                self._lose(process.kind, f"{reason}; {_FEWER}")
            return 0.0
        if process.retired and not self._killing:
            return 0.0
        if process.was_ready and self._lose(process.kind, reason):
            return 0.0
        self._tries += 1
        error = process.fault or ErrorInfo("WorkerLost", f"a worker process ended before it had a trial: {reason}")
        return self._office.failed_start(self, error, self._tries, final=process.fault is not None)

    def _lose(self, kind: str, reason: str) -> bool:
        """The worker is lost; True when a job was lost with it, or had to end."""
        job, self._job = self._job, None
        following, self._next = self._next, None
        killing, self._killing = [*self._killing, *self._ended_unheard], []
        self._ended_unheard.clear()
        name, self._name = self._name, new_worker("process")
        self._has_joined = False
        for lost in (job, following):  # the one that waited may be launched elsewhere as soon as the loss is told
            if lost is not None:
                self._office.done(JobId(lost.trial, lost.attempt))
        self._office.left(name, reason, kind)
        for killed in killing:
            self._inbox.post(Killed(*killed))
        return job is not None or bool(killing)

    def _ready(self) -> None:
        if self.leaves:
            return
        if not self._has_joined:
            self._has_joined = True
            assert self.process is not None
            self._office.joined(self._name, self, self.process.ahead)
        elif self._job is not None:
            self._start(self._job)

    def launch(self, job: Job) -> None:
        if self.leaves:  # that was not known yet
            self._give_back(job)
            return
        if self._job is not None:
            assert self.process is not None and self._next is None
            self._next = job
            self._office.n_started += 1
            self.process.queue_job(job)
            return
        self._job = job
        if self.process is not None and self.process.is_ready:
            self._start(job)

    def _start(self, job: Job) -> None:
        assert self.process is not None
        self._tries = 0
        self._office.n_started += 1
        self.process.start_job(job)
        self._inbox.post(Started(job.trial, job.attempt))

    def _give_back(self, job: Job) -> None:
        """Nothing of a job has begun."""
        self._office.done(JobId(job.trial, job.attempt))
        self._inbox.post(TakenBack(job.trial, job.attempt))

    def _outcome(self, job: Job, events: list[Event]) -> list[Event]:
        self._job, self._next = self._next, None
        self._office.done(JobId(job.trial, job.attempt))
        events += [Killed(*killed) for killed in self._ended_unheard]
        self._ended_unheard.clear()
        if self._job is not None:  # the worker goes on with it by itself
            events.append(Started(self._job.trial, self._job.attempt))
        elif self.leaves and self.process is not None:
            self.process.close()
        return events

    def leave(self) -> None:
        """Take no more jobs, and end when what runs here has ended."""
        self.leaves = True
        self._closed.set()
        if self._has_joined:
            self._inbox.post(SlotsChanged(self._name, 0))
        waiting = self._job
        if waiting is not None and (self.process is None or not self.process.is_ready):  # for another process
            self._job = None
            self._give_back(waiting)
        if self._job is None and self.process is not None:
            self.process.close()

    def take_back(self, job: JobId) -> None:
        if self._is_next(job) and self._withdraw():
            self._inbox.post(TakenBack(*job))

    def _is_next(self, job: JobId) -> bool:
        return self._next is not None and (self._next.trial, self._next.attempt) == job

    def _withdraw(self) -> bool:
        """Have the job that waits here never begin; False when it has."""
        assert self.process is not None and self._next is not None
        if not self.process.take_back():
            return False
        self._office.done(JobId(self._next.trial, self._next.attempt))
        self._next = None
        return True

    def kill(self, job: JobId, grace_s: float) -> None:
        if self._is_next(job):
            if self._withdraw():
                self._inbox.post(Killed(*job))
                return
        elif self._next is not None:
            following = JobId(self._next.trial, self._next.attempt)
            if not self._withdraw():  # it has begun: the one that is to be killed has ended, which is heard in a moment
                self._ended_unheard.append(job)
                return
            self._inbox.post(TakenBack(*following))
        if self.process is not None and self.process.is_ready:
            self._killing.append(job)
            self.process.terminate(grace_s)
        else:  # it waits for a replaced process: nothing runs yet
            self._job = None
            self._office.done(job)
            self._inbox.post(Killed(*job))

    def answer(self, job: JobId, answer: Answer) -> None:
        if self.process is not None and self._job is not None and (self._job.trial, self._job.attempt) == job:
            self.process.answer(answer)

    def output(self, offset: int, limit_bytes: int) -> Output | None:
        return None if self.process is None else self.process.output(offset, limit_bytes)

    def close(self) -> None:
        """No more processes; what runs is ended politely."""
        self._closing = True
        self._closed.set()
        if self.process is not None:
            self.process.close()

    async def end(self) -> None:
        """Wait for the end of `close`, then use force."""
        if not self._serving:
            return  # cancelled before its first step
        with anyio.move_on_after(self._setup.grace_s):
            await self._ended.wait()
            return
        if self.process is not None:
            self.process.kill()
        await self._ended.wait()
