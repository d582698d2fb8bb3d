"""One worker process and the talk with it."""

from __future__ import annotations

import logging
import os
import random
import reprlib
import secrets
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import anyio
import anyio.abc
import msgspec

from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.core.events import (
    AttrSet,
    ConstraintSet,
    Event,
    Failed,
    Finished,
    ParamAsked,
    Pruned,
    Reported,
    SeriesReported,
    SeriesUpForVerdict,
    VerdictAsked,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import TrialError, WorkerLost
from asyncsweep.executors.limits import UNLIMITED, Limits, is_worn
from asyncsweep.executors.pass_env import explained
from asyncsweep.executors.values import attr_of, domain_of
from asyncsweep.hooks.contracts import Answer, Inbox, Job, Setup
from asyncsweep.link.child import Child, start
from asyncsweep.link.path import search_path
from asyncsweep.link.stream import MessageStream, StreamError
from asyncsweep.wire.messages import (
    ATTR_SET,
    CONSTRAINT_SET,
    FAILED,
    FINISHED,
    HELLO,
    LAUNCH,
    PARAM,
    PARAM_ASKED,
    PROTOCOL,
    PRUNED,
    READY,
    REPORTED,
    SERIES_REPORTED,
    SERIES_UP_FOR_VERDICT,
    SETUP,
    SHUTDOWN,
    UNKEPT,
    UNREADY,
    VERDICT,
    VERDICT_ASKED,
)
from asyncsweep.worker.capture import Capture, Output, look, output_name
from asyncsweep.worker.claims import Claims
from asyncsweep.worker.values import check_constraint

LOG_LIMIT_BYTES = 16 * 2**20
# The largest message of a worker. As an event it may take 3 times as much, and has to fit into a record of the journal.
REPORT_LIMIT_BYTES = 4 * 2**20
_EXIT_S = 2.0
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

log = logging.getLogger("asyncsweep")

_BESIDE_TRIALS = frozenset((READY, UNREADY, HELLO))
_SAYS: dict[int, type[Event]] = {
    VERDICT_ASKED: VerdictAsked,
    PARAM_ASKED: ParamAsked,
    ATTR_SET: AttrSet,
    CONSTRAINT_SET: ConstraintSet,
}
# The most frequent ones, by far.
_REPORTS: dict[int, type[Event]] = {
    REPORTED: Reported,
    SERIES_REPORTED: SeriesReported,
    SERIES_UP_FOR_VERDICT: SeriesUpForVerdict,
}
_ENDS: dict[int, type[Event]] = {FINISHED: Finished, PRUNED: Pruned, FAILED: Failed}


# Tells attempts on one link apart. The link itself is private to us and the worker, so these need not be unguessable for
# the worker they are given to, and asking the system for each would cost more than the rest of a launch.
_secrets = random.Random(secrets.randbits(128))


def _new_secret() -> int:
    return _secrets.getrandbits(63)


class _Next(NamedTuple):
    """A job that waits at a busy worker."""

    job: Job
    secret: int
    place: int
    log: str | None


class WorkerProcess:
    """A child process from its start to its end.

    Args:
        setup: What it is told first.
        inbox: Where its reports go.
        on_ready: Called when it has loaded the objective and waits.
        on_end: Called when an attempt has ended, with the job and what it said last, its outcome at the end. It gives what is to
            be told now: that goes together with what else was heard at the same time.
        max_trials: After so many it is sent home; None means never.
        limits: What an attempt may take; it is sent home when little of that is left for the next one.
        pass_env: The environment variables that it gets besides those that every child gets.
        name: The worker's name in the journal, which its output file bears; "" leaves the file without one.
        on_unkept: Called when what an attempt printed cannot be kept, with the reason.
        claims: Tells who has an attempt that waits here; None where none may.
        env: Environment variables that it gets whatever ours are.

    Attributes:
        is_ready: True while it can take a job.
        ahead: How many attempts may wait here while another one runs.
        was_ready: True once it could.
        retired: True once it was sent home.
        fault: Why it cannot load the objective; None otherwise.
        kind: The class of the error that an attempt ends in which was lost with it.
    """

    def __init__(
        self,
        setup: Setup,
        inbox: Inbox,
        on_ready: Callable[[], None],
        on_end: Callable[[Job, list[Event]], list[Event]],
        max_trials: int | None,
        limits: Limits = UNLIMITED,
        pass_env: tuple[str, ...] = (),
        name: str = "",
        on_unkept: Callable[[str], None] = log.warning,
        claims: Claims | None = None,
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._setup = setup
        self._inbox = inbox
        self._on_ready = on_ready
        self._on_end = on_end
        self._trials_left = max_trials
        self._limits = limits
        self._pass_env = pass_env
        self._name = name
        self._on_unkept = on_unkept
        self._claims = claims
        self._places = iter(()) if claims is None else claims.places()
        self._next: _Next | None = None
        self.ahead = 0
        self._env = env
        self._verdict: str | None = None
        self._child: Child | None = None
        self._stream: MessageStream | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._hello = secrets.token_hex(16)
        self._greeted = False
        self._job: Job | None = None
        self._secret = 0
        self._log: str | None = None
        self._log_fd: int | None = None
        self._output_path: Path | None = None
        self._closing = False
        self._leaves = False
        self.is_ready = False
        self.was_ready = False
        self.retired = False
        self.fault: ErrorInfo | None = None
        self.kind = WorkerLost.__name__

    @property
    def pid(self) -> int:
        """The process id of its guard; 0 while it is not started."""
        return 0 if self._child is None else self._child.pid

    @property
    def attempt(self) -> int | None:
        """Tells the attempt that it runs from all others; None when there is none, or it is condemned."""
        return self._secret if self._job is not None and self.is_ready and self._verdict is None else None

    async def run(self) -> str:
        """Start the process and serve it until it has ended; gives how it ended.

        Raises:
            OSError: It cannot be started.
        """
        self._open_log()
        try:
            self._child = child = await self._start()
            reason = "its end was not seen"
            try:
                async with anyio.create_task_group() as tasks:
                    self._tasks = tasks
                    self._stream = self._talk(child, tasks)
                    self._greet()
                    if self._closing:
                        self.close()
                    tasks.start_soon(self._read)
                    await child.wait()
                    self._last_words()
                    tasks.cancel_scope.cancel()
            finally:
                self.is_ready = False
                if self._stream is not None:
                    self._stream.close()
                reason = child.reap()
            if self._verdict is not None:
                return self._verdict
            return reason if self.fault is None else f"{self.fault.message} ({reason})"
        finally:
            self._collect_log()

    async def _start(self) -> Child:
        """The process. A subclass may start it elsewhere, as something that is used as a `Child` is."""
        claims = () if self._claims is None else (self._claims.fd,)
        return await start("asyncsweep.worker", self._log_fd, self._pass_env, claims, self._env)

    def _talk(self, child: Child, tasks: anyio.abc.TaskGroup) -> MessageStream:
        """The link to the process. A subclass may have another one, as something that is used as a `MessageStream` is."""
        return MessageStream(child.sock, tasks, self._take, REPORT_LIMIT_BYTES)

    def start_job(self, job: Job) -> None:
        self._job = job
        self._secret = _new_secret()
        path = self._log = self._path_of(job)
        self._send((LAUNCH, self._secret, job.trial, job.attempt, job.params, path, None))

    def queue_job(self, job: Job) -> None:
        """Have a job begin by itself when the one that runs has ended."""
        self._next = _Next(job, _new_secret(), next(self._places), self._path_of(job))
        self._send((LAUNCH, self._next.secret, job.trial, job.attempt, job.params, self._next.log, self._next.place))

    def take_back(self) -> bool:
        """Have the job that waits never begin; False when it has, or none waits."""
        if self._next is None or self._claims is None or not self._claims.take(self._next.place):
            return False
        self._next = None
        return True

    def answer(self, answer: Answer) -> None:
        if isinstance(answer, AnswerVerdict):
            self._send((VERDICT, self._secret, answer.step, answer.prune))
        else:
            error = None if answer.error is None else str(answer.error)
            self._send((PARAM, self._secret, answer.name, answer.value, error))

    def output(self, offset: int, limit_bytes: int) -> Output | None:
        """A piece of what the attempt here has printed; None without a place for output."""
        if self._log_fd is None:
            return None
        return look(self._log_fd, LOG_LIMIT_BYTES, offset, limit_bytes)

    def terminate(self, grace_s: float) -> None:
        """End the process: politely, and by force after `grace_s`."""
        if self._child is not None and self._tasks is not None:
            self._child.signal_group(signal.SIGTERM)
            self._tasks.start_soon(self._kill_after, grace_s)

    def kill(self) -> None:
        """End the process and its group by force."""
        if self._child is not None:
            self._child.signal_group(signal.SIGKILL)

    def condemn(self, kind: str, reason: str, grace_s: float | None = None) -> None:
        """End the process for what its attempt did, which is lost with it, whatever it still says.

        Args:
            kind: The class of the error that the attempt ends in.
            reason: The error's message.
            grace_s: As for `terminate`; None means by force at once.
        """
        if self._verdict is not None:
            return
        self.take_back()
        self.kind, self._verdict = kind, reason
        self._secret = _new_secret()
        if grace_s is None:
            self.kill()
        else:
            self.terminate(grace_s)

    def close(self) -> None:
        """Send an idle process home; end a busy one politely."""
        self._closing = True
        if self._child is None:
            return
        self.take_back()
        self._send((SHUTDOWN,))
        if self._job is not None or not self.was_ready:
            self._child.signal_group(signal.SIGTERM)

    # -- the talk -----------------------------------------------------------------------------------------------------

    def _send(self, message: tuple[Any, ...]) -> None:
        if self._stream is not None:
            self._stream.send(message)

    def _greet(self) -> None:
        objective, verdicts = self._setup.objective, self._setup.verdicts
        self._send((HELLO, PROTOCOL, self._hello))
        self._send(
            (
                SETUP,
                search_path(),
                objective.target,
                objective.pickled,
                objective.names,
                objective.required,
                objective.metrics,
                None if verdicts is None else verdicts.parts,
                None if self._log_fd is None else LOG_LIMIT_BYTES,
                self._setup.folders,
                None if self._claims is None else self._claims.fd,
            )
        )

    async def _read(self) -> None:
        assert self._stream is not None and self._child is not None
        try:
            await self._stream.read()
        except StreamError as error:
            self.fault = self.fault or ErrorInfo("StreamError", str(error))
            self.kill()
        # The link is closed: the process has this long to end by itself.
        await anyio.sleep(_EXIT_S)
        self.kill()

    def _last_words(self) -> None:
        """What arrived before the process ended is still heard."""
        assert self._stream is not None
        try:
            self._stream.read_now()
        except StreamError:
            return  # cut off in the middle of a message by its end

    def _take(self, messages: list[list[Any]]) -> None:
        """Turn messages into events, told together. A message that is out of place, or of another attempt, is dropped."""
        events: list[Event] = []
        try:
            for message in messages:
                job, report = self._job, _REPORTS.get(message[0])
                if report is not None and job is not None and len(message) > 1 and message[1] == self._secret:
                    event = _event(message, job, report)
                    if event is None:
                        raise _misshapen(message)
                    events.append(event)
                else:
                    events = self._take_other(message, job, events)
        finally:  # what was said before one that is no message is heard
            if events:
                self._inbox.post(*events)

    def _take_other(self, message: list[Any], job: Job | None, events: list[Event]) -> list[Event]:
        """Turn a message that is no report into an event, behind those of the messages before it; gives what is to be told then."""
        tag = message[0]
        if tag in _BESIDE_TRIALS:
            self._prepare(message)
        elif tag == SHUTDOWN:
            self._leaves = True
        elif job is None or len(message) < 2 or message[1] != self._secret:
            pass
        elif (ending := _ENDS.get(tag)) is not None:
            event = _event(message, job, ending) or _garbage(message, job)
            if isinstance(event, Failed):
                event.error = explained(event.error, self._pass_env)
            events.append(event)
            return self._end(job, events)
        elif (kind := _SAYS.get(tag)) is not None:
            said = self._said(message, job, kind)
            if said is not None:
                events.append(said)
        elif tag == UNKEPT:
            self._unkept(message)
        return events

    def _said(self, message: list[Any], job: Job, kind: type[Event]) -> Event | None:
        """The report or question that a message is; None for a question that is answered here.

        Raises:
            StreamError: It is neither.
        """
        if kind is ParamAsked and len(message) == 4 and isinstance(message[2], str):
            try:
                return ParamAsked(job.trial, job.attempt, message[2], domain_of(message[2], message[3]))
            except TrialError as error:
                self._send((PARAM, self._secret, message[2], None, str(error)))
                return None
        event = _event(message, job, kind)
        if event is None:
            raise _misshapen(message)
        try:
            if isinstance(event, AttrSet):
                event.value = attr_of(event.key, event.value)
            elif isinstance(event, ConstraintSet):
                check_constraint(event.name, event.value)
        except (TypeError, ValueError) as error:
            raise StreamError(str(error)) from error
        return event

    def _unkept(self, message: list[Any]) -> None:
        number = message[2] if len(message) == 3 else None
        if not isinstance(number, int) or not 0 < number < 1000:
            raise _misshapen(message)
        self._on_unkept(f"{self._log} cannot be written: {os.strerror(number)}")

    def _prepare(self, message: list[Any]) -> None:
        if message[0] == HELLO:
            self._greeted = message == [HELLO, PROTOCOL, self._hello]
        elif not self._greeted:
            raise StreamError("the worker did not say hello")
        elif message[0] == UNREADY:
            is_first = self.fault is None and not self.was_ready
            try:
                self.fault = explained(msgspec.convert(message[1:], ErrorInfo), self._pass_env)
            except msgspec.ValidationError as error:
                raise _misshapen(message) from error
            if is_first and self._tasks is not None:  # a thread of what it has imported may keep it for ever
                self._tasks.start_soon(self._kill_after, _EXIT_S)
        elif not self.was_ready:
            self.was_ready = self.is_ready = True
            self.ahead = int(message[1:] == [1])
            self._on_ready()

    def _end(self, job: Job, events: list[Event]) -> list[Event]:
        self._job = None
        if self._next is not None:  # which begins now, by itself
            self._job, self._secret, _, self._log = self._next
            self._next = None
        if self._trials_left is not None:
            self._trials_left -= 1
        if self._leaves or self._trials_left == 0 or is_worn(self.pid, self._limits):
            self.is_ready = False
            self.retired = True
            self._send((SHUTDOWN,))
            assert self._tasks is not None
            self._tasks.start_soon(self._kill_after, max(_EXIT_S, self._setup.grace_s))
        return self._on_end(job, events)

    async def _kill_after(self, grace_s: float) -> None:
        await anyio.sleep(grace_s)
        self.kill()

    # -- what the objective prints ------------------------------------------------------------------------------------

    def _open_log(self) -> None:
        """A place for the process's output; without a directory it goes where ours goes.

        It bears the worker's name while the process lives. If we are killed, the sweep that goes on finds by it whose output it is.
        """
        directory = self._setup.directory
        if directory is None:
            return
        if self._name:
            path = directory / output_name(self._name)
            with suppress(OSError):  # a folder has its place, for example: then it has no name
                path.unlink(missing_ok=True)
                self._log_fd = os.open(path, _NEW, 0o600)
                self._output_path = path
                return
        path = directory / output_name(secrets.token_hex(4))
        self._log_fd = os.open(path, _NEW, 0o600)
        os.unlink(path)

    def _path_of(self, job: Job) -> str | None:
        if self._setup.directory is None:
            return None
        # For every trial: joining texts costs a tenth of what joining paths does.
        return f"{self._setup.directory}/trials/{job.trial}/attempt-{job.attempt}.log"

    def _collect_log(self) -> None:
        """What a process printed last, and did not collect itself, belongs to the attempt that it died in."""
        if self._log_fd is not None:
            try:
                path = None if self._job is None else self._log
                Capture(self._log_fd, LOG_LIMIT_BYTES, path).collect()
            except OSError as error:
                self._on_unkept(f"{self._log} cannot be written: {error.strerror or error}")
            finally:
                if self._output_path is not None:
                    _remove_own(self._output_path, self._log_fd)
                os.close(self._log_fd)
                self._log_fd = None


def _remove_own(path: Path, fd: int) -> None:
    """Remove the open file's name, unless another file has it by now: the directory may be a later sweep's."""
    with suppress(OSError):
        if os.path.samestat(os.lstat(path), os.fstat(fd)):
            os.unlink(path)


def _event(message: list[Any], job: Job, kind: type[Event]) -> Event | None:
    """The event that a message is; None when its fields have the wrong number or types."""
    try:
        return msgspec.convert([message[0], job.trial, job.attempt, *message[2:]], kind)
    except (msgspec.ValidationError, OverflowError, RecursionError):
        return None


def _misshapen(message: list[Any]) -> StreamError:
    return StreamError(f"a message has a wrong shape: {reprlib.repr(message)}")


def _garbage(message: list[Any], job: Job) -> Event:
    error = ErrorInfo("StreamError", f"the worker sent an outcome that has a wrong shape: {reprlib.repr(message)}")
    return Failed(job.trial, job.attempt, error)
