"""Several executors in one sweep, each in a task of its own: those that it began with, and those that were added.

To the driver a crew is one executor. It hands each job to whose worker it is for, and what concerns a job to who has it. What members
post goes through a `_Desk`, which makes workers' names unique among all of them and notes which jobs have ended.

A member that fails (`ExecutorFailed`, or an exception in its own code) ends the sweep only when it was the last one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import anyio.abc
from msgspec.structs import replace

from asyncsweep.core.events import (
    Event,
    ExecutorFailed,
    Failed,
    Finished,
    Killed,
    LaunchFailed,
    Pruned,
    SlotsChanged,
    TakenBack,
    WorkerCame,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.driver.in_use import claimed
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Answer, Executor, Inbox, Job, JobId, Setup
from asyncsweep.worker.outcome import describe

_ENDS = (Finished, Pruned, Failed, Killed, LaunchFailed, TakenBack)

log = logging.getLogger("asyncsweep")


class Crew:
    """Executors that run the trials of one sweep together.

    Args:
        members: Each with its name.
        first: One that is open already, and posts without us; what no other has is its. When it fails the sweep ends, whatever was
            added to it.
        first_name: Its name.

    Attributes:
        members: Each member by its name; `first` is not among them.
        remote: True when one of them runs the objective in another process.
        local: True when one of them runs it in this process.
    """

    runs: Literal["async", "sync", "both"] = "both"

    def __init__(
        self, members: Sequence[tuple[str, Any]] = (), first: Executor | None = None, first_name: str = ""
    ) -> None:
        self.members: dict[str, Any] = dict(members)
        self.remote = any(getattr(member, "remote", True) for _, member in members)
        self.local = any(not getattr(member, "remote", True) for _, member in members)
        self._first = first
        self._first_name = first_name
        self._desks: dict[str, _Desk] = {}
        self._by_worker: dict[str, _Desk] = {}
        self._by_job: dict[JobId, _Desk] = {}
        self.setup_for: Callable[[Any], Setup]
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names; the first one's, where there is one, comes first."""
        return (*([self._first_name] if self._first is not None else []), *self.members)

    def set_up(self, setup_for: Callable[[Any], Setup]) -> None:
        """How the setup of a member is made; to be called before `open`."""
        self.setup_for = setup_for

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        """Open all members. Nothing that they post is heard before all are open: a bad one ends the sweep before it begins."""
        self._inbox = inbox
        self._closing = anyio.Event()
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                for name, member in list(self.members.items()):
                    await tasks.start(self._serve, name, member)
                for desk in self._desks.values():
                    desk.open()
                yield
            finally:
                self._closing.set()

    async def add(self, name: str, member: Any) -> str:
        """Have one more executor; gives its name, which differs from all others.

        Raises:
            ConfigError: It cannot be opened, or is in use.
        """
        if self._tasks is None or self._closing.is_set():
            raise ConfigError("add_executor(): the sweep has ended")
        number = 2
        unique = name
        while unique in self.names:
            unique, number = f"{name}-{number}", number + 1
        self.members[unique] = member
        try:
            await self._tasks.start(self._serve, unique, member)
        except BaseException:
            del self.members[unique]
            raise
        return unique

    def begin(self, name: str) -> None:
        """Hear what a member that was added posts, now that the driver knows us."""
        self._desks[name].open()

    def resize(self, name: str, slots: int) -> None:
        """Have a member offer another number of slots.

        Raises:
            ConfigError: There is no such member, or it cannot.
        """
        if name not in self.names:
            raise ConfigError(f"resize({name!r}, ...): there is no such executor; there are: {', '.join(self.names)}")
        member: Any = self.members.get(name, self._first)
        if not hasattr(member, "resize"):
            raise ConfigError(f"resize({name!r}, ...): this executor cannot change how many slots it has")
        member.resize(slots)

    async def _serve(self, name: str, member: Any, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Keep a member open until the crew closes."""
        desk = self._desks[name] = _Desk(self, name, self._inbox)
        is_open = False
        try:
            with claimed(executor=member):
                async with member.open(self.setup_for(member), desk):
                    is_open = True
                    task_status.started()
                    await self._closing.wait()
        except Exception as error:
            if not is_open:
                del self._desks[name]
                raise
            desk.broke(error)

    # -- the driver's orders ------------------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        desk = self._by_worker.get(job.worker)
        if desk is not None:
            self._by_job[JobId(job.trial, job.attempt)] = desk
            self.members[desk.name].launch(desk.translated(job))
        elif self._first is not None:
            self._first.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        member = self._holder(job)
        if member is None:  # its worker is gone
            self._inbox.post(Killed(*job))
        else:
            member.kill(job, grace_s)

    def take_back(self, job: JobId) -> None:
        member = self._holder(job)
        if member is not None:
            member.take_back(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        member = self._holder(job)
        if member is not None:
            member.answer(job, answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Any:
        """See `ProcessExecutor.output`."""
        look = getattr(self._holder(job), "output", None)
        return None if look is None else look(job, offset, limit_bytes)

    def _holder(self, job: JobId) -> Any:
        desk = self._by_job.get(JobId(*job))
        return self._first if desk is None else self.members[desk.name]

    # -- for the desks ------------------------------------------------------------------------------------------------

    def joined(self, worker: str, desk: _Desk) -> bool:
        """A worker is here under this name; False when another one has it."""
        if worker in self._by_worker:
            return False
        self._by_worker[worker] = desk
        return True

    def left(self, worker: str) -> None:
        self._by_worker.pop(worker, None)

    def ended(self, job: JobId, desk: _Desk) -> None:
        """A job has ended where this desk is; it may have been launched elsewhere by now."""
        if self._by_job.get(job) is desk:
            del self._by_job[job]

    def has_failed(self, name: str) -> bool:
        """A member has failed; True when no other is left."""
        return self._first is None and all(desk.has_failed for desk in self._desks.values())


class _Desk:
    """The inbox of one member.

    Attributes:
        name: The member's name.
        has_failed: True once it said that it cannot go on.
    """

    def __init__(self, crew: Crew, name: str, inbox: Inbox) -> None:
        self.name = name
        self.has_failed = False
        self._crew = crew
        self._inbox = inbox
        self._held: list[Event] | None = []
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def open(self) -> None:
        """Let through what was posted, and is from now on."""
        held, self._held = self._held, None
        if held:
            self.post(*held)

    def post(self, *events: Event) -> None:
        if self._held is not None:
            self._held += events
            return
        passed = [event for event in map(self._seen, events) if event is not None]
        if passed:
            self._inbox.post(*passed)

    def translated(self, job: Job) -> Job:
        """A job with the worker's name as the member knows it."""
        theirs = self._theirs[job.worker]
        return job if theirs == job.worker else replace(job, worker=theirs)

    def broke(self, error: Exception) -> None:
        """The member's own code failed: its workers are gone."""
        while isinstance(error, ExceptionGroup):  # the others came of the first, or at the same time
            error = error.exceptions[0]
        kind, message, trace, bases = describe(error)
        lost = [WorkerLost(theirs, f"the executor {self.name!r} failed: {kind}: {message}") for theirs in self._ours]
        self.post(*lost, ExecutorFailed(ErrorInfo(kind, message, trace, bases)))

    def _seen(self, event: Event) -> Event | None:
        """Take note of an event; gives it as the machine is to have it."""
        if isinstance(event, _ENDS):
            self._crew.ended(JobId(event.trial, event.attempt), self)
        elif isinstance(event, WorkerCame):
            ours = event.worker if self._crew.joined(event.worker, self) else f"{self.name}:{event.worker}"
            self._crew.joined(ours, self)
            self._ours[event.worker], self._theirs[ours] = ours, event.worker
            event.worker = ours
        elif isinstance(event, WorkerLost):
            event.worker = self._ours.pop(event.worker)
            del self._theirs[event.worker]
            self._crew.left(event.worker)
        elif isinstance(event, SlotsChanged):
            event.worker = self._ours[event.worker]
        elif isinstance(event, ExecutorFailed):
            self.has_failed = True
            if not self._crew.has_failed(self.name):
                log.error("the executor %r failed, the sweep goes on without it: %s", self.name, event.error)
                return None
        return event
