"""Trials in threads of this process, for plain objectives that release the GIL or are light.

What a thread says goes into a mailbox; a byte on a socketpair wakes the loop once for all that has gathered. A thread
cannot be ended from outside: a killed trial ends at its next `report`, `should_prune` or `suggest_*`. One that does not come
back within its grace is abandoned: it runs on unheard, and its slot is free for another. The threads are daemons, one for
each attempt, and not anyio's, which the interpreter would wait for at its exit, for ever.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from typing import Any, ClassVar, Generic, Literal, TypeVar

import anyio
import anyio.abc

from asyncsweep.core.events import (
    AttrSet,
    ConstraintSet,
    Event,
    ExecutorFailed,
    Killed,
    ParamAsked,
    Reported,
    SlotsChanged,
    Started,
    VerdictAsked,
    WorkerJoined,
)
from asyncsweep.errors import ConfigError
from asyncsweep.executors import own_slots
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.outcome import built, event_of, value_in, verdict_in
from asyncsweep.executors.values import attr_of, domain_of, own
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker import outcome as ends
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial

T = TypeVar("T")


class TrialKilled(BaseException):
    """Raised inside a killed trial at its next call of the `Trial`; no `Exception`, so that it passes handlers."""


class ThreadExecutor:
    """Runs plain objectives in threads.

    Args:
        slots: How many trials run at a time at most. None: as many as `concurrency` says; beside other executors, one for each
            processor.

    Raises:
        ConfigError: `slots` is no whole number >= 1.
    """

    remote = False
    runs: Literal["async", "sync", "both"] = "sync"
    resources: ClassVar[dict[str, object]] = {}

    def __init__(self, slots: int | None = None) -> None:
        self._slots_at_most = own_slots.checked(slots)
        self.own_slots = slots is not None
        self._n_slots = 0
        self._worker: str | None = None
        self._ports: dict[JobId, _ThreadPort] = {}

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        assert setup.call is not None
        if setup.call.is_async:
            raise ConfigError("executor='thread': it needs a plain function; for `async def` use 'inline' or 'process'")
        self._call_objective = setup.call
        self._ports.clear()
        self._setup = setup
        self._inbox = inbox
        self._n_slots, self._worker = own_slots.n_slots(self._slots_at_most, setup.slots), None
        self._verdicts = None if setup.verdicts is None else Steps(*setup.verdicts.parts)
        self._mail = _Mailbox(inbox)
        try:
            async with anyio.create_task_group() as delivery:
                delivery.start_soon(self._mail.deliver)
                try:
                    async with anyio.create_task_group() as tasks:
                        self._tasks = tasks
                        tasks.start_soon(self._build)
                        try:
                            yield
                        finally:
                            for port in list(self._ports.values()):
                                port.kill(setup.grace_s)
                            tasks.cancel_scope.cancel()
                finally:
                    self._mail.is_open.cancel()
        finally:
            self._mail.close()

    def launch(self, job: Job) -> None:
        job_id = JobId(job.trial, job.attempt)
        self._ports[job_id] = port = _ThreadPort(job_id, self._mail, self._setup.folders)
        self._inbox.post(Started(*job_id))
        self._tasks.start_soon(self._attempt, job, port)

    def resize(self, slots: int) -> None:
        """Have so many slots from now on."""
        self._n_slots = slots
        if self._worker is not None:
            self._inbox.post(SlotsChanged(self._worker, slots))

    def kill(self, job: JobId, grace_s: float) -> None:
        port = self._ports.get(job)
        if port is None:
            self._inbox.post(Killed(*job))
        else:
            port.kill(grace_s)

    def answer(self, job: JobId, answer: Answer) -> None:
        port = self._ports.get(job)
        if port is not None:
            port.answers.put(answer)

    async def _build(self) -> None:
        """Build a class off the loop: it may load data."""
        error = await self._in_thread(lambda: built(self._call_objective), "asyncsweep-build")
        if error is not None:
            self._inbox.post(ExecutorFailed(error))
        else:
            self._worker = new_worker("thread")
            self._inbox.post(WorkerJoined(self._worker, self._n_slots))

    async def _attempt(self, job: Job, port: _ThreadPort) -> None:
        trial = Trial(port, job.trial, job.attempt, own(job.params), self._setup.objective.metrics, self._verdicts)
        outcome: ends.Outcome | None = None
        with port.scope:
            outcome = await self._in_thread(lambda: self._call(trial), f"asyncsweep-trial-{job.trial}")
        self._mail.empty()
        port.closed = True
        del self._ports[port.job]
        if outcome is not None:
            self._inbox.post(event_of(port.job, outcome))
        if port.is_killed:
            self._inbox.post(Killed(*port.job))

    async def _in_thread(self, call: Callable[[], T], name: str) -> T:
        """What a call gives that raises nothing; left by a cancellation, it runs on and nobody hears of it."""
        returned: _Returned[T] = _Returned()

        def run() -> None:
            returned.value = call()
            self._mail.put(returned)

        threading.Thread(target=copy_context().run, args=(run,), name=name, daemon=True).start()
        await returned.is_here.wait()
        return returned.value

    def _call(self, trial: Trial) -> ends.Outcome | None:
        CURRENT.set(trial)
        try:
            returned = self._call_objective(trial)
        except TrialKilled:
            return None
        except (
            BaseException
        ) as error:  # sys.exit and KeyboardInterrupt raised here end the trial, not its thread unheard
            return ends.raised(error)
        return ends.finished(returned, self._setup.objective.metrics)


class _Returned(Generic[T]):
    """What a thread's call gave; it travels with the mail, behind all that the call said."""

    value: T

    def __init__(self) -> None:
        self.is_here = anyio.Event()


class _Mailbox:
    """Events on their way from threads to the loop.

    Attributes:
        is_open: Cancelled to end the delivery, which outlives a cancelled sweep: killed trials still come back.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.is_open = anyio.CancelScope(shield=True)
        self._inbox = inbox
        self._mail: deque[Event | _Returned[Any]] = deque()
        self._is_rung = False
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)

    def put(self, mail: Event | _Returned[Any]) -> None:
        """From any thread."""
        self._mail.append(mail)
        if not self._is_rung:
            self._is_rung = True
            with suppress(OSError):  # closed: the sweep has ended and nobody reads mail any more
                self._there.send(b"\0")

    async def deliver(self) -> None:
        with self.is_open:
            while True:
                await anyio.wait_readable(self._here)
                self._here.recv(4096)
                self._is_rung = False
                self.empty()

    def empty(self) -> None:
        events: list[Event] = []
        while self._mail:
            mail = self._mail.popleft()
            if isinstance(mail, _Returned):
                mail.is_here.set()
            else:
                events.append(mail)
        if events:
            self._inbox.post(*events)

    def close(self) -> None:
        self._here.close()
        self._there.close()


class _ThreadPort:
    """The port of one attempt in a thread."""

    def __init__(self, job: JobId, mail: _Mailbox, folders: str) -> None:
        self.job = job
        self._folders = folders
        self.answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        # Left only by the thread's return or, after a kill, by its deadline; a cancelled sweep kills first.
        self.scope = anyio.CancelScope(shield=True)
        self.is_killed = False
        self.closed = False
        self._mail = mail
        self._asking = threading.Lock()  # one question at a time, so that each thread hears its own answer

    def kill(self, grace_s: float) -> None:
        if not self.is_killed:
            self.is_killed = True
            self.scope.deadline = anyio.current_time() + grace_s
            self.answers.put(None)

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self._say(Reported(*self.job, step, value, metrics))

    def verdict(self, step: int) -> bool:
        with self._asking:
            self._say(VerdictAsked(*self.job, step))
            return verdict_in(self._hear())

    async def verdict_async(self, step: int) -> bool:
        return self.verdict(step)

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        with self._asking:
            self._say(ParamAsked(*self.job, name, domain_of(name, domain)))
            return value_in(self._hear())

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return self.suggest(name, domain)

    def set_attr(self, key: str, value: Any) -> None:
        self._say(AttrSet(*self.job, key, attr_of(key, value)))

    def set_constraint(self, name: str, value: float) -> None:
        self._say(ConstraintSet(*self.job, name, value))

    def folder(self) -> str:
        self._check_wanted()  # an abandoned thread must not make anew what went with the run
        return self._folders

    def _say(self, event: Event) -> None:
        self._check_wanted()
        self._mail.put(event)

    def _check_wanted(self) -> None:
        if self.is_killed or self.closed:
            raise TrialKilled

    def _hear(self) -> Answer:
        answer = self.answers.get()
        if answer is None:
            raise TrialKilled
        return answer
