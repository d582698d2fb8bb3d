"""Trials on the application's own event loop, for objectives that are `async def`.

A fixed number of runner tasks takes the jobs, not a task per trial. A runner that ends a trial posts its outcome and finds
its next job in the queue when `post` returns, so that trials that never wait cost no task switch; to keep the host's loop
alive a runner steps aside whenever trials ran for `_TURN_S` without a pause.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import anyio.lowlevel

from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.core.events import (
    AttrSet,
    ConstraintSet,
    Event,
    ExecutorFailed,
    Killed,
    ParamAsked,
    Reported,
    Started,
    VerdictAsked,
    WorkerJoined,
)
from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.outcome import built, event_of, value_in, verdict_in
from asyncsweep.executors.values import attr_of, domain_of, own
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker import outcome as ends
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial

_TURN_S = 0.001


class InlineExecutor:
    """Runs `async def` objectives on this loop."""

    remote = False
    runs: Literal["async", "sync", "both"] = "async"

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._ports: dict[JobId, _InlinePort] = {}
        self._scopes: dict[JobId, anyio.CancelScope] = {}
        self._to_kill: set[JobId] = set()
        self._idle: list[anyio.Event] = []
        self._returning = 0

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._setup = setup
        self._inbox = inbox
        self._verdicts = None if setup.verdicts is None else Steps(*setup.verdicts.parts)
        assert setup.call is not None
        if not setup.call.is_async:
            raise ConfigError(
                "executor='inline': it runs on the event loop and needs an `async def` objective; "
                "for a plain function use executor='process' or 'thread'"
            )
        self._call = setup.call
        self._host_is_cancelled = _cancellation_of_this_task()
        self._jobs.clear()
        fault = built(self._call)
        async with anyio.create_task_group() as tasks:
            for _ in range(setup.slots):
                tasks.start_soon(self._run)
            inbox.post(WorkerJoined(new_worker("inline"), setup.slots) if fault is None else ExecutorFailed(fault))
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def launch(self, job: Job) -> None:
        self._jobs.append(job)
        if len(self._jobs) > self._returning and self._idle:
            self._idle.pop().set()

    def kill(self, job: JobId, grace_s: float) -> None:
        for queued in self._jobs:
            if (queued.trial, queued.attempt) == job:
                self._jobs.remove(queued)
                self._inbox.post(Killed(*job))
                return
        scope = self._scopes.get(job)
        if scope is None:
            self._inbox.post(Killed(*job))
        else:
            self._to_kill.add(job)
            scope.cancel()

    def answer(self, job: JobId, answer: Answer) -> None:
        port = self._ports.get(job)
        if port is not None:
            port.answered(answer)

    async def _run(self) -> None:
        while True:
            with anyio.CancelScope() as scope:
                await self._work(scope)

    async def _work(self, scope: anyio.CancelScope) -> None:
        """Run jobs until one is killed: then this scope is used up."""
        turn_ends = time.monotonic() + _TURN_S
        while True:
            while not self._jobs:
                wake = anyio.Event()
                self._idle.append(wake)
                try:
                    await wake.wait()
                finally:
                    if wake in self._idle:
                        self._idle.remove(wake)
                turn_ends = time.monotonic() + _TURN_S
            job = self._jobs.popleft()
            job_id = JobId(job.trial, job.attempt)
            self._scopes[job_id] = scope
            event = await self._attempt(job, job_id)
            del self._scopes[job_id]
            self._post(event)
            if job_id in self._to_kill:
                self._to_kill.remove(job_id)
                if not isinstance(event, Killed):
                    self._post(Killed(*job_id))
                return
            if time.monotonic() > turn_ends:
                await anyio.lowlevel.checkpoint()
                turn_ends = time.monotonic() + _TURN_S

    def _post(self, event: Event) -> None:
        self._returning += 1
        try:
            self._inbox.post(event)
        finally:
            self._returning -= 1

    async def _attempt(self, job: Job, job_id: JobId) -> Event:
        setup = self._setup
        port = self._ports[job_id] = _InlinePort(self._inbox, job_id, setup.folders)
        trial = Trial(port, job.trial, job.attempt, own(job.params), setup.objective.metrics, self._verdicts)
        token = CURRENT.set(trial)
        self._inbox.post(Started(job.trial, job.attempt))
        try:
            returned = await self._call(trial)
        except Exception as error:  # whatever an objective raises becomes data of its trial
            outcome = ends.raised(error)
        except BaseException as error:
            cancelled, must_pass = _kinds(error)
            if cancelled and job_id in self._to_kill:
                return Killed(job.trial, job.attempt)
            if must_pass or (cancelled and self._is_ending()):
                raise
            outcome = ends.raised(error)  # sys.exit, or a cancellation that is the objective's own
        else:
            outcome = ends.finished(returned, setup.objective.metrics)
        finally:
            del self._ports[job_id]
            CURRENT.reset(token)
        return event_of(job_id, outcome)

    def _is_ending(self) -> bool:
        """Whether a cancellation is the sweep's, not the objective's own."""
        return anyio.current_effective_deadline() == float("-inf") or self._host_is_cancelled()


def _cancellation_of_this_task() -> Callable[[], bool]:
    """Tells whether the task that runs now has been cancelled by asyncio itself, which no scope knows of.

    The end of `asyncio.run` cancels every task at once, ours among them. Of a runner's task alone that would say nothing: an
    objective may cancel the task that it finds itself in.
    """
    import asyncio  # 30 ms that an application on trio need not pay before it begins

    try:
        task = asyncio.current_task()
    except RuntimeError:  # another event loop
        task = None
    return lambda: task is not None and task.cancelling() > 0


def _kinds(error: BaseException) -> tuple[bool, bool]:
    """Whether an exception, or one of its group, is a cancellation; and whether it is Ctrl-C, which nobody may swallow."""
    if isinstance(error, BaseExceptionGroup):
        parts = [_kinds(part) for part in error.exceptions]
        return any(cancelled for cancelled, _ in parts), any(must_pass for _, must_pass in parts)
    return isinstance(error, anyio.get_cancelled_exc_class()), isinstance(error, KeyboardInterrupt | GeneratorExit)


class _InlinePort:
    """Posts straight into the inbox. An answer that is there when `post` returns needs no waiting."""

    def __init__(self, inbox: Inbox, job: JobId, folders: str) -> None:
        self._inbox = inbox
        self._job = job
        self._folders = folders
        self._answers: dict[int | str, Answer] = {}
        self._waiting: dict[int | str, _Question] = {}

    def answered(self, answer: Answer) -> None:
        key = answer.step if isinstance(answer, AnswerVerdict) else answer.name
        question = self._waiting.pop(key, None)
        if question is None:
            self._answers[key] = answer
        else:
            question.answer = answer
            question.is_answered.set()

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self._inbox.post(Reported(*self._job, step, value, metrics))

    def verdict(self, step: int) -> bool:
        self._inbox.post(VerdictAsked(*self._job, step))
        return verdict_in(self._taken(step, "should_prune"))

    async def verdict_async(self, step: int) -> bool:
        return verdict_in(await self._asked(step, VerdictAsked(*self._job, step)))

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        self._inbox.post(ParamAsked(*self._job, name, domain_of(name, domain)))
        return value_in(self._taken(name, f"suggest_{domain['type']}"))

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return value_in(await self._asked(name, ParamAsked(*self._job, name, domain_of(name, domain))))

    def set_attr(self, key: str, value: Any) -> None:
        self._inbox.post(AttrSet(*self._job, key, attr_of(key, value)))

    def set_constraint(self, name: str, value: float) -> None:
        self._inbox.post(ConstraintSet(*self._job, name, value))

    def folder(self) -> str:
        return self._folders

    def _taken(self, key: int | str, call: str) -> Answer:
        if key not in self._answers:
            raise TrialError(
                f"trial.{call}() cannot wait on the event loop that runs the sweep, and its answer comes from another "
                f"process: use `await trial.{call}_async()`, or executor='thread' or 'process'"
            )
        return self._answers.pop(key)

    async def _asked(self, key: int | str, asking: Event) -> Answer:
        """The answer; whoever asks while the same question is open waits for the same answer: there is only one."""
        question = self._waiting.get(key)
        if question is None:
            self._inbox.post(asking)
            if key in self._answers:
                return self._answers.pop(key)
            question = self._waiting[key] = _Question()
        await question.is_answered.wait()
        assert question.answer is not None
        return question.answer


class _Question:
    """An open question of one attempt, and all who wait for its answer."""

    def __init__(self) -> None:
        self.is_answered = anyio.Event()
        self.answer: Answer | None = None
