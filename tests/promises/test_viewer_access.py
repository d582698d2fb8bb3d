"""Promises S1 to S5: who reaches a viewer, who may look, and who may steer; of each of its servers."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

import asyncsweep as sw
from asyncsweep.viewer.assets import assets
from asyncsweep.viewer.guard import LEAST_TOKEN_BITS
from asyncsweep.viewer.serving import serve
from tests.viewer.doors import CONTROL, JSON, KINDS, TOKEN, Door, opened
from tests.viewer.waiting_sweeps import waiting

pytestmark = pytest.mark.anyio

CANARY = b"learning_rate_canary"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- S1 -----------------------------------------------------------------------------------------------------------------

OUTSIDE = "192.0.2.1"  # of documentation: nobody has it


@pytest.mark.parametrize(
    ("options", "bound", "said", "warns"),
    [
        ({}, "127.0.0.1", None, False),
        ({"host": "localhost"}, "127.0.0.1", None, False),
        ({"host": "::1"}, "::1", None, False),
        ({"host": "0.0.0.0"}, None, "host='0.0.0.0': other computers reach that, and what they are sent is not encrypted", False),
        ({"host": OUTSIDE}, None, "or say allow_remote=True", False),
        ({"host": "0.0.0.0", "allow_remote": True, "hosts": ["lab.example"]}, "0.0.0.0", None, True),
    ],
    ids=["default", "localhost", "IPv6", "all", "outside", "all, allowed"],
)  # fmt: skip
async def test_only_this_computer_reaches_a_viewer_unless_that_is_said(
    options: dict[str, Any],
    bound: str | None,
    said: str | None,
    warns: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = []
    bind = socket.socket.bind

    def watched(sock: socket.socket, address: Any) -> None:
        tried.append(address[0])
        bind(sock, ("127.0.0.1", 0) if address[0] == "0.0.0.0" else address)

    monkeypatch.setattr(socket.socket, "bind", watched)
    async with waiting() as run:
        if said is not None:
            with pytest.raises(sw.ConfigError) as caught:
                async with serve(run, **options):
                    pass
            assert said in str(caught.value)
        else:
            async with serve(run, **options) as viewer:
                token = viewer.url.partition("#token=")[2]
                assert len(token) * 6 >= LEAST_TOKEN_BITS  # one is made for each
    assert tried == ([] if bound is None else [bound])
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text.partition(",")[0] for text in warnings] == (["the viewer listens at 0.0.0.0"] if warns else [])


# -- S2 -----------------------------------------------------------------------------------------------------------------

WRONG = TOKEN.replace("first", "wrong")
NEITHER = {
    "none": [JSON],
    "wrong": [JSON, f"asyncsweep.token.{WRONG}"],
    "in another place": [JSON, TOKEN, "asyncsweep.token"],
}
IN_OTHER_PLACES = [
    ("Authorization", f"Bearer {TOKEN}"),
    ("Cookie", f"token={TOKEN}; asyncsweep.token.{TOKEN}"),
    ("X-Token", TOKEN),
]
BROKEN = [
    "Sec-WebSocket-Key: ,\r\nSec-WebSocket-Protocol: {offered}\r\n",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: {offered}, no word (\r\n",
    "Sec-WebSocket-Protocol: {offered}\r\nSec-WebSocket-Protocol: \x01\r\n",
    "Sec-WebSocket-Protocol: {offered}\r\nno header\r\n",
    "Sec-WebSocket-Protocol: {offered}\r\nContent-Length: 9\r\n",
    "Sec-WebSocket-Protocol: {offered}, " + "x" * 9000 + "\r\n",
]


async def test_what_carries_data_needs_the_token_and_nothing_repeats_it(
    kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "uvicorn.error")  # what it says below that has every header of an upgrade
    for name in (None, "asyncsweep", "websockets", "websockets.server"):
        caplog.set_level(logging.DEBUG, name)
    replies = []
    # Servers around ours log whole addresses, which is why a token belongs into none.
    queries = ["", f"?token={WRONG}", *([f"?token={TOKEN}&asyncsweep.token.{TOKEN}"] if kind == "serve" else [])]
    async with waiting() as run, opened(kind, run, control=True, control_token=CONTROL) as door:
        offering = [("Sec-WebSocket-Protocol", ", ".join(door.tokens(TOKEN, CONTROL))), *IN_OTHER_PLACES]
        for path in [*assets(), "stream", "data", "log", "csv", "index", "assets", "assets/"]:
            plain = await door.request("GET", path)
            for query in queries:
                reply = await door.request("GET", path + query, offering)
                assert (reply.status, reply.body) == (plain.status, plain.body), path
                replies.append(reply)
        for query in queries:
            for tokens_of in NEITHER.values():
                reply = await door.upgrade(tokens_of, headers=IN_OTHER_PLACES, path=f"stream{query}")
                assert reply.status == 403, tokens_of
                replies.append(reply)
            reply = await door.upgrade(door.tokens(TOKEN, CONTROL), path=f"stream{query}")
            assert reply.status == 101
            assert reply.headers["sec-websocket-protocol"] == JSON
            replies.append(reply)
        # Uvicorn answers what is no request with nothing, and waits.
        for broken in BROKEN if kind == "serve" else BROKEN[:1]:
            text = f"GET {door.base}stream HTTP/1.1\r\nHost: {door.host}\r\nOrigin: {door.origin}\r\nUpgrade: websocket\r\n"
            text += f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{broken}\r\n"
            offered = ", ".join(door.tokens(TOKEN, CONTROL))
            replies.append(await door.exchange(text.replace("{offered}", offered).encode("latin-1")))
            assert replies[-1].status in (400, 431)
        async with door.connected() as viewer:
            assert viewer.subprotocol == JSON
            assert CANARY in await everything(viewer)
    for reply in replies:
        assert CANARY not in reply.body
        assert not {"set-cookie", "access-control-allow-origin"} & set(reply.headers)
    printed = "".join(capfd.readouterr())
    logged = "\n".join(
        f"{record.getMessage()} {record.exc_info}" for record in caplog.records if record.name != "websockets.client"
    )
    for token in (TOKEN, CONTROL):
        assert [reply.raw for reply in replies if token.encode() in reply.raw] == []
        assert token not in printed + logged


async def everything(viewer: ClientConnection) -> bytes:
    """What a viewer is told from the beginning to its first row."""
    found = [await viewer.recv(decode=False)]
    await viewer.send(json.dumps({"type": "open"}))
    while b'"snapshot"' not in found[-1]:
        found.append(await viewer.recv(decode=False))
    return b"".join(found)


# -- S3 -----------------------------------------------------------------------------------------------------------------


def hostile_origins(door: Door) -> list[str | list[str]]:
    host, port = door.host, door.port
    return [
        "null",
        "undefined",
        "*",
        "http://",
        "http://evil.example",
        f"http://evil.example:{port}",
        f"https://{host}",
        f"ws://{host}",
        f"file://{host}",
        "file://",
        host,
        f"//{host}",
        f"{door.origin}/",
        f"{door.origin}/stream",
        f"{door.origin}.evil.example",
        f"http://127.0.0.1.evil.example:{port}",
        f"http://evil.example/{host}",
        f"http://evil.example#{host}",
        f"http://evil.example?{host}",
        f"http://{host}@evil.example",
        f"http://user@{host}",
        f"http://user:password@{host}",
        f"http://x{host}",
        f"http://127.0.0.1:{port + 1}",
        f"http://127.0.0.1:{port}0",
        "http://127.0.0.1",
        "http://127.0.0.1:",
        f"http://localhost:{port}",  # of this server, and not the one that was asked
        f"http://[::1]:{port}",
        f"HTTP://{host}",
        f"{door.origin} http://evil.example",
        f"{door.origin}, http://evil.example",
        f"http://127.1:{port}",
        [door.origin, "http://evil.example"],
        ["http://evil.example", door.origin],
        [door.origin, door.origin],
    ]


async def test_the_stream_is_for_pages_of_the_very_server(kind: str) -> None:
    async with waiting() as run, opened(kind, run) as door:
        replies = {str(origin): await door.upgrade(door.tokens(), origin) for origin in [None, *hostile_origins(door)]}
        # That a header is there twice is refused by uvicorn itself.
        refusals = {403} if kind == "serve" else {403, 400}
        assert {origin: reply.status for origin, reply in replies.items() if reply.status not in refusals} == {}
        assert len(hostile_origins(door)) >= 30
        assert (await door.upgrade(door.tokens(), door.origin)).status == 101
        assert (await door.upgrade(door.tokens(), "http://localhost:9", host="localhost:9")).status == 101  # a tunnel


async def test_an_origin_that_was_told_comes_in_and_no_other(kind: str) -> None:
    async with waiting() as run, opened(kind, run, hosts=["lab.example"], origins=["https://lab.example"]) as door:
        for origin, status in (
            ("https://lab.example", 101),
            ("https://lab.example:444", 403),
            ("https://a.lab.example", 403),
        ):
            assert (await door.upgrade(door.tokens(), origin, host="lab.example")).status == status


# -- S4 -----------------------------------------------------------------------------------------------------------------

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"]


def hostile_hosts(door: Door) -> list[list[str]]:
    return [
        ["evil.example"],
        [f"evil.example:{door.port}"],
        [f"localhost.evil.example:{door.port}"],
        [f"127.0.0.1.evil.example:{door.port}"],
        [f"evil.example@{door.host}"],
        [f"{door.host}@evil.example"],
        [f"{door.host}:80"],
        [f"{door.host},evil.example"],
        [f"localhost.:{door.port}"],
        [f"127.1:{door.port}"],
        [f"0.0.0.0:{door.port}"],
        [f"192.0.2.1:{door.port}"],
        [""],
        [door.host, "evil.example"],
        ["evil.example", door.host],
        [],
    ]


async def test_a_name_that_is_not_known_gets_nothing_by_any_method(kind: str) -> None:
    async with waiting() as run, opened(kind, run) as door:
        answered = []
        for number, host in enumerate(hostile_hosts(door)):
            for method in METHODS if number < 2 else ["GET"]:
                for path in ("", "store.js", "stream", "none"):
                    reply = await door.request(method, path, host=host)
                    if not refused(kind, method, reply.status):
                        answered.append((method, path, host, reply.status))
                    assert b"import" not in reply.body
            # What a name of somebody else's that leads here looks like: the Origin is right.
            for origin in (door.origin, f"http://{host[0] if host else ''}"):
                upgrade = await door.upgrade(door.tokens(), origin, host=host)
                if upgrade.status not in (400, 403):
                    answered.append(("upgrade", origin, host, upgrade.status))
        assert answered == []


async def test_a_known_name_is_answered_by_get_and_head_alone(kind: str) -> None:
    async with waiting() as run, opened(kind, run) as door:
        for method in METHODS:
            for path in ("", "store.js", "none"):
                reply = await door.request(method, path)
                if method in ("GET", "HEAD"):
                    assert reply.status == (404 if path == "none" else 200)
                elif reply.status != 400 or method not in ("CONNECT", "get"):  # which uvicorn takes for no methods
                    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD"), method
        body = await door.exchange(
            f"POST {door.base} HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody".encode()
        )
        chunked = await door.exchange(
            f"POST {door.base} HTTP/1.1\r\nHost: {door.host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert {body.status, chunked.status} <= {400, 405}
        assert (await door.request("GET", "")).status == 200


def refused(kind: str, method: str, status: int) -> bool:
    """uvicorn itself refuses what is no HTTP/1.1: a request without a Host, or with two."""
    return status == 403 if kind == "serve" else status in (400, 403)


# -- S5 -----------------------------------------------------------------------------------------------------------------

COMMANDS: list[dict[str, Any]] = [
    {"what": "pause"},
    {"what": "unpause"},
    {"what": "stop"},
    {"what": "stop", "reason": "mine now", "now": True},
    {"what": "cancel", "trial": 0},
    {"what": "enqueue", "params": {"learning_rate_canary": 0.5}},
]
# Neither is one, but a server may know it.
OTHERS: list[dict[str, Any]] = [{"what": name} for name in ("tell", "ask", "result", "log", "__class__", "control", "")]


async def asked(viewer: ClientConnection, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question."""
    await viewer.send(json.dumps({"type": "ask", "id": 1, **question}))
    while True:
        message: dict[str, Any] = json.loads(await viewer.recv())
        if message["type"] == "answer":
            return message


@pytest.mark.parametrize("right", ["no second token", "a wrong one", "a server without control"])
async def test_who_may_look_changes_nothing(kind: str, right: str) -> None:
    options = {} if right == "a server without control" else {"control": True, "control_token": CONTROL}
    control = {"no second token": None, "a wrong one": TOKEN, "a server without control": CONTROL}[right]
    async with (
        waiting() as run,
        opened(kind, run, **options) as door,
        door.connected(door.tokens(TOKEN, control)) as viewer,
    ):
        assert json.loads(await viewer.recv())["control"] is False
        await viewer.send(json.dumps({"type": "open"}))
        for question in COMMANDS + OTHERS:
            answer = await asked(viewer, question)
            assert "error" in answer, question
        assert "error" not in await asked(viewer, {"what": "status"})
        assert (run.is_paused, run.is_stopping, run.is_over, len(run.trials)) == (False, False, False, 1)
        assert run.trials[0].state is sw.State.RUNNING


async def test_who_has_the_second_token_steers(kind: str) -> None:
    async with (
        waiting() as run,
        opened(kind, run, control=True, control_token=CONTROL) as door,
        door.connected(door.tokens(TOKEN, CONTROL)) as viewer,
    ):
        assert json.loads(await viewer.recv())["control"] is True
        await viewer.send(json.dumps({"type": "open"}))
        assert "error" not in await asked(viewer, {"what": "pause"})
        assert run.is_paused
        assert "error" not in await asked(viewer, {"what": "stop", "reason": "enough"})
        assert run.is_stopping
