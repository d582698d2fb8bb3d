"""A worker may send any bytes: it is lost for it, or a trial of its fails, and the controller never raises."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import anyio
import anyio.abc
import pytest

from asyncsweep.core import events as ev
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.executors.worker import WorkerProcess, _Next
from asyncsweep.hooks.contracts import Job, ObjectiveSpec, Setup
from asyncsweep.journal.format import encode
from asyncsweep.link.stream import MessageStream
from asyncsweep.testing.events import Bench, reported, spec, started, suggested
from asyncsweep.wire import messages as wire
from asyncsweep.wire.stream import Decoder, StreamError, pack

SETUP = Setup(None, ObjectiveSpec("m:f", b"", ("x",), ("x",), ("value",)), 1, None, None, 0.1)
FLOAT = {"type": "float", "low": 0.0, "high": 1.0, "step": None, "log": False}


class Worker:
    """The worker's end of a link whose process does not exist: killing it closes the link."""

    def __init__(self) -> None:
        self.sock, self.end = socket.socketpair()
        self.stream: MessageStream
        self.pid = 0
        self.signals: list[Signals] = []
        self.heard: list[list[Any]] = []
        self._dead = anyio.Event()
        self._news = anyio.Event()

    # what the controller does with a `Child`

    async def wait(self) -> None:
        await self._dead.wait()

    def signal_group(self, number: Signals) -> None:
        self.signals.append(number)
        if number in (SIGKILL, SIGTERM):
            self._dead.set()

    def reap(self) -> str:
        self.sock.close()
        return "killed by SIGKILL"

    # what the test does

    def open(self, tasks: anyio.abc.TaskGroup) -> None:
        self.stream = MessageStream(self.end, tasks, self._hear)
        tasks.start_soon(self.stream.read)

    def say(self, *message: Any) -> None:
        self.stream.send(message)

    def say_bytes(self, data: bytes) -> None:
        self.stream.send_bytes(data)

    async def hear(self, tag: int) -> list[Any]:
        """The first message with this tag."""
        with anyio.fail_after(5):
            while True:
                for message in self.heard:
                    if message[0] == tag:
                        return message
                self._news = anyio.Event()
                await self._news.wait()

    def _hear(self, messages: list[list[Any]]) -> None:
        self.heard += messages
        self._news.set()


class Log:
    """An inbox that keeps events, and waits for them."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._news = anyio.Event()

    def post(self, *events: ev.Event) -> None:
        self.events += events
        self._news.set()

    async def wait_for(self, kind: type[ev.Event]) -> Any:
        with anyio.fail_after(5):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self._news = anyio.Event()
                await self._news.wait()


@asynccontextmanager
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Worker, Log, ProcessExecutor]]:
    """A process executor whose first worker is in the test's hands; further ones never say a word."""
    worker, log, executor = Worker(), Log(), ProcessExecutor()
    workers: list[Worker] = []

    async def start(
        module: str, output: int | None, pass_env: Sequence[str], pass_fds: Sequence[int], env: Mapping[str, str]
    ) -> Worker:
        workers.append(Worker() if workers else worker)
        return workers[-1]

    monkeypatch.setattr("asyncsweep.executors.worker.start", start)
    async with anyio.create_task_group() as tasks:
        worker.open(tasks)
        async with executor.open(SETUP, log):
            yield worker, log, executor
        worker.stream.close()
        for started in workers:
            started.end.close()
        tasks.cancel_scope.cancel()


async def ready(worker: Worker, log: Log, executor: ProcessExecutor) -> int:
    """Bring the worker into the middle of trial 0; gives the attempt's secret."""
    worker.say(wire.HELLO, wire.PROTOCOL, (await worker.hear(wire.HELLO))[2])
    worker.say(wire.READY)
    joined = await log.wait_for(ev.WorkerJoined)
    executor.launch(Job(0, 1, joined.worker, {"x": 0.5}))
    secret = (await worker.hear(wire.LAUNCH))[1]
    assert isinstance(secret, int)
    return secret


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "no MessagePack": lambda _: b"\xc1\xc1",
    "no array": lambda _: b"\x05",
    "an unknown tag and nothing else": lambda secret: pack((99, secret)) + b"\xc1",
    "a report of nothing": lambda secret: pack((wire.REPORTED, secret)),
    "a report of a text": lambda secret: pack((wire.REPORTED, secret, 0, "x", None)),
    "a report at a negative step": lambda secret: pack((wire.REPORTED, secret, -1, 0.5, None)),
    "a report at a step beyond all": lambda secret: pack((wire.REPORTED, secret, 2**63, 0.5, None)),
    "a question without a step": lambda secret: pack((wire.VERDICT_ASKED, secret)),
    "a question for a number": lambda secret: pack((wire.PARAM_ASKED, secret, 5, FLOAT)),
    "an attribute with a number for a key": lambda secret: pack((wire.ATTR_SET, secret, 5, 1)),
    "an attribute that is nested too deep": lambda secret: (
        pack((wire.ATTR_SET, secret, "k"))[:-2].replace(b"\x93", b"\x94", 1)
        + pack(("k",))[1:]
        + b"\x91" * 1000
        + b"\x01"
    ),
    "an attribute that is too large": lambda secret: pack((wire.ATTR_SET, secret, "k", b"x" * 2**21)),
    "a constraint of a text": lambda secret: pack((wire.CONSTRAINT_SET, secret, "c", "0.5")),
    "a constraint of NaN": lambda secret: pack((wire.CONSTRAINT_SET, secret, "c", float("nan"))),
    "a constraint with an endless name": lambda secret: pack((wire.CONSTRAINT_SET, secret, "c" * 2**20, 0.5)),
    "a message that is too large": lambda secret: pack((wire.ATTR_SET, secret, "k", b"x" * 2**23)),
    "an array of billions": lambda _: b"\x92\x10\xdd\xff\xff\xff\xff",
    "unready in a wrong shape": lambda _: pack((wire.UNREADY, 5)),
}


@pytest.mark.anyio
@pytest.mark.parametrize("what", HOSTILE)
async def test_a_worker_that_breaks_the_protocol_is_lost(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        worker.say_bytes(HOSTILE[what](await ready(worker, log, executor)))
        lost = await log.wait_for(ev.WorkerLost)
        assert lost.reason.endswith("(killed by SIGKILL)") and len(lost.reason) < 300
        assert worker.signals[-1] == SIGKILL


@pytest.mark.anyio
async def test_reports_before_the_garbage_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        secret = await ready(worker, log, executor)
        worker.say(wire.REPORTED, secret, 0, 0.5, None)
        assert await log.wait_for(ev.Reported) == reported(0, 0, 0.5)
        worker.say_bytes(b"\xc1")
        await log.wait_for(ev.WorkerLost)


@pytest.mark.anyio
async def test_a_worker_that_was_not_greeted_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, _):
        worker.say(wire.HELLO, wire.PROTOCOL, "a wrong secret")
        worker.say(wire.READY)
        failed = await log.wait_for(ev.ExecutorFailed)
        assert failed.error.message == "the worker did not say hello"
        assert log.events == [failed]


@pytest.mark.anyio
async def test_messages_with_another_secret_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        secret = await ready(worker, log, executor)
        for other in (secret ^ 1, 0, -1, str(secret), None, [secret], float(secret)):
            worker.say(wire.REPORTED, other, 0, 666.0, None)
            worker.say(wire.FINISHED, other, {"value": 666.0})
            worker.say(wire.FAILED, other)
        worker.say(wire.FINISHED, secret, {"value": 1.0})
        assert await log.wait_for(ev.Finished) == ev.Finished(0, 1, {"value": 1.0})
        assert [type(event) for event in log.events] == [ev.WorkerJoined, ev.Started, ev.Finished]


@pytest.mark.anyio
async def test_an_attempt_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        secret = await ready(worker, log, executor)
        worker.say(wire.PRUNED, secret)
        worker.say(wire.FINISHED, secret, {"value": 1.0})
        worker.say(wire.REPORTED, secret, 0, 666.0, None)
        worker.say_bytes(b"\xc1")
        await log.wait_for(ev.WorkerLost)
        assert [type(event) for event in log.events] == [ev.WorkerJoined, ev.Started, ev.Pruned, ev.WorkerLost]


@pytest.mark.anyio
async def test_an_outcome_of_a_wrong_shape_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        worker.say(wire.FINISHED, await ready(worker, log, executor), {"value": "high"})
        failed = await log.wait_for(ev.Failed)
        assert failed.error.message.startswith("the worker sent an outcome that has a wrong shape")


@pytest.mark.anyio
async def test_a_question_for_an_impossible_domain_is_answered_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(monkeypatch) as (worker, log, executor):
        secret = await ready(worker, log, executor)
        worker.say(wire.PARAM_ASKED, secret, "y", {**FLOAT, "low": 2.0})
        answer = await worker.hear(wire.PARAM)
        assert answer[:4] == [wire.PARAM, secret, "y", None] and "2.0" in answer[4]


def test_no_mutated_message_makes_the_controller_raise() -> None:
    """20,000 frames, each to a machine under its invariants; what it takes fits into a journal."""
    rng = random.Random(7)
    secret = 2**61 + 1
    frames = [
        pack((wire.REPORTED, secret, 3, 0.5, {"loss": 1.0})),
        pack((wire.SERIES_REPORTED, secret, [(3, 0.5), (4, 0.25), (4, 1.0)])),
        pack((wire.VERDICT_ASKED, secret, 3)),
        pack((wire.SERIES_UP_FOR_VERDICT, secret, 9, [(8, 0.5), (9, 0.25)])),
        pack((wire.PARAM_ASKED, secret, "y", FLOAT)),
        pack((wire.PARAM_ASKED, secret, "y", {"type": "categorical", "choices": [1, "a", None]})),
        pack((wire.ATTR_SET, secret, "key", {"a": [1, 2.5, "x"]})),
        pack((wire.CONSTRAINT_SET, secret, "memory", -0.5)),
        pack((wire.FINISHED, secret, {"value": 1.0})),
        pack((wire.PRUNED, secret)),
        pack((wire.FAILED, secret, ["E", "message", "trace"])),
        pack((wire.READY,)),
        pack((wire.UNREADY, "E", "message", "trace")),
        pack((wire.HELLO, wire.PROTOCOL, "secret")),
    ]
    seen: dict[str, int] = {}

    class Inbox:
        def post(self, *events: ev.Event) -> None:
            for event in events:
                encode(event)
                bench.send(event)
                seen[type(event).__name__] = seen.get(type(event).__name__, 0) + 1

    inbox = Inbox()
    opening = (ev.WorkerJoined("w"), suggested(0), started(0))
    bench = Bench(spec(n_trials=1), *opening)
    refused = 0
    for number in range(20_000):
        if number % 20 == 0 or bench.trial(0).is_final:
            bench = Bench(spec(n_trials=1), *opening)
        process = WorkerProcess(SETUP, inbox, lambda: None, lambda job, events: events, None)
        process._greeted = process.was_ready = True
        process._job, process._secret = Job(0, 1, "w", {}), secret
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            frame[rng.randrange(len(frame))] = rng.choice((rng.randrange(256), 0x91, 0xC0, 0xFF))
        decoder = Decoder()
        try:
            decoder.feed(bytes(frame))
            process._take(list(decoder))
        except StreamError:
            refused += 1
    assert refused > 5_000
    said = {"Reported", "SeriesReported", "SeriesUpForVerdict"}
    said |= {"VerdictAsked", "ParamAsked", "AttrSet", "ConstraintSet", "Finished", "Pruned", "Failed"}
    assert said == set(seen)


def test_what_was_said_together_is_told_together_up_to_what_has_no_place() -> None:
    posts: list[tuple[ev.Event, ...]] = []

    class Inbox:
        def post(self, *events: ev.Event) -> None:
            posts.append(events)

    def on_end(job: Job, events: list[ev.Event]) -> list[ev.Event]:
        return [*events, started(1)]

    process = WorkerProcess(SETUP, Inbox(), lambda: None, on_end, None)
    process._job, process._secret = Job(0, 1, "w", {}), 5
    process._next = _Next(Job(1, 1, "w", {}), 6, 0, None)
    with pytest.raises(StreamError, match="hello"):
        process._take(
            [
                [wire.REPORTED, 5, 3, 0.5, None],
                [wire.FINISHED, 5, {"value": 1.0}],
                [wire.REPORTED, 5, 4, 0.5, None],  # the attempt has ended
                [wire.FINISHED, 6, {"value": 2.0}],
                [wire.READY],
            ]
        )
    [told] = posts
    assert [(type(event).__name__, event.trial) for event in told] == [  # type: ignore[attr-defined]
        ("Reported", 0),
        *(("Finished", 0), ("Started", 1)),
        *(("Finished", 1), ("Started", 1)),
    ]
