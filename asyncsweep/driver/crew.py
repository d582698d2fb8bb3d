"""Several executors in one sweep, each in a task of its own: those that it began with, and those that were added.

To the driver a crew is one executor. It hands each job to whose worker it is for, and what concerns a job to who has it. What members
post goes through a `_Desk`, which makes workers' names unique among all of them and notes who has which job.

A member that fails (`ExecutorFailed`, or an exception in its own code) ends the sweep only when it was the last one. Any other one is
closed, its workers are lost, what was to be killed there is over, and nothing is heard of it any more.

An executor that a sweep began with alone posts without us, until another one is added.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
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
from asyncsweep.core.resources import refusal
from asyncsweep.driver.in_use import claimed
from asyncsweep.errors import AsyncSweepError, ConfigError, PluginError
from asyncsweep.hooks.contracts import Answer, Executor, Inbox, Job, JobId, Setup
from asyncsweep.worker.outcome import describe

_ENDS = (Finished, Pruned, Failed, Killed, LaunchFailed, TakenBack)

log = logging.getLogger("asyncsweep")


class Crew:
    """Executors that run the trials of one sweep together.

    Args:
        members: Each with its name.
        first: One that is opened by somebody else and posts through `door`; it is a member once `take_over` was called.
        first_name: Its name.

    Attributes:
        members: Each member by its name; one that failed is none any more.
        remote: True when one of them runs the objective in another process.
        local: True when one of them runs it in this process.
        door: The inbox of the first one.
    """

    runs: Literal["async", "sync", "both"] = "both"

    def __init__(
        self, members: Sequence[tuple[str, Any]] = (), first: Executor | None = None, first_name: str = ""
    ) -> None:
        self.members: dict[str, Any] = dict(members)
        self.remote = any(getattr(member, "remote", True) for _, member in members)
        self.local = any(not getattr(member, "remote", True) for _, member in members)
        self.door: Door
        self._first = first
        self._first_name = first_name
        self._desks: dict[str, _Desk] = {}
        self._by_worker: dict[str, _Desk] = {}
        self._known: set[str] = set()
        self._by_job: dict[JobId, tuple[_Desk, str]] = {}
        self._kills: dict[JobId, _Desk] = {}
        self.setup_for: Callable[[Any], Setup]
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names; the first one's, where there is one, comes first."""
        return (*([self._first_name] if self._first is not None else []), *self.members)

    def set_up(self, setup_for: Callable[[Any], Setup]) -> None:
        """How the setup of a member is made; to be called before `open`."""
        self.setup_for = setup_for

    def listen(self, inbox: Inbox, grace_s: float) -> None:
        """Where what members post goes, and how long an attempt has that is to end; `open` sees to it."""
        self._inbox = inbox
        self._grace_s = grace_s
        self.door = Door(inbox)

    def seat(self, name: str, member: Any) -> _Desk:
        """The inbox of a member that is about to be opened; `begin` has it heard."""
        desk = self._desks[name] = _Desk(self, name, member, self._inbox)
        return desk

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        """Open all members. Nothing that they post is heard before all are open: a bad one ends the sweep before it begins."""
        self.listen(inbox, setup.grace_s)
        self._is_closing = False
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                for name, member in list(self.members.items()):
                    await tasks.start(self._serve, name, member)
                for desk in self._desks.values():
                    desk.is_member = True
                for desk in list(self._desks.values()):
                    desk.open()
                yield
            finally:
                self._is_closing = True
                for desk in self._desks.values():
                    desk.over.set()

    async def add(self, name: str, member: Any) -> str:
        """Have one more executor; gives its name, which differs from all others.

        Raises:
            ConfigError: It cannot be opened, cannot meet the sweep's needs, or is in use.
            PluginError: Its code is broken.
        """
        if self._tasks is None or self._is_closing:
            raise ConfigError("add_executor(): the sweep has ended")
        number = 2
        unique = name
        while unique in self.names:
            unique, number = f"{name}-{number}", number + 1
        self.members[unique] = member
        try:
            await self._tasks.start(self._serve, unique, member, True)
        except BaseException:
            del self.members[unique]
            raise
        return unique

    def take_over(self, workers: Iterable[str], jobs: Iterable[tuple[JobId, str]], kills: Iterable[JobId]) -> None:
        """Have the first one be a member like the others from now on, as another one was added.

        Args:
            workers: Its workers.
            jobs: What it has, each with its worker.
            kills: What it was told to kill and has not.
        """
        first, self._first = self._first, None
        if first is None:
            return
        self.members = {self._first_name: first, **self.members}
        desk = self.seat(self._first_name, first)
        desk.is_member = True
        desk.open()
        for worker in workers:
            desk.has(worker)
        self._by_job |= {job: (desk, worker) for job, worker in jobs}
        self._kills |= dict.fromkeys(kills, desk)
        self.door.post = desk.post

    def begin(self, name: str) -> None:
        """Hear what a member that was added posts, now that the driver knows us."""
        self._desks[name].is_member = True
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

    async def _serve(
        self, name: str, member: Any, is_added: bool = False, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        """Keep a member open until the crew closes, or it has failed."""
        setup = self.setup_for(member)
        desk = self.seat(name, member)
        is_open = False
        try:
            with claimed(executor=member):
                async with member.open(setup, desk):
                    refused = refusal(setup.needs, {name: member}) if is_added else None
                    if refused is not None:
                        raise ConfigError(f"add_executor(): {refused}")
                    is_open = True
                    task_status.started()
                    if not self._is_closing:
                        await desk.over.wait()
        except Exception as error:
            error = _cause(error)
            if is_open:
                desk.broke(error)
                return
            del self._desks[name]
            if isinstance(error, AsyncSweepError):
                raise error from None
            raise PluginError(f"the executor {name!r} failed: {type(error).__name__}: {error}") from error

    # -- the driver's orders ------------------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        desk = self._by_worker.get(job.worker)
        if desk is not None:  # else its loss is in the inbox already
            self._by_job[JobId(job.trial, job.attempt)] = desk, job.worker
            desk.member.launch(desk.translated(job))

    def kill(self, job: JobId, grace_s: float) -> None:
        desk = self._holder(job)
        if desk is None:  # its worker is gone, or it has ended
            self._inbox.post(Killed(*job))
        else:
            self._kills[JobId(*job)] = desk
            desk.member.kill(job, grace_s)

    def take_back(self, job: JobId) -> None:
        desk = self._holder(job)
        if desk is not None:
            desk.member.take_back(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        desk = self._holder(job)
        if desk is not None:
            desk.member.answer(job, answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Any:
        """See `ProcessExecutor.output`."""
        desk = self._holder(job)
        look = None if desk is None else getattr(desk.member, "output", None)
        return None if look is None else look(job, offset, limit_bytes)

    def _holder(self, job: JobId) -> _Desk | None:
        held = self._by_job.get(JobId(*job))
        return None if held is None else held[0]

    # -- for the desks ------------------------------------------------------------------------------------------------

    def joined(self, worker: str, desk: _Desk) -> str:
        """A worker is here; gives the name that it bears among all that there ever were: launches for another one may be under way."""
        name, number = worker, 1
        while name in self._known:
            name = f"{desk.name}:{worker}" if number == 1 else f"{desk.name}:{worker}-{number}"
            number += 1
        self._known.add(name)
        self._by_worker[name] = desk
        return name

    def left(self, worker: str) -> None:
        """A worker is gone, with all that it had."""
        self._by_worker.pop(worker, None)
        for job in [job for job, held in self._by_job.items() if held[1] == worker]:
            del self._by_job[job]

    def ended(self, event: Any, desk: _Desk) -> None:
        """A job has ended where this desk is; it may have been launched elsewhere by now."""
        job = JobId(event.trial, event.attempt)
        held = self._by_job.get(job)
        if held is not None and held[0] is desk:
            del self._by_job[job]
        if type(event) is Killed:
            self._kills.pop(job, None)

    def kills_of(self, desk: _Desk) -> list[JobId]:
        """What a member was told to kill and never will; it is asked for once."""
        found = [job for job, holder in self._kills.items() if holder is desk]
        for job in found:
            del self._kills[job]
        return found

    def is_last(self, desk: _Desk) -> bool:
        """Whether every other member has failed; one that is still being added may yet prove to be none."""
        return all(other is desk or other.has_failed or not other.is_member for other in self._desks.values())

    def dismiss(self, desk: _Desk) -> None:
        """A member has failed, and others have not: it is closed. What it still runs is ended; the first one is not ours to close."""
        del self.members[desk.name]
        for job in [job for job, held in self._by_job.items() if held[0] is desk]:
            del self._by_job[job]
            if job not in self._kills and desk.name == self._first_name:
                desk.member.kill(job, self._grace_s)
        desk.over.set()


class Door:
    """An inbox whose `post` may become another one.

    Attributes:
        post: Takes events.
    """

    __slots__ = ("post",)

    def __init__(self, inbox: Inbox) -> None:
        self.post = inbox.post


class _Desk:
    """The inbox of one member.

    Attributes:
        name: The member's name.
        member: The member.
        is_member: True once it is open, and all that it was to be opened with.
        has_failed: True once it said that it cannot go on, or its code failed.
        over: Set when it is to be closed.
    """

    def __init__(self, crew: Crew, name: str, member: Any, inbox: Inbox) -> None:
        self.name = name
        self.member = member
        self.is_member = False
        self.has_failed = False
        self.over = anyio.Event()
        self._crew = crew
        self._inbox = inbox
        self._held: list[Event] | None = []
        self._is_deaf = False
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
        passed: list[Event] = []
        for event in events:
            if self._is_deaf:
                break
            if isinstance(event, ExecutorFailed):
                passed += self._failed(event)
            else:
                self._see(event)
                passed.append(event)
        if passed:
            self._inbox.post(*passed)

    def has(self, worker: str) -> str:
        """A worker is here; gives its name for all but the member."""
        ours = self._crew.joined(worker, self)
        self._ours[worker], self._theirs[ours] = ours, worker
        return ours

    def translated(self, job: Job) -> Job:
        """A job with the worker's name as the member knows it."""
        theirs = self._theirs[job.worker]
        return job if theirs == job.worker else replace(job, worker=theirs)

    def broke(self, error: Exception) -> None:
        """The member's own code failed: its workers are gone."""
        kind, message, trace, bases = describe(error)
        if self._is_deaf:
            log.error("the executor %r, which had failed, could not be closed: %s: %s", self.name, kind, message)
            return
        failed = ExecutorFailed(ErrorInfo(kind, message, trace, bases))
        if self._crew.is_last(self):
            self._inbox.post(*self._losses(failed.error))
        self.post(failed)

    def _failed(self, event: ExecutorFailed) -> list[Event]:
        """The member cannot go on; gives what the machine is to hear. The last one is left to the end of the sweep."""
        self.has_failed = True
        if self._crew.is_last(self):
            return [event]
        log.error("the executor %r failed, the sweep goes on without it: %s", self.name, event.error)
        self._is_deaf = True
        self._crew.dismiss(self)
        return self._losses(event.error)

    def _losses(self, error: ErrorInfo) -> list[Event]:
        """All workers are gone, and what was to be killed there is over. What one had is not launched on the next one meanwhile."""
        ours = list(self._theirs)
        for worker in ours:
            self._crew.left(worker)
        self._ours.clear()
        self._theirs.clear()
        reason = f"the executor {self.name!r} failed: {error.type}: {error.message}"
        return [
            *(SlotsChanged(worker, 0) for worker in ours),
            *(WorkerLost(worker, reason) for worker in ours),
            *(Killed(*job) for job in self._crew.kills_of(self)),
        ]

    def _see(self, event: Event) -> None:
        """Take note of an event, and have it name workers as the machine does."""
        if isinstance(event, _ENDS):
            self._crew.ended(event, self)
        elif isinstance(event, WorkerCame):
            event.worker = self.has(event.worker)
        elif isinstance(event, WorkerLost):
            event.worker = self._ours.pop(event.worker)
            del self._theirs[event.worker]
            self._crew.left(event.worker)
        elif isinstance(event, SlotsChanged):
            event.worker = self._ours[event.worker]


def _cause(error: Exception) -> Exception:
    """The first fault of a group: the others came of it, or at the same time."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
