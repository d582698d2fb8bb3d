"""One viewer's connection, from hello to its end, over a channel in memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

import asyncsweep as sw
from asyncsweep.testing import events as on
from asyncsweep.viewer import requests as requests_module
from asyncsweep.viewer import rows as rows_module
from asyncsweep.viewer import session as session_module
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.running import RunSource
from asyncsweep.viewer.session import Unwelcome, converse
from tests.viewer.histories import BenchSource, Client, opened

pytestmark = pytest.mark.anyio


class Line:
    """A channel whose other end is the test.

    Attributes:
        client: What the viewer knows.
        reads: Set while the viewer reads; while it does not, `send` waits.
    """

    def __init__(self, *, is_text: bool = True, acknowledges: bool = True) -> None:
        self.is_text = is_text
        self.client = Client()
        self.n_sent = 0
        self.reads = anyio.Event()
        self.reads.set()
        self.is_gone = False
        self.messages: list[dict[str, Any]] = []
        self._acknowledges = acknowledges
        self.said: deque[str | bytes | None] = deque()
        self._heard = anyio.Event()
        self._news = anyio.Event()

    async def send(self, data: bytes) -> None:
        await self.reads.wait()
        if self.is_gone:
            raise anyio.BrokenResourceError
        self.n_sent += 1
        message = self.client.take(data, self.is_text)
        self.messages.append(message)
        if self._acknowledges and message["type"] not in ("hello", "answer"):
            self.say(type="ack", received=self.client.n_received)
        self._news.set()

    async def receive(self) -> str | bytes | None:
        while not self.said:
            self._heard = anyio.Event()
            await self._heard.wait()
        return self.said.popleft()

    def say(self, **message: Any) -> None:
        self.say_raw(json.dumps(message) if self.is_text else msgspec.msgpack.encode(message))

    def say_raw(self, data: str | bytes | None) -> None:
        self.said.append(data)
        self._heard.set()

    def close(self) -> None:
        self.say_raw(None)

    async def until(self, what: Any) -> None:
        with anyio.fail_after(10):
            while not what():
                self._news = anyio.Event()
                await self._news.wait()

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


@asynccontextmanager
async def visit(hubs: Mapping[str, Hub], line: Line) -> AsyncIterator[Line]:
    """A conversation that goes on while the block does."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: converse(hubs, line, may_control=False))
        yield line
        line.close()
        tasks.cancel_scope.deadline = anyio.current_time() + 10
    assert not tasks.cancel_scope.cancelled_caught, "the conversation does not end"


def running(n: int = 1) -> BenchSource:
    source = opened(on.spec(n_trials=None), on.worker_joined())
    complete(source, n)
    return source


def complete(source: BenchSource, count: int) -> None:
    for _ in range(count):
        number = len(source.trials) - 1
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, float(number)))
    source.publish()


async def refusal(*said: Any, hubs: Mapping[str, Hub] | None = None) -> str:
    """Why a viewer that says this is sent away."""
    line = Line()
    for message in said:
        line.say_raw(message if isinstance(message, str | bytes) else json.dumps(message))
    with anyio.fail_after(10), pytest.raises(Unwelcome) as caught:
        await converse(hubs if hubs is not None else {"a": Hub(running())}, line, may_control=False)
    return caught.value.reason


@pytest.mark.parametrize("is_text", [True, False], ids=["json", "msgpack"])
async def test_a_viewer_sees_the_sweep_go_on(is_text: bool) -> None:
    source = running(2)
    hub = Hub(source)
    async with visit({"a": hub}, Line(is_text=is_text)) as line:
        line.say(type="open")
        await line.until(lambda: line.client.status)
        assert line.kinds() == ["hello", "snapshot", "status"]
        assert line.messages[0] | {"server": ""} == {
            "type": "hello", "protocol": 1, "server": "", "sweeps": ["a"], "control": False,
        }  # fmt: skip
        assert list(line.client.rows) == [0, 1]
        for count in range(3, 6):
            complete(source, 1)
            await line.until(lambda count=count: len(line.client.rows) == count)
        line.say(type="watch", trials=[6])
        number = len(source.trials) - 1
        source.bench.send(on.suggested(number), on.started(number), on.reported(number, 1, 0.5))
        source.publish()
        line.say(type="watch", trials=[number])
        await line.until(lambda: line.client.curves)


async def test_a_running_sweep_is_followed_to_its_end() -> None:
    async def objective(trial: sw.Trial) -> float:
        for step in range(3):
            trial.report(step, step)
            await anyio.lowlevel.checkpoint()
        return trial.params["x"]

    sweep = sw.Sweep(objective, {"x": sw.Float(0.0, 1.0)}, sampler="random", n_trials=20, concurrency=3, seed=1)
    async with sweep.start() as run, visit({"a": Hub(RunSource(run, "a"))}, Line()) as line:
        line.say(type="open")
        result = await run.result()
        await line.until(lambda: line.client.status.get("state") == "ENDED" and len(line.client.rows) == 20)
        line.say(type="ask", id=1, what="trial", trial=3)
        await line.until(lambda: line.client.answers)
        await line.until(lambda: line.client.status["counts"]["COMPLETE"] == 20)
    shown = {number: row[8]["x"] for number, row in line.client.shown().items()}
    assert shown == {trial.number: trial.params["x"] for trial in result.trials}
    assert line.client.status["best"]["number"] == result.best.number if result.best else None


async def test_who_never_acknowledges_gets_nothing_more() -> None:
    source = running()
    hub = Hub(source)
    async with visit({"a": hub}, Line(acknowledges=False)) as slow, visit({"a": hub}, Line()) as quick:
        for line in (slow, quick):
            line.say(type="open")
        await quick.until(lambda: quick.client.status)
        for count in range(2, 8):
            complete(source, 1)
            await quick.until(lambda count=count: len(quick.client.rows) == count)
        assert slow.kinds() == ["hello", "snapshot"]
        slow.say(type="ack", received=1)
        await slow.until(lambda: slow.n_sent == 3)
        slow.say(type="ack", received=2)
        await slow.until(lambda: slow.n_sent == 4)
        assert len({**slow.client.rows}) == 7 or slow.kinds()[-1] == "status"


async def test_who_never_reads_holds_nobody_up_and_can_leave() -> None:
    source = running()
    hub = Hub(source)
    line = Line()
    line.reads = anyio.Event()
    async with visit({"a": hub}, Line()) as other, visit({"a": hub}, line):
        line.say(type="open")
        other.say(type="open")
        for count in range(2, 5):
            complete(source, 1)
            await other.until(lambda count=count: len(other.client.rows) == count)
        assert line.messages == []


async def test_who_is_gone_while_something_is_sent_ends_the_conversation() -> None:
    line = Line()
    line.is_gone = True
    with anyio.fail_after(10):
        await converse({"a": Hub(running())}, line, may_control=False)


async def test_the_end_of_the_connection_ends_a_conversation_that_waits_for_news() -> None:
    async with visit({"a": Hub(running())}, Line()) as line:
        line.say(type="open")
        await line.until(lambda: line.client.status)


async def test_a_conversation_is_cancelled_as_a_whole() -> None:
    line = Line()
    line.say(type="open")
    with anyio.move_on_after(0.2) as scope:
        await converse({"a": Hub(running())}, line, may_control=False)
    assert scope.cancelled_caught


async def test_one_of_several_sweeps_is_opened_and_then_another() -> None:
    hubs = {"first": Hub(running(1)), "second": Hub(running(3))}
    async with visit(hubs, Line()) as line:
        line.say(type="open", sweep="first")
        await line.until(lambda: line.client.status)
        line.say(type="open", sweep="second")
        await line.until(lambda: len(line.client.rows) == 3)
    snapshots = [message for message in line.messages if message["type"] == "snapshot"]
    assert [message["sweep"] for message in snapshots] == ["first", "second"]


async def test_a_server_that_was_restarted_sends_a_snapshot() -> None:
    source = running(2)
    client = Client()
    for hub in (Hub(source), Hub(source)):
        line = Line()
        line.client = client
        client.connect_anew()
        async with visit({"a": hub}, line):
            line.say(type="open", epoch=client.epoch, since=client.seq)
            await line.until(lambda line=line: len(line.messages) == 3)
        assert line.kinds() == ["hello", "snapshot", "status"]


async def test_questions_are_answered_in_their_order_whatever_they_are() -> None:
    async with visit({"a": Hub(running())}, Line()) as line:
        line.say(type="ask", id=0, what="status")
        line.say(type="open")
        for number, what in enumerate(("status", "nothing", "trial", "pause", "csv"), 1):
            line.say(type="ask", id=number, what=what)
        await line.until(lambda: len(line.client.answers) == 6)
    assert [answer["id"] for answer in line.client.answers] == list(range(6))
    assert ["error" in answer for answer in line.client.answers] == [True, False, True, True, True, False]


async def test_a_question_is_answered_while_there_are_no_news() -> None:
    source = opened(on.spec(n_trials=1), on.worker_joined())
    complete(source, 1)
    assert not source.is_live
    async with visit({"a": Hub(source)}, Line()) as line:
        line.say(type="open")
        await line.until(lambda: line.client.status)
        await anyio.wait_all_tasks_blocked()
        line.say(type="ask", id=1, what="status")
        await line.until(lambda: line.client.answers)


async def test_questions_are_answered_though_nothing_is_acknowledged() -> None:
    async with visit({"a": Hub(running())}, Line(acknowledges=False)) as line:
        line.say(type="open")
        await line.until(lambda: line.n_sent == 2)
        for number in range(40):
            line.say(type="ask", id=number, what="status")
        await line.until(lambda: len(line.client.answers) == 40)


async def test_at_most_sixteen_questions_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    release, waiting = anyio.Event(), 0
    answer = requests_module.Answers._answer

    async def held(*args: Any) -> Any:
        await release.wait()
        return await answer(*args)

    monkeypatch.setattr(requests_module.Answers, "_answer", held)
    line = Line()
    async with visit({"a": Hub(running())}, line):
        line.say(type="open")
        for number in range(100):
            line.say(type="ask", id=number, what="status")
        await anyio.wait_all_tasks_blocked()
        waiting = len(line.said)
        # One is being answered, sixteen wait, and the next one has been received.
        assert waiting >= 100 - 1 - session_module.MOST_ASKED - 1
        release.set()
        await line.until(lambda: len(line.client.answers) == 100)


async def test_questions_that_are_long_wait_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    release = anyio.Event()
    answer = requests_module.Answers._answer

    async def held(*args: Any) -> Any:
        await release.wait()
        return await answer(*args)

    monkeypatch.setattr(requests_module.Answers, "_answer", held)
    async with visit({"a": Hub(running())}, Line()) as line:
        line.say(type="open")
        for number in range(12):
            line.say(type="ask", id=number, what="csv", trials=[10**9] * 60_000)
        await anyio.wait_all_tasks_blocked()
        assert len(line.said) >= 12 - 1 - 3 - 1
        release.set()
        await line.until(lambda: len(line.client.answers) == 12)


async def test_who_breaks_the_protocol_is_told_why() -> None:
    assert await refusal([]) == "a message: expected `object`, got `array`"
    assert await refusal({"type": "open", "sweep": "b"}) == "open: there is no sweep 'b'"
    assert await refusal({"type": "open"}, hubs={"a": Hub(running()), "b": Hub(running())}) == "open: name a sweep"
    assert await refusal({"type": "ack", "received": 5}) == "ack: received is 5, and 0 messages were sent"
    assert await refusal({"type": "watch", "trials": [0] * 65}) == "watch: at most 64 trials"
    assert await refusal({"type": "open"}, b"\xff") != ""
    assert (await refusal("{")).startswith("a message: input data was truncated")
    assert (await refusal("nothing")).startswith("a message: JSON is malformed: ")


async def test_toggling_and_opening_without_end_grows_nothing() -> None:
    hub = Hub(running(3))
    line = Line(acknowledges=False)
    async with visit({"a": hub}, line):
        for count in range(2_000):
            line.say(type="watch", trials=[count % 3])
            line.say(type="open")
            if not count % 200:
                await anyio.wait_all_tasks_blocked()
    # A snapshot of one part leaves nothing open, and its window is one message.
    assert line.n_sent <= 2 + session_module.MOST_ASKED
    assert len(hub.rows._kept) <= 2


async def test_nobody_waits_for_more_than_one_message_that_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PIECE_ROWS", 1)
    hub = Hub(running(12))
    made, most = 0, 0
    piece = hub.rows.piece

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal made
        made += 1
        return piece(*args, **options)

    async def watch() -> None:
        nonlocal made, most
        while True:
            most, made = max(most, made), 0
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        await hub.catch_up()
        monkeypatch.setattr(hub.rows, "piece", counted)
        tasks.start_soon(watch)
        lines = [Line() for _ in range(10)]
        for line in lines:
            line.say(type="open")
            tasks.start_soon(lambda line=line: converse({"a": hub}, line, may_control=False))
        for line in lines:
            await line.until(lambda line=line: line.client.status)
        tasks.cancel_scope.cancel()
    assert 1 <= most <= 2


async def test_a_mutated_stream_of_messages_raises_nothing_but_unwelcome() -> None:
    from random import Random

    from tests.viewer.test_incoming import GOOD, mutated

    random, hub, n_refused = Random(3), Hub(running(3)), 0
    for _ in range(60):
        line = Line()
        for _ in range(5):
            line.say_raw(json.dumps({**random.choice(GOOD), **({"sweep": "a"} if random.random() < 0.9 else {})}))
        line.say_raw(mutated(json.dumps(random.choice(GOOD)).encode(), random).decode(errors="replace"))
        line.close()
        with anyio.fail_after(10), suppress(Unwelcome):
            await converse({"a": hub}, line, may_control=True)
            n_refused -= 1
        n_refused += 1
    assert 10 < n_refused <= 60
