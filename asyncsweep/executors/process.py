"""Trials in local child processes, one at a time in each, started once and reused.

A *slot* is a place for one trial and, while all goes well, one worker to the machine. The process that serves it may be
replaced between two trials (`fresh`, `max_trials_per_worker`) without the machine knowing. A process that ends in any other
way is a lost worker: `WorkerLost` names its exit code or signal, and the slot comes back under a new name when its
replacement is ready.

A process that cannot be started, or ends before it is ready, has run nothing: its slot keeps its name and the job that waits, and
tries again after a while.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

import anyio
import anyio.abc

from asyncsweep.core.events import (
    Event,
    ExecutorFailed,
    Killed,
    SlotsChanged,
    Started,
    TakenBack,
    WorkerJoined,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import ConfigError
from asyncsweep.executors import own_slots
from asyncsweep.executors.limits import UNLIMITED, Limits, limits_of
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.pass_env import names_of
from asyncsweep.executors.supervision import Supervision
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output
from asyncsweep.worker.claims import Claims, new_claims

# Before the first process was ready: after this many that ended before they were, starting more is no use.
MAX_FAILED_STARTS = 3
# Later, what is short (memory, processes, open files) may be there again soon: how long a slot waits before each further try.
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0)

_FEWER = "the executor has fewer slots now"

log = logging.getLogger("asyncsweep")


class ProcessExecutor:
    """Runs objectives in warm local processes.

    The limits count the worker and everything that it started, and are looked at ten times a second. A trial that passes one
    ends in the error that is named below, and so does its worker.

    Args:
        fresh: Start a new process for each trial.
        max_trials_per_worker: Replace a process after so many trials; None means never.
        memory_limit: The resident memory that a trial may take with its worker: bytes, or a text such as "2GiB" or "500MB".
            Beyond it the worker is ended by force, and the trial's error is `MemoryLimitExceeded`. What a bare worker and a
            loaded objective take counts. A worker that still has more than half of the limit after a trial is replaced, so
            that the next trial does not pay for it. Linux only.
        cpu_time_limit: The seconds of processor time that an attempt may take, over all processors, from the first look at it.
            Beyond it the worker is ended as at a `trial_timeout`, and the error is `CpuTimeLimitExceeded`. Linux only.
        pass_env: Names of environment variables that trials need besides those that every worker gets: language, paths, devices,
            threads, settings of frameworks, and no secrets (`asyncsweep/link/environment.py` lists them). `*` stands for
            anything: "MYAPP_*", or "*" for all. The journal has the names, and no values.
        slots: How many trials run at a time at most. None: as many as `concurrency` says; beside other executors, one for each
            processor.

    Raises:
        ConfigError: An option has a wrong type or value, or cannot be had on this system.

    Attributes:
        n_started: How many jobs it has started.
        pass_env: As the argument.
        own_slots: True when it was made with `slots`.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"
    resources: ClassVar[dict[str, object]] = {}

    def __init__(
        self,
        fresh: bool = False,
        max_trials_per_worker: int | None = None,
        memory_limit: int | str | None = None,
        cpu_time_limit: float | None = None,
        pass_env: Sequence[str] = (),
        slots: int | None = None,
    ) -> None:
        if sys.platform == "win32":
            raise ConfigError("executor='process' needs Linux or macOS: on Windows use executor='thread' or 'inline'")
        if not isinstance(fresh, bool):
            raise ConfigError(f"executor.fresh={fresh!r}: it must be True or False")
        limit = max_trials_per_worker
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigError(f"executor.max_trials_per_worker={limit!r}: it must be a whole number >= 1, or None")
        if fresh and limit not in (None, 1):
            raise ConfigError(f"executor.max_trials_per_worker={limit}: with fresh=True it can only be 1 or left out")
        self._max_trials = 1 if fresh else limit
        self._limits = limits_of(memory_limit, cpu_time_limit)
        self.pass_env = names_of(pass_env)
        self._slots_at_most = own_slots.checked(slots)
        self.own_slots = slots is not None
        self._all: list[_Slot] = []
        self._slots: dict[str, _Slot] = {}
        self._jobs: dict[JobId, _Slot] = {}
        self._failed_starts = 0
        self._was_ready = False
        self._has_unkept = False
        self.n_started = 0

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._setup = setup
        self._inbox = inbox
        self._slots.clear()
        self._jobs.clear()
        self._failed_starts, self._was_ready, self._has_unkept = 0, False, False
        # A worker that is replaced between two trials, or looked at, has none waiting.
        self._claims = claims = new_claims() if self._max_trials is None and self._limits == UNLIMITED else None
        try:
            async with self._serving(setup):
                yield
        finally:
            if claims is not None:
                claims.close()

    @asynccontextmanager
    async def _serving(self, setup: Setup) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            slots = self._all = []
            for _ in range(own_slots.n_slots(self._slots_at_most, setup.slots)):
                self._add_slot()
            supervision = Supervision(self._limits, setup.grace_s)
            tasks.start_soon(supervision.run, lambda: [slot.process for slot in slots if slot.process is not None])
            try:
                yield
            finally:
                for slot in slots:
                    slot.close()
                with anyio.CancelScope(shield=True):
                    async with anyio.create_task_group() as ends:
                        for slot in slots:
                            ends.start_soon(slot.end)
                tasks.cancel_scope.cancel()

    def launch(self, job: Job) -> None:
        slot = self._slots.get(job.worker)
        if slot is not None:  # else its loss is in the inbox already
            self._jobs[JobId(job.trial, job.attempt)] = slot
            slot.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        slot = self._jobs.get(job)
        if slot is None:
            self._inbox.post(Killed(*job))
        else:
            slot.kill(job, grace_s)

    def _add_slot(self) -> None:
        slot = _Slot(self, self._setup, self._inbox, self._max_trials, self._limits, self._claims)
        self._all.append(slot)
        self._tasks.start_soon(slot.serve)

    def resize(self, slots: int) -> None:
        """Have so many slots from now on; those that are given up finish what runs there, idle ones are the first."""
        staying = [slot for slot in self._all if not slot.leaves]
        for _ in range(slots - len(staying)):
            self._add_slot()
        staying.sort(key=lambda slot: slot.has_job)
        for slot in staying[: max(0, len(staying) - slots)]:
            slot.leave()

    def gone(self, slot: _Slot) -> None:
        """A slot that was given up has ended."""
        self._all.remove(slot)

    def take_back(self, job: JobId) -> None:
        """Give a job back that has not begun; nothing happens when it has, or is not here."""
        slot = self._jobs.get(job)
        if slot is not None:
            slot.take_back(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        slot = self._jobs.get(job)
        if slot is not None:
            slot.answer(job, answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Output | None:
        """A piece of what a running attempt has printed, from a place on that is counted in bytes printed.

        An optional part of an executor: without it logs are read when an attempt has ended. Call it on the loop's thread.

        Args:
            job: The attempt.
            offset: Where the piece should begin. It begins later where nobody keeps what is between.
            limit_bytes: The most bytes to give.

        Returns:
            None when it does not run here, or its output goes where ours goes.
        """
        slot = self._jobs.get(job)
        return None if slot is None else slot.output(offset, limit_bytes)

    # -- for the slots ------------------------------------------------------------------------------------------------

    def joined(self, name: str, slot: _Slot, ahead: int) -> None:
        self._was_ready = True
        self._slots[name] = slot
        self._inbox.post(WorkerJoined(name, 1, ahead))

    def left(self, name: str, reason: str, kind: str) -> None:
        del self._slots[name]
        self._inbox.post(WorkerLost(name, reason, kind))

    def done(self, job: JobId) -> None:
        self._jobs.pop(job, None)

    def unkept(self, why: str) -> None:
        """What an attempt printed is lost. It is said once in a sweep: a full disk is full for all."""
        if not self._has_unkept:
            self._has_unkept = True
            log.warning("what a trial printed is lost: %s; of further ones that is not said again", why)

    def failed_start(self, slot: _Slot, error: ErrorInfo, tries: int, *, final: bool) -> float | None:
        """The seconds until a slot, which tried so often in a row, should try again; None when that is no use."""
        if not self._was_ready:
            self._failed_starts += 1
            if not final and self._failed_starts < MAX_FAILED_STARTS:
                return 0.0
        elif tries <= len(_PAUSES_S):
            if tries == 1:
                log.warning("no worker process can be started now: %s; it is tried again", error)
            return _PAUSES_S[tries - 1]
        elif self._gets_on_without(slot):
            return _PAUSES_S[-1]
        else:
            message = f"no worker process can be started any more: {error.message} ({tries} tries in a row)"
            error = ErrorInfo(error.type, message, error.traceback, error.bases)
        self._inbox.post(ExecutorFailed(error))
        return None

    def _gets_on_without(self, slot: _Slot) -> bool:
        """Whether the other slots do something, or could and nothing waits for this one."""
        if not slot.has_job:
            return any(other.is_ready for other in self._all)
        has_news, slot.n_started_seen = slot.n_started_seen != self.n_started, self.n_started
        return has_news or any(other.has_job and other.is_ready for other in self._all)


class _Slot:
    """One place for a trial.

    Attributes:
        process: What serves it now; None while there is nothing.
        leaves: True once it was given up.
        n_started_seen: How many jobs the executor had started at the last look whether it gets on without this slot.
    """

    def __init__(
        self,
        executor: ProcessExecutor,
        setup: Setup,
        inbox: Inbox,
        max_trials: int | None,
        limits: Limits,
        claims: Claims | None,
    ) -> None:
        self._executor = executor
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
                pass_env=self._executor.pass_env,
                name=self._name,
                on_unkept=self._executor.unkept,
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
            self._executor.gone(self)

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
        return self._executor.failed_start(self, error, self._tries, final=process.fault is not None)

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
                self._executor.done(JobId(lost.trial, lost.attempt))
        self._executor.left(name, reason, kind)
        for killed in killing:
            self._inbox.post(Killed(*killed))
        return job is not None or bool(killing)

    def _ready(self) -> None:
        if self.leaves:
            return
        if not self._has_joined:
            self._has_joined = True
            assert self.process is not None
            self._executor.joined(self._name, self, self.process.ahead)
        elif self._job is not None:
            self._start(self._job)

    def launch(self, job: Job) -> None:
        if self.leaves:  # that was not known yet
            self._give_back(job)
            return
        if self._job is not None:
            assert self.process is not None and self._next is None
            self._next = job
            self._executor.n_started += 1
            self.process.queue_job(job)
            return
        self._job = job
        if self.process is not None and self.process.is_ready:
            self._start(job)

    def _start(self, job: Job) -> None:
        assert self.process is not None
        self._tries = 0
        self._executor.n_started += 1
        self.process.start_job(job)
        self._inbox.post(Started(job.trial, job.attempt))

    def _give_back(self, job: Job) -> None:
        """Nothing of a job has begun."""
        self._executor.done(JobId(job.trial, job.attempt))
        self._inbox.post(TakenBack(job.trial, job.attempt))

    def _outcome(self, job: Job, events: list[Event]) -> list[Event]:
        self._job, self._next = self._next, None
        self._executor.done(JobId(job.trial, job.attempt))
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
        self._executor.done(JobId(self._next.trial, self._next.attempt))
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
            self._executor.done(job)
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
