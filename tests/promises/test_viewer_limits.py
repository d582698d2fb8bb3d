"""Promises S8 and S9: what a client of a viewer may send, how many there may be, and how long each may take."""

from __future__ import annotations

import gc
import json
import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import psutil
import pytest

from asyncsweep.viewer import server, visits
from tests.viewer.doors import KINDS, WAIT_S, opened
from tests.viewer.floods import Flood, frame, give_small_buffers, has_data, until
from tests.viewer.waiting_sweeps import waiting

pytestmark = pytest.mark.anyio

LIMIT = 2**20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# -- S8 -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["text", "bytes", "fragments", "not ASCII"])
async def test_a_message_of_more_than_a_mebibyte_ends_the_connection(kind: str, form: str) -> None:
    async with waiting() as run, opened(kind, run) as door, door.connected() as viewer:
        await viewer.recv()
        if form == "text":
            await viewer.send("x" * (LIMIT + 1))
        elif form == "bytes":
            await viewer.send(b"x" * (LIMIT + 1))
        elif form == "not ASCII":
            await viewer.send("é" * (LIMIT // 2 + 1))
        else:
            await viewer.send(["x" * (LIMIT // 2)] * 2 + ["x"])
        await viewer.wait_closed()
        assert viewer.close_code == 1009


async def test_a_message_of_a_mebibyte_is_taken() -> None:
    async with waiting() as run, opened("serve", run) as door, door.connected() as viewer:
        await viewer.recv()
        padded = json.dumps({"type": "ask", "id": 1, "what": "status", "more": ""})
        await viewer.send(json.dumps({"type": "open"}))
        await viewer.send(padded[:-2] + "x" * (LIMIT - len(padded)) + padded[-2:])
        while json.loads(await viewer.recv())["type"] != "answer":
            pass


async def test_a_length_that_is_claimed_is_not_waited_for() -> None:
    for claimed in (LIMIT + 1, 2**32, 2**63 - 1):
        async with waiting() as run, opened("serve", run) as door:
            with anyio.fail_after(WAIT_S):
                async with await anyio.connect_tcp("127.0.0.1", door.port) as stream:
                    await stream.send(door.upgrade_request())
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += await stream.receive()
                    await stream.send(b"\x81\xff" + struct.pack("!Q", claimed) + b"mask")
                    while b"\x88" not in data.partition(b"\r\n\r\n")[2]:
                        data += await stream.receive()
            assert struct.pack("!H", 1009) in data


async def test_nothing_is_compressed() -> None:
    extensions = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame")]
    async with waiting() as run, opened("serve", run) as door:
        reply = await door.upgrade(door.tokens(), headers=extensions)
        assert reply.status == 101
        assert "sec-websocket-extensions" not in reply.headers


async def test_what_comes_before_a_connection_is_let_in_is_bounded() -> None:
    async with waiting() as run, opened("serve", run) as door:
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 4000) for n in range(100))
        reply = await door.exchange(b"GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (door.host.encode(), lines))
        assert reply.status in (0, 431)
        assert (await door.request("GET", "")).status == 200


# -- S9 -----------------------------------------------------------------------------------------------------------------

N_HALF_OPEN = 2_000


@pytest.fixture
def many_files() -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * N_HALF_OPEN + 500
    if hard not in (-1, resource.RLIM_INFINITY) and hard < wanted:
        pytest.skip(f"this user may have {hard} files open, and the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


HALVES = [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "]


async def test_2000_half_open_connections_keep_nobody_out(many_files: None, caplog: pytest.LogCaptureFixture) -> None:
    async with waiting() as run, opened("serve", run) as door, door.connected() as before:
        await before.recv()
        n_before = n_files()
        half_open = []
        try:
            for n in range(N_HALF_OPEN):
                sock = socket.create_connection(("127.0.0.1", door.port))
                half_open.append(sock)
                with suppress(ConnectionError):  # it had to give way already
                    sock.send(HALVES[n % len(HALVES)])
                if n % 50 == 49:
                    await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(WAIT_S):
                async with door.connected() as viewer:
                    assert json.loads(await viewer.recv())["type"] == "hello"
                assert (await door.request("GET", "")).status == 200
                await anyio.wait_all_tasks_blocked()
                # The clients' ends are in this process too.
                assert n_files() - n_before - len(half_open) <= server.MOST_WAITING + 1
            assert (await before.ping()) is not None
        finally:
            for sock in half_open:
                sock.close()
        assert not run.is_over
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_connection_that_goes_while_it_is_judged_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, is_gone = server.Server._answer, anyio.Event()

    async def slowly(self: server.Server, connection: server.Connection, request: Any) -> Any:
        found = await judge(self, connection, request)
        await is_gone.wait()
        return found

    monkeypatch.setattr(server.Server, "_answer", slowly)
    async with waiting() as run, opened("serve", run) as door:
        n_before = n_files()
        with socket.create_connection(("127.0.0.1", door.port)) as sock:
            sock.sendall(door.upgrade_request())
            await until(lambda: n_files() == n_before + 2)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: n_files() == n_before)
        is_gone.set()
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        assert [found for found in gc.get_objects() if type(found) is server.Connection] == []


async def test_each_half_open_connection_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.3)
    async with waiting() as run, opened("serve", run) as door:
        for half in HALVES:
            with anyio.fail_after(WAIT_S):
                async with await anyio.connect_tcp("127.0.0.1", door.port) as stream:
                    if half:
                        await stream.send(half)
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(drip, stream)  # a byte now and then is no request either
                        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                            await stream.receive()
                        tasks.cancel_scope.cancel()


async def drip(stream: anyio.abc.SocketStream) -> None:
    while True:
        await anyio.sleep(0.05)
        try:
            await stream.send(b"x")
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return


async def test_who_takes_no_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ANSWER_S", 0.5)
    monkeypatch.setattr(server, "CLOSE_S", 0.5)
    async with waiting() as run, opened("serve", run) as door:
        n_before = n_files()
        lazy = socket.socket()
        with lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(("127.0.0.1", door.port))
            lazy.sendall(f"GET /assets/plotly.min.js HTTP/1.1\r\nHost: {door.host}\r\n\r\n".encode())
            await until(lambda: n_files() == n_before + 2)
            await until(lambda: n_files() == n_before + 1)


async def test_answers_that_nobody_takes_have_a_bound_and_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_WAITING_BYTES", 12_000_000)  # two of plotly as it is
    async with waiting() as run, opened("serve", run) as door:
        n_before = n_files()
        lazy = [socket.socket() for _ in range(6)]
        try:
            for sock in lazy:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.connect(("127.0.0.1", door.port))
                sock.sendall(f"GET /assets/plotly.min.js HTTP/1.1\r\nHost: {door.host}\r\n\r\n".encode())
                sock.setblocking(False)
                await until(lambda sock=sock: has_data(sock))  # type: ignore[misc]
            await until(lambda: n_files() == n_before + len(lazy) + 2)
            assert (await door.request("GET", "")).status == 200
        finally:
            for sock in lazy:
                sock.close()


async def test_there_are_at_most_so_many_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "MOST_VIEWERS", 2)
    for kind in KINDS[:2]:
        async with waiting() as run, opened(kind, run) as door, door.connected() as first, door.connected() as second:
            await first.recv()
            await second.recv()
            reply = await door.upgrade(door.tokens())
            assert (reply.status, reply.headers["retry-after"]) == (503, "10")
            assert (await door.request("GET", "")).status == 200
            await second.close()
            async with door.connected() as third:
                await third.recv()


async def test_a_viewer_that_takes_nothing_is_cut_off_and_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    give_small_buffers(monkeypatch)
    monkeypatch.setattr(visits, "TAKE_S", 0.3)
    async with waiting() as run, opened("serve", run) as door:
        with socket.socket() as lazy:
            flood = Flood(lazy, door)
            await until(flood.is_refused)
        assert not run.is_over


async def test_pings_without_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    give_small_buffers(monkeypatch)
    monkeypatch.setattr(server, "MOST_UNSENT_BYTES", 2**20)
    async with waiting() as run, opened("serve", run) as door:
        with socket.socket() as lazy:
            flood = Flood(lazy, door, frame(b"x" * 125, opcode=9) * 500)
            await until(flood.is_refused)
        assert not run.is_over


def n_files() -> int:
    """How many files and sockets this process has open."""
    return psutil.Process().num_fds()
