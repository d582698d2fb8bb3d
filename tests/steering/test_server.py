"""`sw.control`: a running sweep answers on a socket, to its own user alone, and is never held up."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.logs import Log
from asyncsweep.steering import runtime, server
from asyncsweep.steering.client import Client
from tests.leaks import nothing_left

pytestmark = pytest.mark.anyio


class Held:
    """An objective whose trials run until they are let go."""

    def __init__(self) -> None:
        self.go = anyio.Event()

    async def __call__(self, trial: Any) -> float:
        trial.report(trial.params["x"], 0)
        await self.go.wait()
        return float(trial.params["x"])


@asynccontextmanager
async def steered(
    directory: Path | None, n_trials: int = 4, **settings: Any
) -> AsyncIterator[tuple[sw.SweepRun, Held, str]]:
    """A sweep under way with two trials running, its objective, and its socket."""
    held = Held()
    settings = {"sampler": "random", "seed": 1, "concurrency": 2, **settings}
    sweep = sw.Sweep(held, {"x": sw.Float(0, 1)}, n_trials=n_trials, directory=directory, **settings)
    async with sweep.start() as run:
        async with sw.control(run) as address:
            assert address is not None
            await until(lambda: run.counts[sw.State.RUNNING] == 2)
            yield run, held, address
        held.go.set()


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not is_so():
            await anyio.lowlevel.checkpoint()


async def ask(directory: Path, command: str, **fields: Any) -> dict[str, Any]:
    def request() -> dict[str, Any]:
        with Client(directory) as client:
            return client.request(command, **fields)

    return await anyio.to_thread.run_sync(request)


async def say(address: str, *lines: bytes) -> list[dict[str, Any]]:
    """What is answered to lines as they are, until the other end closes or as many answers as lines have come."""
    async with await anyio.connect_unix(address) as stream:
        with suppress(anyio.BrokenResourceError):  # it was refused already
            await stream.send(b"".join(line + b"\n" for line in lines))
        data = b""
        while data.count(b"\n") < len(lines):
            try:
                data += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                break
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "sweep"


# -- commands ----------------------------------------------------------------------------------------------------------


async def test_the_status_tells_how_the_sweep_stands(directory: Path) -> None:
    async with steered(directory) as (_run, _, _address):
        status = await ask(directory, "status")
    assert status.pop("elapsed_s") >= 0 and status.pop("ok") is True
    running = status.pop("running")
    assert [(one["trial"], one["attempt"], one["last_report"]) for one in running] == [
        (number, 1, [0, one["params"]["x"]]) for number, one in enumerate(running)
    ]
    assert status == {
        "pid": os.getpid(),
        "name": "sweep",
        "directory": str(directory),
        "counts": {"WAITING": 0, "RUNNING": 2, "COMPLETE": 0, "PRUNED": 0, "FAILED": 0, "CANCELLED": 0},
        "n_trials": 4,
        "is_paused": False,
        "is_stopping": False,
        "is_over": False,
        "best": None,
    }


async def test_a_stop_lets_running_trials_end(directory: Path) -> None:
    async with steered(directory) as (run, held, _):
        for _ in range(2):
            answer = await ask(directory, "stop", reason="enough")
            assert answer == {"ok": True, "is_paused": False, "is_stopping": True, "is_over": False, "n_running": 2}
        held.go.set()
        result = await run.result()
        assert (await ask(directory, "stop"))["is_over"] is True
    assert result.reason == "enough" and result.counts[sw.State.COMPLETE] == 2


async def test_a_stop_now_ends_running_trials(directory: Path) -> None:
    async with steered(directory) as (run, _, _address):
        await ask(directory, "stop", now=True)
        result = await run.result()
    assert result.counts[sw.State.CANCELLED] == 2


async def test_a_pause_holds_until_it_is_undone_and_may_be_repeated(directory: Path) -> None:
    async with steered(directory) as (run, held, _):
        assert [(await ask(directory, "pause"))["is_paused"] for _ in range(2)] == [True, True]
        held.go.set()
        await until(lambda: not run.counts[sw.State.RUNNING])
        assert len(run.trials) < 4 or run.counts[sw.State.WAITING]
        assert [(await ask(directory, "unpause"))["is_paused"] for _ in range(2)] == [False, False]
        assert (await run.result()).counts[sw.State.COMPLETE] == 4


async def test_one_trial_is_cancelled(directory: Path) -> None:
    async with steered(directory) as (run, held, _):
        for _ in range(2):
            assert (await ask(directory, "cancel", trial=1))["trial"] == 1
        held.go.set()
        assert (await run.result()).trials[1].state is sw.State.CANCELLED


async def test_parameters_are_enqueued(directory: Path) -> None:
    async with steered(directory) as (run, held, _):
        await ask(directory, "enqueue", params={"x": 0.25})
        held.go.set()
        assert 0.25 in [trial.params["x"] for trial in (await run.result()).trials]


REFUSED = [
    (b"", "a request is one JSON object in one line: Expecting value"),
    (b"\xff\xfe{}", "a request is one JSON object in one line"),
    (b"[" * 60_000, "a request is one JSON object in one line"),
    (b"9" * 60_000, "a request is one JSON object in one line"),
    (b"[]", 'a request is a JSON object such as {"command": "status"}'),
    (b'{"command": ["stop"]}', "a request is a JSON object such as"),
    (b'{"command": "stopp"}', "there is no command 'stopp' (did you mean 'stop'?); there are: cancel, enqueue, log, pa"),
    (b'{"command": "__init__"}', "there is no command '__init__'; there are"),
    (b'{"command": "stop", "nwo": 1}', "stop: it takes no 'nwo', but: now, reason"),
    (b'{"command": "stop", "now": 1}', "now=1: expected True or False"),
    (b'{"command": "stop", "reason": 3}', "reason=3"),
    (b'{"command": "cancel"}', "cancel: it needs 'trial'"),
    (b'{"command": "cancel", "trial": true}', "there is no trial True; the sweep has 2"),
    (b'{"command": "cancel", "trial": 2}', "there is no trial 2; the sweep has 2"),
    (b'{"command": "enqueue", "params": 1}', "params=1 is of type int"),
    (b'{"command": "enqueue", "params": {"y": 1}}', "'y'"),
    (b'{"command": "enqueue", "params": {"x": 7}}', "parameter 'x': 7 (int) is not accepted"),
    (b'{"command": "log"}', "log: it needs 'trial'; those of all trials can only be followed"),
    (b'{"command": "log", "trial": 0, "attempt": 0}', "attempt=0: expected a whole number >= 1"),
    (b'{"command": "log", "trial": 0, "attempt": 2}', "attempt=2: trial 0 has had 1"),
    (b'{"command": "log", "trial": 0, "offset": "0"}', "offset='0': expected a whole number"),
    (b'{"command": "log", "trial": 9, "follow": true}', "there is no trial 9"),
    (b'{"command": "log", "trial": null, "offset": [], "follow": true}', "offset=[]: expected a whole number"),
    (b'{"command": "log", "trial": 0, "follow": 1}', "follow=1: expected True or False"),
    (b'{"command": "status", "directory": [1, 2]}', "this socket is another sweep's"),
    (b'{"command": "status", "directory": null}', "this socket is another sweep's"),
]  # fmt: skip


async def test_what_cannot_be_answered_is_an_error_and_the_sweep_goes_on(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with steered(directory) as (run, held, address):
        for line, error in REFUSED:
            answers = await say(address, line, b'{"command": "status"}')
            assert list(answers[0]) == ["error"] and error in answers[0]["error"]
            assert answers[1]["counts"]["RUNNING"] == 2
        held.go.set()
        assert (await run.result()).counts[sw.State.COMPLETE] == 4
    assert caplog.records == []


async def test_several_requests_may_come_in_one_packet(directory: Path) -> None:
    async with steered(directory) as (_, _held, address):
        answers = await say(address, b'{"command": "pause"}', b'{"command": "unpause"}', b'{"command": "status"}')
    assert [answer["is_paused"] for answer in answers] == [True, False, False]


# -- the end of it -----------------------------------------------------------------------------------------------------


async def test_the_control_file_names_the_socket_and_goes_with_it(directory: Path, runtime_folder: Path) -> None:
    before = os.umask(0)
    try:
        async with nothing_left(), steered(directory) as (_, _held, address):
            assert json.loads((directory / "control").read_text()) == {
                "socket": address,
                "pid": os.getpid(),
                "version": sw.__version__,
            }
            modes = [
                stat.S_IMODE(path.stat().st_mode) for path in (directory / "control", Path(address), runtime_folder)
            ]
            assert modes == [0o600, 0o600, 0o700]
            assert Path(address).parent == runtime_folder
    finally:
        os.umask(before)
    assert not (directory / "control").exists() and os.listdir(runtime_folder) == []


async def test_nothing_is_left_when_the_sweep_is_cancelled_while_others_are_connected(
    directory: Path, runtime_folder: Path
) -> None:
    async with nothing_left():
        with anyio.CancelScope() as scope:
            async with steered(directory) as (_, _held, address), await anyio.connect_unix(address) as stream:
                await stream.send(b'{"command": "log", "trial": null, "follow": true}\n{"command"')
                scope.cancel()
                await anyio.sleep_forever()
    assert not (directory / "control").exists() and os.listdir(runtime_folder) == []


async def test_an_error_of_the_body_comes_out_as_it_is(directory: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with steered(directory):
            _ = 1 / 0


async def test_a_sweep_in_memory_has_an_address_and_no_file(runtime_folder: Path) -> None:
    async with steered(None) as (_, _held, address):
        answers = await say(address, b'{"command": "status"}', b'{"command": "log", "trial": 0}')
    assert (answers[0]["name"], answers[0]["directory"]) == (None, None)
    assert answers[1] == {"error": "log(): a sweep in memory keeps no output; give Sweep(directory=...)"}


async def test_a_run_that_has_not_started_is_refused() -> None:
    run = sw.Sweep(Held(), {"x": sw.Float(0, 1)}, n_trials=1).start()
    with pytest.raises(sw.ConfigError, match="the sweep has not started"):
        async with sw.control(run):
            pass


async def test_without_a_runtime_folder_the_sweep_runs_and_a_warning_says_why(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:  # the folders of tests have long names
        monkeypatch.setattr(runtime, "_candidates", lambda: [file.name, "/" + "x" * 100])
        await _run_without_a_socket(directory, caplog)


async def _run_without_a_socket(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    held.go.set()
    sweep = sw.Sweep(held, {"x": sw.Float(0, 1)}, n_trials=2, directory=directory, sampler="random")
    async with nothing_left(), sweep.start() as run, sw.control(run) as address:
        assert address is None
        assert (await run.result()).counts[sw.State.COMPLETE] == 2
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and "cannot be steered" in warnings[0] and "is no folder" in warnings[0]
    assert "too long for the path of a socket" in warnings[0]
    assert not (directory / "control").exists()


async def test_a_directory_that_takes_no_control_file_leaves_no_socket(
    directory: Path, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(runtime, "write_notice", full)
    held = Held()
    held.go.set()
    sweep = sw.Sweep(held, {"x": sw.Float(0, 1)}, n_trials=1, directory=directory, sampler="random")
    async with sweep.start() as run, sw.control(run) as address:
        assert address is None
    assert os.listdir(runtime_folder) == []


# -- who may, and how much ---------------------------------------------------------------------------------------------


async def test_another_user_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "user_of", lambda sock: os.getuid() + 1)
    async with steered(directory) as (run, _, address):
        answers = await say(address, b'{"command": "stop"}')
        assert answers == [{"error": f"the sweep is run by the user {os.getuid()}, and you are {os.getuid() + 1}"}]
        assert not run.is_stopping


async def test_the_system_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert runtime.user_of(ours) == os.getuid()


async def test_a_request_that_is_too_long_ends_its_connection(directory: Path) -> None:
    async with steered(directory) as (_, _held, address):
        answers = await say(address, b'{"command": "' + b"x" * 70_000, b'{"command": "status"}')
    assert answers == [{"error": "a request has at most 65536 bytes"}]


async def test_there_are_at_most_16_connections(directory: Path) -> None:
    async with steered(directory) as (_, _held, address), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(await anyio.connect_unix(address)) for _ in range(server.MOST_CONNECTIONS)
        ]
        for stream in streams:
            await stream.send(b'{"command": "status"}\n')
            await stream.receive()
        [answer] = await say(address, b'{"command": "status"}')
        assert answer["error"].startswith("there are 16 connections to this sweep already")
        await streams[0].aclose()
        with anyio.fail_after(20):
            while "error" in (await say(address, b'{"command": "status"}'))[0]:
                await anyio.lowlevel.checkpoint()


async def test_a_connection_without_a_request_is_closed_after_a_while(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.05)
    async with steered(directory) as (_, _held, address), await anyio.connect_unix(address) as stream:
        await stream.send(b'{"command": "sta')
        with anyio.fail_after(20), pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_a_client_that_does_not_read_is_given_up_and_holds_up_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TAKE_S", 0.05)
    async with steered(directory) as (run, held, address):
        async with await anyio.connect_unix(address) as stream:
            with anyio.fail_after(20):
                with suppress(anyio.BrokenResourceError):
                    while True:
                        await stream.send(b'{"command": "status"}\n' * 100)
                assert (await say(address, b'{"command": "status"}'))[0]["is_over"] is False
        held.go.set()
        assert (await run.result()).counts[sw.State.COMPLETE] == 4


@pytest.mark.parametrize("how", ["closes", "does not read"])
async def test_who_ends_to_follow_is_no_fault_that_is_logged(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    ended = anyio.Event()

    async def printed(run: sw.SweepRun, offset: int) -> AsyncIterator[tuple[int, Log]]:
        try:
            while True:
                yield 0, Log(1, b"x" * 65536, 0, 65536, 65536, 0, False)
        finally:
            ended.set()

    monkeypatch.setattr(server, "follow_all", printed)
    monkeypatch.setattr(server, "TAKE_S", 60.0 if how == "closes" else 0.05)
    async with steered(directory) as (_, _held, address):
        async with await anyio.connect_unix(address) as stream:
            await stream.send(b'{"command": "log", "trial": null, "follow": true}\n')
            await stream.receive()
            if how == "closes":
                await stream.aclose()
            with anyio.fail_after(20):
                await ended.wait()
        assert (await say(address, b'{"command": "status"}'))[0]["ok"]
    assert caplog.records == []


async def test_a_fault_of_ours_is_logged_and_answered(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sw.SweepRun, "pause", lambda run: 1 / 0)
    async with steered(directory) as (_, _held, address):
        answers = await say(address, b'{"command": "pause"}', b'{"command": "status"}')
    assert answers[0] == {"error": "ZeroDivisionError: division by zero"} and answers[1]["ok"]
    assert [record.message for record in caplog.records] == [
        """a request to the sweep failed: b'{"command": "pause"}'"""
    ]
