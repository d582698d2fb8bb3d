"""`sw.viewer.asgi`: mounted under a prefix however the server around it tells of that, and on whatever event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.viewer import mounting, visits
from asyncsweep.viewer.mounting import Asgi, asgi
from tests.viewer.doors import CONTROL, TOKEN, Door, mounted, opened
from tests.viewer.waiting_sweeps import waiting

pytestmark = pytest.mark.anyio

HOST = "localhost:8000"
OFFERED = ["asyncsweep.v1.json", f"asyncsweep.token.{TOKEN}"]
Message = dict[str, Any]


def scope_of(kind: str, path: str, root: str = "", **more: Any) -> dict[str, Any]:
    headers = [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode())]
    return {
        "type": kind,
        "method": "GET",
        "path": path,
        "root_path": root,
        "headers": headers,
        "query_string": b"",
        **more,
    }


async def got(app: Asgi, path: str, root: str = "", **more: Any) -> tuple[int, dict[str, str], bytes]:
    """The response to a request."""
    sent: list[Message] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("a request's body is not looked at")

    await app(scope_of("http", path, root, **more), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}, sent[1]["body"]


class Link:
    """The server's side of a websocket."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.put, self._said = anyio.create_memory_object_stream[Message](100)
        self._news = anyio.Event()
        self.refuses: Callable[[], Exception | None] = lambda: None

    async def receive(self) -> Message:
        return await self._said.receive()

    async def send(self, message: Any) -> None:
        await anyio.lowlevel.checkpoint()
        fault = self.refuses()
        if fault is not None:
            raise fault
        self.sent.append(message)
        self._news.set()
        self._news = anyio.Event()

    async def next(self, n: int) -> Message:
        with anyio.fail_after(10):
            while len(self.sent) < n:
                await self._news.wait()
        return self.sent[n - 1]

    def close(self) -> None:
        self.put.close()
        self._said.close()


@asynccontextmanager
async def linked(app: Asgi, path: str = "/stream", root: str = "", **more: Any) -> AsyncIterator[Link]:
    """A connection, until it is over."""
    link = Link()
    link.put.send_nowait({"type": "websocket.connect"})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                app, scope_of("websocket", path, root, subprotocols=OFFERED, **more), link.receive, link.send
            )
            yield link
    link.close()


@pytest.mark.parametrize(
    ("path", "root", "status"),
    [
        ("/", "", 200),
        ("", "", 200),
        ("/index.html", "", 200),
        ("/tuning/", "/tuning", 200),
        ("/tuning/store.js", "/tuning", 200),
        ("/", "/tuning", 200),  # by servers that leave the prefix out of the path
        ("/store.js", "/tuning", 200),
        ("/a/b/store.js", "/a/b", 200),
        ("/a/b/store.js", "/a/b/", 200),
        ("/tuningstore.js", "/tuning", 404),
        ("/tuning/tuning/", "/tuning", 404),
        ("/other/store.js", "/tuning", 404),
        ("/store.js", "", 200),
        ("//", "", 404),
        ("/stream", "", 426),
        ("/tuning/stream", "/tuning", 426),
        ("/tuning", "/tuning", 307),
        ("", "/tuning", 307),
    ],
)
async def test_the_prefix_is_taken_off(path: str, root: str, status: int) -> None:
    async with waiting() as run:
        assert (await got(asgi(run), path, root))[0] == status


@pytest.mark.parametrize(
    ("root", "query", "location"),
    [
        ("/tuning", b"", "./tuning/"),
        ("/a/b", b"x=1&y", "./b/?x=1&y"),
        ("/http:", b"", "./http%3A/"),
        ("//evil.example", b"", "./evil.example/"),
        ("/ünï", b"", "./%C3%BCn%C3%AF/"),
    ],
)
async def test_without_its_slash_the_prefix_is_redirected_relatively(root: str, query: bytes, location: str) -> None:
    async with waiting() as run:
        status, headers, body = await got(asgi(run), root, root, query_string=query)
        assert (status, headers["location"], body) == (307, location, b"")
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_fragment_is_what_the_link_needs() -> None:
    async with waiting() as run:
        assert asgi(run, token=TOKEN).fragment == f"#token={TOKEN}"
        both = asgi(run, token=TOKEN, control=True, control_token=CONTROL)
        assert both.fragment == f"#token={TOKEN}&control={CONTROL}"
        assert len({asgi(run).fragment for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"runs": []}, "there is nothing to see"),
        (
            {"runs": "some/directory"},
            "'some/directory' is a directory; open it first: async with sw.viewer.opened('some/directory') as source",
        ),
        ({"runs": 5}, "runs: 5: expected a run"),
        ({"token": "short"}, "token: its 5 characters"),
        ({"control_token": CONTROL}, "nobody may steer without control=True"),
    ],
)
async def test_a_wrong_argument_is_named(arguments: dict[str, Any], said: str) -> None:
    async with waiting() as run:
        with pytest.raises(sw.ConfigError) as caught:
            asgi(**{"runs": run, **arguments})
        assert said in str(caught.value)


async def test_a_directory_is_followed_while_it_is_opened(tmp_path: Path) -> None:
    async def objective(trial: sw.Trial) -> float:
        return trial.params["x"]

    run = sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=3, directory=tmp_path / "first").start()
    async with (
        run,
        sw.viewer.opened(tmp_path / "first", name="mine") as source,
        linked(asgi({source.name: source}, token=TOKEN)) as link,
    ):
        link.put.send_nowait({"type": "websocket.receive", "text": '{"type": "open"}'})
        n, message = 2, json.loads((await link.next(2))["text"])
        assert message["sweeps"] == ["mine"]
        while message.get("state") != "ENDED":
            n, message = n + 1, json.loads((await link.next(n + 1))["text"])
            link.put.send_nowait({"type": "websocket.receive", "text": f'{{"type": "ack", "received": {n - 2}}}'})
        assert message["counts"]["COMPLETE"] == 3
        link.put.send_nowait({"type": "websocket.disconnect", "code": 1001})
    with pytest.raises(sw.ConfigError, match="directory=5: expected"):
        async with sw.viewer.opened(5):  # type: ignore[arg-type]
            pass


async def test_a_lifespan_is_refused() -> None:
    async with waiting() as run:
        link = Link()
        with pytest.raises(ValueError, match="'lifespan'"):
            await asgi(run)({"type": "lifespan"}, link.receive, link.send)
        link.close()


@pytest.mark.parametrize("root", ["", "/tuning"])
async def test_a_viewer_is_let_in_and_told(root: str) -> None:
    async with waiting() as run, linked(asgi(run, token=TOKEN), f"{root}/stream", root) as link:
        assert await link.next(1) == {"type": "websocket.accept", "subprotocol": "asyncsweep.v1.json", "headers": []}
        assert json.loads((await link.next(2))["text"])["type"] == "hello"
        link.put.send_nowait({"type": "websocket.receive", "text": '{"type": "open"}', "bytes": None})
        assert json.loads((await link.next(3))["text"])["type"] == "snapshot"
        link.put.send_nowait({"type": "websocket.disconnect", "code": 1001})
    assert all(message["type"] != "websocket.close" for message in link.sent)


async def test_messages_of_programs_are_binary() -> None:
    offered = ["asyncsweep.v1.msgpack", OFFERED[1]]
    async with waiting() as run:
        link = Link()
        app, scope = asgi(run, token=TOKEN), scope_of("websocket", "/stream", subprotocols=offered)
        link.put.send_nowait({"type": "websocket.connect"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, scope, link.receive, link.send)
            assert (await link.next(1))["subprotocol"] == "asyncsweep.v1.msgpack"
            assert isinstance((await link.next(2))["bytes"], bytes)
            link.put.send_nowait({"type": "websocket.disconnect", "code": 1001})
        link.close()


async def test_a_refusal_is_a_response_where_the_server_can_and_a_403_where_it_cannot() -> None:
    async with waiting() as run:
        async with linked(asgi(run), extensions={"websocket.http.response": {}}) as link:
            start = await link.next(1)
            assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
            assert (b"x-content-type-options", b"nosniff") in start["headers"]
            assert b"the stream needs the token" in (await link.next(2))["body"]
            for _ in range(2):
                link.put.send_nowait({"type": "websocket.disconnect", "code": 1006})
        for path in ("/stream", "/", "/store.js", ""):
            async with linked(asgi(run), path) as link:
                assert (await link.next(1))["type"] == "websocket.close"


async def test_a_refusal_waits_for_no_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounting, "_GONE_S", 0.05)
    async with waiting() as run, linked(asgi(run), extensions={"websocket.http.response": {}}) as link:
        await link.next(2)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"text": "no message"}, 1008),
        ({"bytes": b"no message"}, 1008),
        ({"text": "x" * (2**20 + 1)}, 1009),
        ({"bytes": b"x" * (2**20 + 1)}, 1009),
        ({"text": "é" * (2**19 + 1)}, 1009),
    ],
    ids=["no text", "no bytes", "long text", "long bytes", "long in bytes"],
)
async def test_what_breaks_the_protocol_ends_the_connection_with_a_reason(message: Message, code: int) -> None:
    async with waiting() as run, linked(asgi(run, token=TOKEN)) as link:
        await link.next(2)
        link.put.send_nowait({"type": "websocket.receive", **message})
        closed = await link.next(3)
        assert (closed["type"], closed["code"]) == ("websocket.close", code)
        assert closed["reason"]


@pytest.mark.parametrize("fault", [OSError("gone"), RuntimeError("after websocket.close")], ids=["gone", "closed"])
async def test_a_connection_that_breaks_ends_its_visit_alone(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with waiting() as run:
        app = asgi(run, token=TOKEN)
        async with linked(app) as link:
            await link.next(2)
            link.refuses = lambda: fault
            link.put.send_nowait({"type": "websocket.receive", "text": '{"type": "open"}'})
        async with linked(app) as link:
            await link.next(2)
            link.put.send_nowait({"type": "websocket.disconnect", "code": 1001})
        assert not run.is_over
    assert caplog.records == []


async def test_a_viewer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "TAKE_S", 0.1)
    async with waiting() as run:
        link = Link()
        link.put.send_nowait({"type": "websocket.connect"})
        n_sent = 0

        async def send(message: Any) -> None:
            nonlocal n_sent
            n_sent += 1
            if n_sent > 1:
                await anyio.sleep_forever()

        with anyio.fail_after(10):
            await asgi(run, token=TOKEN)(scope_of("websocket", "/stream", subprotocols=OFFERED), link.receive, send)
        link.close()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_name_of_the_server_around_it_is_known_when_it_is_told() -> None:
    async with waiting() as run, opened("starlette", run, hosts=["lab.example"]) as door:
        assert (await door.request("GET", "", host="lab.example")).status == 200
        assert (await door.request("GET", "", host="lab2.example")).status == 403


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_uvicorn_serves_it_by_itself_and_under_a_root_path() -> None:
    async with waiting() as run:
        app = asgi(run, token=TOKEN)
        async with mounted(app) as port, Door(port, "/").connected() as viewer:
            assert json.loads(await viewer.recv())["type"] == "hello"
        async with mounted(app, root_path="/behind/a/proxy") as port, Door(port, "/").connected() as viewer:
            assert json.loads(await viewer.recv())["type"] == "hello"
            assert (await Door(port, "/").request("GET", "store.js")).status == 200


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kind", ["starlette", "fastapi"])
async def test_uvicorn_logs_no_error_for_a_refusal_and_no_token(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with waiting() as run, opened(kind, run) as door:
        assert (await door.upgrade(door.tokens(CONTROL))).status == 403
        assert (await door.upgrade(door.tokens())).status == 101
    assert [record.getMessage() for record in caplog.records if record.levelno >= 30] == []
    assert not any(token in record.getMessage() for record in caplog.records for token in (TOKEN, CONTROL))
