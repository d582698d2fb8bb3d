"""A worker process on a host, used as a local one is: the talk is the same, the bytes take another way."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.abc

from asyncsweep.executors.worker import LOG_LIMIT_BYTES, REPORT_LIMIT_BYTES, WorkerProcess
from asyncsweep.link.child import Child
from asyncsweep.link.stream import MessageStream
from asyncsweep.wire.messages import LAUNCH, SETUP
from asyncsweep.wire.stream import Decoder, StreamError, pack
from asyncsweep.worker.capture import Output
from asyncsweep_ssh import frames
from asyncsweep_ssh.tail import Tail

if TYPE_CHECKING:
    from asyncsweep_ssh.line import Line


class RemoteWorker(WorkerProcess):
    """A worker process at the other end of a line.

    Where it is used as a `WorkerProcess`, all else is the same: what it is told, what it says, and what that means.
    """

    line: Line
    environment: dict[str, str]
    on_begun: Callable[[], None]
    on_took: Callable[[int, bool], None]

    def at(
        self,
        line: Line,
        environment: dict[str, str],
        on_begun: Callable[[], None],
        on_took: Callable[[int, bool], None],
    ) -> RemoteWorker:
        """Say where it is to be started, with which variables besides those of the host, and who hears of its jobs."""
        self.line, self.environment, self.on_begun, self.on_took = line, environment, on_begun, on_took
        self._tail: tuple[int, Tail] | None = None
        return self

    def begun(self, secret: int) -> None:
        """The host has handed a job to its worker."""
        if secret == self._secret and self._job is not None:
            self.on_begun()

    def printed(self, secret: int, offset: int, data: bytes) -> None:
        """A piece of what an attempt prints; of one that has ended meanwhile it is dropped."""
        if self._tail is None or self._tail[0] != secret:
            is_of = self._job is not None and secret == self._secret
            if not is_of and (self._next is None or secret != self._next.secret):
                return
            self._tail = (secret, Tail())
        self._tail[1].add(offset, data)

    def output(self, offset: int, limit_bytes: int) -> Output | None:
        """What the host has shown of it so far."""
        if self._setup.directory is None or self._job is None:
            return None
        tail = self._tail[1] if self._tail is not None and self._tail[0] == self._secret else Tail()
        return tail.look(offset, limit_bytes)

    def ask_back(self) -> int | None:
        """Ask the host to have the job that waits never begin; gives its place, by which the answer comes."""
        if self._next is None:
            return None
        self.line.send(frames.TAKE_BACK, self._name, self._next.secret, self._next.place)
        return self._next.place

    def was_taken_back(self) -> None:
        """The job that waits never begins."""
        self._next = None

    def has_nothing(self) -> None:
        """The job that it was taken to run was taken back from it before it began."""
        self._job = None

    async def _start(self) -> Child:
        return cast(Child, RemoteChild(self.line, self._name, self.environment, self))

    def _talk(self, child: Child, tasks: anyio.abc.TaskGroup) -> MessageStream:
        remote = cast(RemoteChild, child)
        stream = RemoteStream(self.line, self._name, tasks, self._take)
        remote.stream = stream
        return cast(MessageStream, stream)

    def _open_log(self) -> None:
        """What it prints is kept there, and comes back as a log."""


class RemoteChild:
    """What a `Child` is, on a host.

    Attributes:
        pid: 0: no process of this machine is meant.
        stream: Where what it says arrives.
    """

    pid = 0

    def __init__(
        self,
        line: Line,
        name: str,
        environment: dict[str, str],
        worker: RemoteWorker,
    ) -> None:
        self.on_begun = worker.begun
        self.on_took = worker.on_took
        self.on_printed = worker.printed
        self._line = line
        self._name = name
        self._ended = anyio.Event()
        self._reason = ""
        self.stream: RemoteStream | None = None
        line.add(name, self)
        line.send(frames.START, name, environment)

    async def wait(self) -> None:
        await self._ended.wait()

    def signal_group(self, number: signal.Signals) -> None:
        self._line.send(frames.SIGNAL, self._name, "KILL" if number == signal.SIGKILL else "TERM")

    def reap(self) -> str:
        self._line.remove(self._name)
        return self._reason or "its end was not seen"

    # -- for the line -------------------------------------------------------------------------------------------------

    def said(self, data: bytes) -> None:
        if self.stream is not None:
            self.stream.take(data)

    def ended(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self.stream is not None:
            self.stream.end()
        self._ended.set()


class RemoteStream:
    """What a `MessageStream` is, over a line that others share."""

    def __init__(
        self,
        line: Line,
        name: str,
        tasks: anyio.abc.TaskGroup,
        on_messages: Callable[[list[list[Any]]], None],
    ) -> None:
        self._line = line
        self._name = name
        self._tasks = tasks
        self._on_messages = on_messages
        self._decoder = Decoder(REPORT_LIMIT_BYTES)
        self._fault: StreamError | None = None
        self._over = anyio.Event()
        self._waiting: list[tuple[Any, ...]] = []

    def send(self, message: tuple[Any, ...]) -> None:
        """Send a message; the two that name places of this machine name those of the host."""
        if message[0] == SETUP:
            self._line.set_up(self._name, self._translated(message))
        elif message[0] == LAUNCH:
            self._launch(message)
        else:
            self._line.send(frames.TO_WORKER, self._name, pack(message))

    async def read(self) -> None:
        """Wait until nothing more is to be heard.

        Raises:
            StreamError: The other end sent something that is no message.
        """
        await self._over.wait()
        if self._fault is not None:
            raise self._fault

    def read_now(self) -> bool:
        """Everything that arrived was handed over already."""
        return False

    def close(self) -> None:
        self._over.set()

    # -- for the line -------------------------------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        if self._over.is_set():
            return
        messages: list[list[Any]] = []
        try:
            self._decoder.feed(data)
            messages.extend(self._decoder)
        except StreamError as error:
            self._fault = error
        try:
            if messages:
                self._on_messages(messages)
        except StreamError as error:
            self._fault = self._fault or error
        if self._fault is not None:
            self._over.set()

    def end(self) -> None:
        self._over.set()

    def _translated(self, message: tuple[Any, ...]) -> bytes:
        tag, path, target, pickled, names, required, metrics, verdicts, _, _, *more = message
        there = self._line.search_path(path)
        return pack(
            (
                tag,
                there,
                target,
                pickled,
                names,
                required,
                metrics,
                verdicts,
                LOG_LIMIT_BYTES,
                self._line.folders,
                *more,
            )
        )

    def _launch(self, message: tuple[Any, ...]) -> None:
        self._waiting.append(message)
        if len(self._waiting) > 1:
            return  # the task below comes to it
        if not self._line.files.has_checkpoint(message[2]):
            self._launch_now()
        else:
            self._tasks.start_soon(self._launch_with_checkpoints)

    async def _launch_with_checkpoints(self) -> None:
        while self._waiting:
            await self._line.put_checkpoint(self._waiting[0][2])
            self._launch_now()

    def _launch_now(self) -> None:
        tag, secret, trial, attempt, params, _, *more = self._waiting.pop(0)
        path = f"{self._line.folders}/{trial}/attempt-{attempt}.log"
        self._line.send(frames.JOB, self._name, secret, trial, attempt, any(place is not None for place in more))
        self._line.send(frames.TO_WORKER, self._name, pack((tag, secret, trial, attempt, params, path, *more)))
