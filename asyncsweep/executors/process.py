"""Trials in local child processes, one at a time in each, started once and reused: `process_slot` tells of one of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

import anyio
import anyio.abc

from asyncsweep.core.events import (
    ExecutorFailed,
    Killed,
    WorkerJoined,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import ConfigError
from asyncsweep.executors import own_slots
from asyncsweep.executors.limits import UNLIMITED, limits_of
from asyncsweep.executors.pass_env import names_of
from asyncsweep.executors.process_slot import ProcessSlot
from asyncsweep.executors.supervision import Supervision
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output
from asyncsweep.worker.claims import new_claims

# Before the first process was ready: after this many that ended before they were, starting more is no use.
MAX_FAILED_STARTS = 3
# Later, what is short (memory, processes, open files) may be there again soon: how long a slot waits before each further try.
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0)

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
        self._all: list[ProcessSlot] = []
        self._slots: dict[str, ProcessSlot] = {}
        self._jobs: dict[JobId, ProcessSlot] = {}
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
        slot = ProcessSlot(self, self._setup, self._inbox, self._max_trials, self._limits, self._claims)
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

    def gone(self, slot: ProcessSlot) -> None:
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

    def joined(self, name: str, slot: ProcessSlot, ahead: int) -> None:
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

    def failed_start(self, slot: ProcessSlot, error: ErrorInfo, tries: int, *, final: bool) -> float | None:
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

    def _gets_on_without(self, slot: ProcessSlot) -> bool:
        """Whether the other slots do something, or could and nothing waits for this one."""
        if not slot.has_job:
            return any(other.is_ready for other in self._all)
        has_news, slot.n_started_seen = slot.n_started_seen != self.n_started, self.n_started
        return has_news or any(other.has_job and other.is_ready for other in self._all)
