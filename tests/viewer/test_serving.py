"""`serve`: its arguments, its life beside a sweep, and how it ends."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

import asyncsweep as sw
from asyncsweep.viewer import assets, server, serving
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.running import RunSource
from asyncsweep.viewer.serving import serve
from tests.leaks import nothing_left
from tests.viewer.doors import TOKEN, WAIT_S, Door, opened
from tests.viewer.floods import Flood, give_small_buffers, until
from tests.viewer.waiting_sweeps import waiting

pytestmark = pytest.mark.anyio

QUICK: dict[str, Any] = {"space": {"x": sw.Float(0, 1)}, "sampler": "random"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def one(trial: sw.Trial) -> float:
    return 1.0


async def messages(viewer: ClientConnection, *, acks: bool = True) -> list[dict[str, Any]]:
    """Open the sweep, and take all that comes until the connection is closed; the last item tells the code."""
    found: list[dict[str, Any]] = []
    n_shown = 0
    try:
        await viewer.send('{"type": "open"}')
        while True:
            found.append(json.loads(await viewer.recv()))
            if acks and found[-1]["type"] in ("snapshot", "delta", "status", "points"):
                n_shown += 1
                await viewer.send(json.dumps({"type": "ack", "received": n_shown}))
    except ConnectionClosed as error:
        return [*found, {"type": "closed", "code": None if error.rcvd is None else error.rcvd.code}]


# -- arguments ----------------------------------------------------------------------------------------------------------


async def test_the_link_opens_the_page_and_has_the_tokens_where_no_server_sees_them() -> None:
    async with waiting() as run, serve(run, control=True) as viewer, httpx.AsyncClient() as client:
        base, _, fragment = viewer.url.partition("#")
        assert base == f"http://127.0.0.1:{viewer.port}/"
        tokens = dict(item.split("=") for item in fragment.split("&"))
        assert set(tokens) == {"token", "control"}
        assert tokens["token"] != tokens["control"]
        page = await client.get(base)
        assert (page.status_code, page.text) == (200, (assets.PAGE / "index.html").read_text())
        assert not any(token in repr(viewer) for token in tokens.values())


async def test_the_address_in_the_link_is_the_one_that_is_visited() -> None:
    async with waiting() as run:
        for options, base in (
            ({"host": "localhost"}, "http://127.0.0.1:{}/"),  # at the other one somebody else may listen
            ({"host": "::1"}, "http://[::1]:{}/"),
            ({"host": "0.0.0.0", "allow_remote": True, "hosts": ["127.0.0.1"]}, "http://127.0.0.1:{}/"),
            ({"host": "0.0.0.0", "allow_remote": True, "hosts": ["lab.example:80"]}, "http://lab.example:80/"),
        ):
            async with serve(run, **options) as viewer:  # type: ignore[arg-type]
                assert viewer.url.partition("#")[0] == base.format(viewer.port)
                if "lab" not in base:
                    async with httpx.AsyncClient() as client:
                        assert (await client.get(viewer.url)).status_code == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": 70000}, "port=70000: expected a whole number from 0 to 65535"),
        ({"port": "8080"}, "port='8080': expected"),
        ({"host": ""}, "host='': expected an address of this computer"),
        ({"host": None}, "host=None: expected an address of this computer"),
        ({"host": "no.such.name.invalid"}, "host='no.such.name.invalid': there is no address for it"),
        ({"host": "192.0.2.1", "allow_remote": True}, "host='192.0.2.1': it cannot be listened at"),
        ({"host": "0.0.0.0", "allow_remote": True}, "hosts=['192.168.1.5', 'lab.example']"),
        ({"allow_remote": 1}, "allow_remote=1: expected True or False"),
        ({"token": "short"}, "token: its 5 characters"),
        ({"control_token": TOKEN}, "control_token: nobody may steer without control=True"),
        ({"hosts": "lab.example"}, "hosts='lab.example': expected a list"),
        ({"origins": ["*"]}, "origins: '*'"),
    ],
)
async def test_a_wrong_argument_is_named_with_its_mend(options: dict[str, Any], said: str) -> None:
    async with waiting() as run:
        with pytest.raises(sw.ConfigError) as caught:
            async with serve(run, **options):
                pass
        assert said in str(caught.value)


async def test_a_port_that_is_taken_is_named() -> None:
    async with waiting() as run, serve(run) as viewer:
        with pytest.raises(
            sw.ConfigError, match=rf"^port={viewer.port}: something else at 127\.0\.0\.1 has it; take another"
        ):
            async with serve(run, port=viewer.port):
                pass


async def test_a_port_is_free_again_at_once() -> None:
    async with waiting() as run:
        port = 0
        for _ in range(3):
            async with serve(run, port=port, token=TOKEN) as viewer, Door(viewer.port, "/").connected() as connection:
                port = viewer.port
                await connection.recv()


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "runs=[]: there is nothing to see"),
        ({}, "runs={}: there is nothing to see"),
        (5, "runs: 5: expected a run"),
        ([None], "runs: None: expected a run"),
        ({"": "x"}, "runs: the name '': expected a text that is not empty"),
        ({5: "x"}, "runs: the name 5"),
        ("no-such-directory", "no-such-directory"),
        (sw.Sweep(one, **QUICK, n_trials=1), "expected a run"),
        (sw.Sweep(one, **QUICK, n_trials=1).start(), "the sweep has not started"),
    ],
    ids=[
        "none",
        "no names",
        "a number",
        "no run",
        "no name",
        "a number for a name",
        "no directory",
        "a sweep",
        "not started",
    ],
)
async def test_what_cannot_be_shown_is_named(runs: Any, said: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        async with serve(runs):
            pass
    assert said in str(caught.value)


async def test_a_failed_start_leaves_nothing() -> None:
    async with waiting() as run, nothing_left():
        for runs, options in (([run, "no-such-directory"], {}), (run, {"host": "192.0.2.1", "allow_remote": True})):
            with pytest.raises(sw.ConfigError):
                async with serve(runs, **options):  # type: ignore[arg-type]
                    pass


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(package: str) -> None:
        raise sw.ConfigError(f"the viewer needs {package}: pip install it")

    monkeypatch.setattr(serving, "check_installed", check)
    async with waiting() as run:
        with pytest.raises(sw.ConfigError, match="the viewer needs websockets"):
            async with serve(run):
                pass


# -- what is shown ------------------------------------------------------------------------------------------------------


async def test_several_sweeps_have_a_name_each(tmp_path: Path) -> None:
    await sw.Sweep(one, **QUICK, n_trials=1, directory=tmp_path / "finished").run()
    async with waiting() as run:
        for runs, names in (
            ([run, run], ["sweep", "sweep (2)"]),
            ({"mine": run, "other": tmp_path / "finished"}, ["mine", "other"]),
            ([RunSource(run, "by hand"), str(tmp_path / "finished")], ["by hand", "finished"]),
            (tmp_path / "finished", ["finished"]),
        ):
            async with nothing_left(), opened("serve", runs) as door, door.connected() as viewer:
                assert json.loads(await viewer.recv())["sweeps"] == names
                await viewer.send(json.dumps({"type": "open", "sweep": names[-1]}))
                assert json.loads(await viewer.recv())["sweep"] == names[-1]


# -- the end ------------------------------------------------------------------------------------------------------------


async def busy(door: Door, tasks: anyio.abc.TaskGroup) -> list[socket.socket]:
    """Have viewers of every kind: that read, acknowledge nothing, read nothing; and half-open ones, and one that reads no answer."""
    ready = anyio.Event()

    async def view(*, acks: bool) -> None:
        async with door.connected() as viewer:
            await viewer.recv()
            ready.set()
            await messages(viewer, acks=acks)

    tasks.start_soon(lambda: view(acks=True))
    tasks.start_soon(lambda: view(acks=False))
    await ready.wait()
    found = []
    for data in (b"", b"GET / HT", f"GET /assets/plotly.min.js HTTP/1.1\r\nHost: {door.host}\r\n\r\n".encode()):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", door.port))
        sock.send(data)
        found.append(sock)
    lazy = socket.socket()
    await until(Flood(lazy, door).is_stuck)
    return [*found, lazy]


class Mine(Exception):
    pass


@pytest.mark.parametrize("way", ["normally", "by an exception", "by cancellation"])
async def test_leaving_takes_a_bounded_time_and_leaves_nothing_behind(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_small_buffers(monkeypatch)
    async with waiting() as run, nothing_left():
        socks: list[socket.socket] = []
        with anyio.fail_after(server.CLOSE_S + WAIT_S):
            async with anyio.create_task_group() as tasks:
                try:
                    with anyio.CancelScope() as scope:
                        async with opened("serve", run) as door:
                            socks += await busy(door, tasks)
                            if way == "by an exception":
                                raise Mine
                            if way == "by cancellation":
                                scope.cancel()
                                await anyio.sleep_forever()
                except Mine:
                    assert way == "by an exception"
                assert scope.cancelled_caught is (way == "by cancellation")
        for sock in socks:
            sock.close()
        await anyio.wait_all_tasks_blocked()


async def test_viewers_see_the_end_of_a_sweep_before_they_are_closed() -> None:
    seen: list[dict[str, Any]] = []
    async with (
        anyio.create_task_group() as tasks,
        sw.Sweep(one, **QUICK, n_trials=30).start() as run,
        opened("serve", run) as door,
    ):
        ready = anyio.Event()

        async def view() -> None:
            async with door.connected() as viewer:
                seen.append(json.loads(await viewer.recv()))
                ready.set()
                seen.extend(await messages(viewer))

        tasks.start_soon(view)
        await ready.wait()
        await run.result()
    statuses = [message for message in seen if message["type"] == "status"]
    assert statuses[-1]["state"] == "ENDED"
    assert statuses[-1]["counts"]["COMPLETE"] == 30
    rows = {row[0]: row[1] for message in seen for row in message.get("rows", ())}
    assert rows == dict.fromkeys(range(30), "COMPLETE")
    assert seen[-1] == {"type": "closed", "code": 1001}


async def test_a_viewer_that_acknowledges_nothing_holds_up_the_end_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "LAST_S", 0.2)
    with anyio.fail_after(WAIT_S):
        async with (
            anyio.create_task_group() as tasks,
            sw.Sweep(one, **QUICK, n_trials=3).start() as run,
            opened("serve", run) as door,
        ):
            ready = anyio.Event()

            async def view() -> None:
                async with door.connected() as viewer:
                    await viewer.recv()
                    ready.set()
                    assert (await messages(viewer, acks=False))[-1]["code"] == 1001

            tasks.start_soon(view)
            await ready.wait()
            await run.result()


async def test_a_dead_viewer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PING_S", 0.1)
    async with waiting() as run, opened("serve", run) as door:
        with anyio.fail_after(WAIT_S):
            async with await anyio.connect_tcp("127.0.0.1", door.port) as stream:
                await stream.send(door.upgrade_request())
                data = b""
                while b"keepalive ping timeout" not in data:  # it reads, and answers no ping
                    data += await stream.receive()


# -- faults -------------------------------------------------------------------------------------------------------------


async def test_a_viewer_that_breaks_the_protocol_is_told_why() -> None:
    async with waiting() as run, opened("serve", run) as door, door.connected() as viewer:
        await viewer.recv()
        await viewer.send("no message")
        with pytest.raises(ConnectionClosed) as caught:
            await viewer.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert caught.value.rcvd.reason


async def test_a_fault_of_the_viewer_ends_neither_the_sweep_nor_the_server_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(hub: Hub) -> None:
        raise RuntimeError("planted")

    async with waiting() as run, opened("serve", run) as door:
        monkeypatch.setattr(Hub, "pull", broken)
        for _ in range(3):
            async with door.connected() as viewer:
                assert (await messages(viewer))[-1]["code"] == 1011
        monkeypatch.undo()
        async with door.connected() as viewer:
            await viewer.recv()
            await viewer.send('{"type": "open"}')
            assert json.loads(await viewer.recv())["type"] == "snapshot"
        assert not run.is_over
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in errors] == ["the viewer failed, the sweep goes on"]
    assert errors[0].exc_info is not None
    assert str(errors[0].exc_info[1]) == "planted"


async def test_a_fault_in_an_answer_is_one_of_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("planted")

    async with waiting() as run, opened("serve", run) as door:
        monkeypatch.setattr(server, "answer", broken)
        replies = [await door.request("GET", "") for _ in range(3)]
        assert [reply.status for reply in replies] == [500] * 3
        assert b"planted" not in replies[0].body
    assert [record.getMessage() for record in caplog.records] == ["the viewer failed, the sweep goes on"]


async def test_refusals_that_somebody_can_mend_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with waiting() as run, opened("serve", run) as door:
        for _ in range(5):
            await door.request("GET", "", host="lab.example\x1b[31m")
            await door.request("GET", "", host="lab.example")
            await door.upgrade(door.tokens(), "http://lab.example")
            await door.upgrade()
            await door.request("GET", "none")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "'lab.example'" in said[0]
    assert 'hosts=["lab.example:8080"]' in said[0]
    assert "'http://lab.example'" in said[1]


async def test_the_sweep_runs_to_its_end_beside_viewers_that_come_and_go() -> None:
    async with sw.Sweep(one, **QUICK, n_trials=200, concurrency=4).start() as run, opened("serve", run) as door:
        while not run.is_over:
            async with door.connected() as viewer:
                await viewer.recv()
                await viewer.send('{"type": "open"}')
                await viewer.recv()
                viewer.transport.abort()
        assert (await run.result()).counts[sw.State.COMPLETE] == 200


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_under_trio_it_says_what_to_do() -> None:
    async with waiting() as run:
        with pytest.raises(
            sw.ConfigError, match=r"^serve\(\): it runs on asyncio alone; on trio, mount sw\.viewer\.asgi"
        ):
            async with serve(run):
                pass
