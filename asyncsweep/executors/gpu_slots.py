"""One place for a trial on GPUs: it leases devices, has a worker process there, and gives them back.

```
  lease ──> worker process ──> trial ──> look ──> trial ──> look ...
    ^            │                         │ the worker still has memory on its devices, or a device is gone
    └── leave <──┴─────────────────────────┘
```

A process sees the devices of one lease from its first instruction, so another lease is another process. The slot keeps its name to the
machine meanwhile: a trial that was launched already waits here, and starts when there is a worker with room for it. When that takes
too long, the slot closes until it has a device again, and the trial is given back, for another slot.

The outcome of a trial is told after a look at its devices: an error on a device that is gone is not the trial's.
"""

from __future__ import annotations

from typing import Any, Protocol

import anyio
import anyio.abc

from asyncsweep.core.events import Event, Failed, Killed, SlotsChanged, Started, TakenBack, WorkerJoined, WorkerLost
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import DeviceLost
from asyncsweep.executors.gpu_choice import environment_of
from asyncsweep.executors.gpu_shares import Lease
from asyncsweep.executors.limits import Limits
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output

# An idle process that was sent home has this long to end by itself, or the grace where that is longer.
_EXIT_S = 2.0


class Office(Protocol):
    """What a slot needs of its executor.

    Attributes:
        fresh: True: a new process for each trial; False: none, but after failures; None: where the last one has device memory.
        patience_s: So long a trial that was launched waits here for a device.
        limits: What an attempt may take of the machine.
        pass_env: What workers get of our environment.
        resources: What each slot offers.
    """

    fresh: bool | None
    patience_s: float
    limits: Limits
    pass_env: tuple[str, ...]
    resources: dict[str, Any] | None

    async def lease(self, slot: GpuSlot) -> Lease | None: ...
    def leave(self, lease: Lease) -> None: ...
    async def look(self, lease: Lease, process: WorkerProcess) -> bool: ...
    def gone(self, lease: Lease) -> str | None: ...
    def admits(self, lease: Lease) -> bool: ...
    def is_clean(self, lease: Lease) -> bool: ...
    def usage(self, lease: Lease, job: Job) -> list[Event]: ...
    def done(self, job: JobId) -> None: ...
    def joined(self, name: str, slot: GpuSlot) -> None: ...
    def retired(self, slot: GpuSlot) -> None: ...
    def left(self, name: str) -> None: ...
    def unkept(self, why: str) -> None: ...
    async def failed_start(self, error: ErrorInfo, tries: int, *, final: bool) -> bool: ...


class GpuSlot:
    """One slot.

    Attributes:
        lease: The devices that it has now; None while it has none.
        process: The worker there; None while there is none.
        running: The job that runs there.
        leaves: True once it was given up.
    """

    def __init__(self, office: Office, setup: Setup, inbox: Inbox) -> None:
        self._office = office
        self._setup = setup
        self._inbox = inbox
        self._name = new_worker("gpu")
        self._has_joined = False
        self._is_shut = False
        self.lease: Lease | None = None
        self.process: WorkerProcess | None = None
        self.running: Job | None = None
        self._waiting: Job | None = None
        self._killing: list[JobId] = []
        self._tasks: anyio.abc.TaskGroup | None = None
        self._may_start = False
        self._is_sent_home = False
        self._tries = 0
        self._blocked_since: float | None = None
        self._over = anyio.Event()
        self.leaves = False
        self._closing = False
        self._serving = False
        self._ended = anyio.Event()

    @property
    def has_waiting(self) -> bool:
        """True while a trial that was launched waits here for a device."""
        return self._waiting is not None

    @property
    def is_ready(self) -> bool:
        """True while a process here runs a job, or could."""
        return self.process is not None and self.process.is_ready

    # -- the life of a slot -------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Keep a worker on some devices until the executor closes."""
        self._serving = True
        try:
            # A cancelled sweep ends its trials as any other does: the executor sees to it, within the grace.
            with anyio.CancelScope(shield=True):
                while not self._closing and not self.leaves and await self._serve_once():
                    pass
                if self.leaves and not self._closing:
                    self._lose(WorkerLost.__name__, "the executor has fewer slots now")
                    self._office.retired(self)
        finally:
            self._ended.set()

    async def _serve_once(self) -> bool:
        """One lease and one process; False when there is no use in another."""
        lease = await self._office.lease(self)
        if lease is None:
            return False
        self.lease = lease
        try:
            if self._closing or self.leaves:
                return False
            return await self._run(lease)
        finally:
            self.lease = None
            self._office.leave(lease)

    async def _run(self, lease: Lease) -> bool:
        process = self.process = WorkerProcess(
            *(self._setup, self._inbox, self._ready, self._outcome, None, self._office.limits),
            pass_env=self._office.pass_env,
            name=self._name,
            on_unkept=self._office.unkept,
            env=environment_of(lease.devices),
        )
        self._is_sent_home = False
        over = self._over = anyio.Event()
        async with anyio.create_task_group() as tasks:  # at its end all outcomes are told
            self._tasks = tasks
            try:
                reason = await process.run()
            except OSError as error:
                what = "its link broke" if process.was_ready else "no process can be started"
                reason, process.fault = f"{what}: {error}", ErrorInfo("OSError", str(error))
            self._may_start = False
            over.set()
        self._tasks = None
        if self.running is not None and not self._killing:
            await self._office.look(lease, process)  # a device that is gone takes its process with it
        self.process = None
        return await self._after(lease, process, reason)

    async def _after(self, lease: Lease, process: WorkerProcess, reason: str) -> bool:
        """The process has ended; False when there is no use in another one."""
        gone = self._office.gone(lease)
        if self._closing:
            return False
        if gone is not None:
            if self.running is not None or self._killing:
                self._lose(DeviceLost.__name__, gone)
            return True  # what only waits here waits for another device
        if (process.retired or self._is_sent_home) and not self._killing and self.running is None:
            return True
        if process.was_ready and self._lose(process.kind, reason):
            return True
        self._tries += 1
        error = process.fault or ErrorInfo("WorkerLost", f"a worker process ended before it had a trial: {reason}")
        return await self._office.failed_start(error, self._tries, final=process.fault is not None)

    def _lose(self, kind: str, reason: str) -> bool:
        """The worker is lost; True when a job was lost with it, or had to end."""
        jobs = [job for job in (self.running, self._waiting) if job is not None]
        self.running = self._waiting = None
        killing, self._killing = self._killing, []
        for job in jobs:
            self._office.done(JobId(job.trial, job.attempt))
        if self._has_joined:
            self._has_joined = self._is_shut = False
            name, self._name = self._name, new_worker("gpu")
            self._office.left(name)
            self._inbox.post(WorkerLost(name, reason, kind))
        for killed in killing:
            self._inbox.post(Killed(*killed))
        return bool(jobs or killing)

    def look_on(self, now: float) -> None:
        """There was a look at the devices: start what waits here, or shut when there was no device for it for too long."""
        self.start_waiting()
        lease = self.lease
        is_blocked = lease is None or (self._may_start and not self._office.admits(lease))
        if not is_blocked or not self._has_joined or self._is_shut or self._closing or self.leaves:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = now
        elif now - self._blocked_since > self._office.patience_s:
            self._blocked_since = None
            self._shut()
            if lease is not None:
                self._send_home()

    def _shut(self) -> None:
        """Nothing is to be launched here for now, and what was is given back."""
        job, self._waiting = self._waiting, None
        if self._has_joined and not self._is_shut:
            self._is_shut = True
            self._inbox.post(SlotsChanged(self._name, 0))
        if job is not None:
            self._give_back(job)

    def _give_back(self, job: Job) -> None:
        """Nothing of a job has begun."""
        self._office.done(JobId(job.trial, job.attempt))
        self._inbox.post(TakenBack(job.trial, job.attempt))

    # -- attempts -----------------------------------------------------------------------------------------------------

    def _ready(self) -> None:
        assert self.process is not None and self.lease is not None
        if self.leaves:  # it is on its way home
            return
        if self._office.gone(self.lease) is not None:
            self.process.kill()
            return
        self._may_start = True
        self._tries = 0
        if not self._has_joined:
            self._has_joined = True
            self._office.joined(self._name, self)
            self._inbox.post(WorkerJoined(self._name, 1, resources=self._office.resources or {}))
        elif self._is_shut and not self.leaves:
            self._is_shut = False
            self._inbox.post(SlotsChanged(self._name, 1))
        else:
            self.start_waiting()

    def launch(self, job: Job) -> None:
        if self.leaves or self._is_shut:  # that was not known yet
            self._give_back(job)
            return
        self._waiting = job
        self.start_waiting()

    def start_waiting(self) -> None:
        """Start the job that waits here, if it may."""
        job, process, lease = self._waiting, self.process, self.lease
        if job is None or process is None or lease is None or not self._may_start or not process.is_ready:
            return
        if self._office.gone(lease) is not None or not self._office.admits(lease):
            return
        self._waiting, self.running = None, job
        process.start_job(job)
        self._inbox.post(Started(job.trial, job.attempt))

    def _outcome(self, job: Job, events: list[Event]) -> list[Event]:
        self._may_start = False
        assert self._tasks is not None
        self._tasks.start_soon(self._conclude, job, events)
        return []

    async def _conclude(self, job: Job, events: list[Event]) -> None:
        """Look at the devices, tell the outcome, and decide what becomes of the worker."""
        lease, process = self.lease, self.process
        assert lease is not None and process is not None
        has_looked = await self._office.look(lease, process)
        has_failed = isinstance(events[-1], Failed)
        if has_failed and self._office.gone(lease) is not None:  # the job counts as running: it is lost with the worker
            self._inbox.post(*events[:-1])
            process.kill()
            return
        used = self._office.usage(lease, job) if has_looked else []
        self.running = None
        self._office.done(JobId(job.trial, job.attempt))
        stays = self._stays(lease, process, has_failed=has_failed, has_looked=has_looked)
        if not stays:
            self._send_home()
        self._inbox.post(*used, *events)
        if stays:
            self._may_start = True
            self.start_waiting()

    def _stays(self, lease: Lease, process: WorkerProcess, *, has_failed: bool, has_looked: bool) -> bool:
        """Whether the worker that has just ended a trial takes another one."""
        if (
            self._killing
            or self.leaves
            or not process.is_ready
            or self._office.gone(lease) is not None
            or self._office.fresh
        ):
            return False
        if self._office.fresh is False:
            return not has_failed  # after an error of CUDA, every further call in that process is one
        return has_looked and self._office.is_clean(lease)

    def _send_home(self) -> None:
        """An idle worker is to end; its slot goes on with another."""
        self._is_sent_home, self._may_start = True, False
        if self.process is not None and self._tasks is not None and not self._over.is_set():
            self.process.close()
            self._tasks.start_soon(self._end_by_force, self.process, self._over)

    async def _end_by_force(self, process: WorkerProcess, over: anyio.Event) -> None:
        with anyio.move_on_after(max(_EXIT_S, self._setup.grace_s)):
            await over.wait()
        process.kill()

    def kill(self, job: JobId, grace_s: float) -> None:
        if self._waiting is not None and (self._waiting.trial, self._waiting.attempt) == job:
            self._waiting = None  # nothing of it runs yet
            self._office.done(job)
            self._inbox.post(Killed(*job))
        else:
            self._killing.append(job)
            if self.process is not None and not self._over.is_set():
                self.process.terminate(grace_s)

    def device_gone(self, why: str) -> None:
        """A device of this slot's lease is gone: whatever runs here is ended by force."""
        if self.process is not None and not self._over.is_set():
            self.process.condemn(DeviceLost.__name__, why)

    def answer(self, job: JobId, answer: Answer) -> None:
        if self.process is not None and self.running is not None and (self.running.trial, self.running.attempt) == job:
            self.process.answer(answer)

    def output(self, offset: int, limit_bytes: int) -> Output | None:
        return None if self.process is None else self.process.output(offset, limit_bytes)

    def leave(self) -> None:
        """Take no more jobs, and end when what runs here has ended."""
        self.leaves = True
        self._shut()
        if self.running is None and self.process is not None and not self._over.is_set():
            self._send_home()

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """No more processes; what runs is ended politely."""
        self._closing = True
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
