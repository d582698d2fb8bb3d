"""Trials on the application's own event loop, for objectives that are `async def`.

A fixed number of runner tasks takes the jobs, not a task per trial. What attempts say is told together: when no job is left,
when an answer is asked for, when trials ran for `_TURN_S` without a pause (then the runner steps aside, to keep the host's loop
alive), and always before another task gets its turn. So trials that never wait cost no task switch, and those that end in one
turn share one wake-up of the driver. One runner is enough for them: of several that have used up their turn one goes on, and the
others sleep. A runner whose trial waits wakes the next one, when jobs are left.
"""

from __future__ import annotations

import time
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Literal

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
    SlotsChanged,
    Started,
    VerdictAsked,
    WorkerJoined,
)
from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.executors import own_slots
from asyncsweep.executors.names import new_worker
from asyncsweep.executors.outcome import built, event_of, value_in, verdict_in
from asyncsweep.executors.values import attr_of, domain_of, own_values
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker import outcome as ends
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial

_TURN_S = 0.0005
# A trial that reports without a pause must not fill the memory.
_MOST_UNTOLD = 64


class InlineExecutor:
    """Runs `async def` objectives on this loop.

    Args:
        slots: How many trials run at a time at most. None: as many as `concurrency` says; beside other executors, one for each
            processor.

    Raises:
        ConfigError: `slots` is no whole number >= 1.
    """

    remote = False
    runs: Literal["async", "sync", "both"] = "async"
    resources: ClassVar[dict[str, object]] = {}

    def __init__(self, slots: int | None = None) -> None:
        self._slots_at_most = own_slots.checked(slots)
        self.own_slots = slots is not None
        self._n_runners = 0
        self._worker: str | None = None
        self._jobs: deque[Job] = deque()
        self._running: dict[tuple[int, int], tuple[anyio.CancelScope, _InlinePort]] = {}
        self._to_kill: set[tuple[int, int]] = set()
        self._idle: list[anyio.Event] = []
        self._untold: list[Event] = []
        self._n_telling = 0
        self._n_aside = 0
        self._turn_ends = self._told_at = 0.0

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._metrics = setup.objective.metrics
        self._folders = setup.folders
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
        self._untold.clear()
        self._begin_turn()
        fault = built(self._call)
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._n_runners, self._worker = 0, None
            slots = own_slots.n_slots(self._slots_at_most, setup.slots)
            self._have_runners(slots)
            if fault is None:
                self._worker = new_worker("inline")
                inbox.post(WorkerJoined(self._worker, slots))
            else:
                inbox.post(ExecutorFailed(fault))
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def _have_runners(self, slots: int) -> None:
        for _ in range(slots - self._n_runners):
            self._tasks.start_soon(self._run)
            self._n_runners += 1

    def resize(self, slots: int) -> None:
        """Have so many slots from now on; a runner too many sleeps."""
        if self._worker is not None:
            self._have_runners(slots)
            self._inbox.post(SlotsChanged(self._worker, slots))

    def launch(self, job: Job) -> None:
        self._jobs.append(job)
        if not self._n_telling:  # else the runner that tells sees to it
            self._wake()

    def kill(self, job: JobId, grace_s: float) -> None:
        self._tell()  # it may have ended
        for queued in self._jobs:
            if (queued.trial, queued.attempt) == job:
                self._jobs.remove(queued)
                self._inbox.post(Killed(*job))
                return
        running = self._running.get(job)
        if running is None:
            self._inbox.post(Killed(*job))
        else:
            self._to_kill.add(job)
            running[0].cancel()

    def answer(self, job: JobId, answer: Answer) -> None:
        running = self._running.get(job)
        if running is not None:
            running[1].answered(answer)

    # -- what is told, and when ---------------------------------------------------------------------------------------

    def say(self, event: Event) -> None:
        """Take what an attempt says; it is told before another task gets its turn."""
        self._untold.append(event)
        if len(self._untold) >= _MOST_UNTOLD:
            self._tell()

    def say_now(self, event: Event) -> None:
        """Tell what an attempt says, and all that was said before."""
        self._untold.append(event)
        self._tell()

    def _tell(self) -> None:
        if self._untold:
            events, self._untold = self._untold, []
            self._n_telling += 1
            try:
                self._inbox.post(*events)
            finally:
                self._n_telling -= 1

    @types.coroutine
    def _telling(self, objective: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run an objective; whenever it waits, all that was said is told before that. As `yield from` does it, step by step."""
        step = partial(objective.send, None)
        while True:
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            self._tell()
            self._wake()
            try:
                sent = yield waits_for
            except GeneratorExit:
                objective.close()
                raise
            except BaseException as error:  # also a cancellation: it is for the objective
                step = partial(objective.throw, error)
            else:
                step = partial(objective.send, sent)

    def _wake(self) -> None:
        """Have one more runner look for jobs, when there are any that no runner comes to by itself."""
        if self._jobs and self._idle and not self._n_aside:
            self._idle.pop().set()

    # -- the runners --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            with anyio.CancelScope() as scope:
                await self._work(scope)

    async def _work(self, scope: anyio.CancelScope) -> None:
        """Run jobs until one is killed: then this scope is used up."""
        while True:
            if not self._jobs:
                self._tell()  # which may bring the next
                if self._jobs and self._would_be_late():
                    await self._pause()
            while not self._jobs:
                await self._woken()
            job = self._jobs.popleft()
            attempt = (job.trial, job.attempt)  # it equals a `JobId`, which takes longer to make
            event = await self._attempt(job, attempt, scope)
            self.say(event)
            if attempt in self._to_kill:
                self._to_kill.remove(attempt)
                if not isinstance(event, Killed):
                    self.say(Killed(*attempt))
                self._tell()
                return
            if time.monotonic() > self._turn_ends:
                self._tell()
                await self._pause()

    def _would_be_late(self) -> bool:
        """Whether as many trials as were just told together would pass the end of the turn: it rather ends between two tellings."""
        now = time.monotonic()
        took_s, self._told_at = now - self._told_at, now
        return now + took_s > self._turn_ends

    async def _pause(self) -> None:
        """The turn is over: step aside, or sleep when another runner does, which is enough to go on."""
        await (self._woken() if self._n_aside else self._step_aside())

    async def _woken(self) -> None:
        wake = anyio.Event()
        self._idle.append(wake)
        try:
            await wake.wait()
        finally:
            if wake in self._idle:
                self._idle.remove(wake)
        self._begin_turn()

    async def _step_aside(self) -> None:
        self._n_aside += 1
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            self._n_aside -= 1
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._told_at = time.monotonic()
        self._turn_ends = self._told_at + _TURN_S

    async def _attempt(self, job: Job, attempt: tuple[int, int], scope: anyio.CancelScope) -> Event:
        port = _InlinePort(self, attempt, self._folders)
        self._running[attempt] = (scope, port)
        trial = Trial(port, job.trial, job.attempt, own_values(job.params), self._metrics, self._verdicts)
        token = CURRENT.set(trial)
        self.say(Started(job.trial, job.attempt))
        try:
            returned = await self._telling(self._call(trial))
        except Exception as error:  # whatever an objective raises becomes data of its trial
            outcome = ends.raised(_beyond_telling(error))
        except BaseException as error:
            cancelled, must_pass = _kinds(error)
            if cancelled and attempt in self._to_kill:
                return Killed(job.trial, job.attempt)
            if must_pass or (cancelled and self._is_ending()):
                self._tell()  # what ended before is known
                raise
            outcome = ends.raised(_beyond_telling(error))  # sys.exit, or a cancellation that is the objective's own
        else:
            outcome = ends.finished(returned, self._metrics)
        finally:
            del self._running[attempt]
            CURRENT.reset(token)
        return event_of(attempt, outcome)

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


def _beyond_telling(error: BaseException) -> BaseException:
    """The error, without the frame of `_telling` in its traceback, which is no user's business."""
    frames = error.__traceback__
    return error if frames is None else error.with_traceback(frames.tb_next or frames)


def _kinds(error: BaseException) -> tuple[bool, bool]:
    """Whether an exception, or one of its group, is a cancellation; and whether it is Ctrl-C, which nobody may swallow."""
    if isinstance(error, BaseExceptionGroup):
        parts = [_kinds(part) for part in error.exceptions]
        return any(cancelled for cancelled, _ in parts), any(must_pass for _, must_pass in parts)
    return isinstance(error, anyio.get_cancelled_exc_class()), isinstance(error, KeyboardInterrupt | GeneratorExit)


class _InlinePort:
    """Says things to the executor. An answer that is there when `say_now` returns needs no waiting."""

    def __init__(self, executor: InlineExecutor, job: tuple[int, int], folders: str) -> None:
        self._executor = executor
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
        self._executor.say(Reported(*self._job, step, value, metrics))

    def verdict(self, step: int) -> bool:
        self._executor.say_now(VerdictAsked(*self._job, step))
        return verdict_in(self._taken(step, "should_prune"))

    async def verdict_async(self, step: int) -> bool:
        return verdict_in(await self._asked(step, VerdictAsked(*self._job, step)))

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        self._executor.say_now(ParamAsked(*self._job, name, domain_of(name, domain)))
        return value_in(self._taken(name, f"suggest_{domain['type']}"))

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return value_in(await self._asked(name, ParamAsked(*self._job, name, domain_of(name, domain))))

    def set_attr(self, key: str, value: Any) -> None:
        self._executor.say(AttrSet(*self._job, key, attr_of(key, value)))

    def set_constraint(self, name: str, value: float) -> None:
        self._executor.say(ConstraintSet(*self._job, name, value))

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
            self._executor.say_now(asking)
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
