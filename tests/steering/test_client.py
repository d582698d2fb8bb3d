"""The client believes no control file: it asks what listens in a folder of our own, about the directory that is meant (S23)."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import asyncsweep as sw
from asyncsweep.steering import runtime
from asyncsweep.steering.client import Client, NotRunning


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The folder of a sweep that does not run."""
    path = tmp_path / "sweep"
    path.mkdir()
    (path / "journal.asyncsweep").touch()
    return path


@contextmanager
def listening(path: str, *answers: bytes) -> Iterator[list[bytes]]:
    """Somebody listens there and gives these answers to the first who comes; gives what was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()

        def serve() -> None:
            connection, _ = sock.accept()
            with connection:
                for answer in answers:
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield asked
            thread.join()
        finally:
            os.unlink(path)


def notice(directory: Path, content: Any) -> None:
    (directory / "control").write_text(json.dumps(content))


def socket_path() -> str:
    return runtime.new_path(runtime.folder())


def test_a_sweep_that_does_not_run_is_told(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=r"sweep: the sweep is not running$"):
        Client(directory)
    with pytest.raises(NotRunning, match=r": there is no sweep in it$"):
        Client(tmp_path)
    with pytest.raises(NotRunning, match=r"none: there is no such folder$"):
        Client(tmp_path / "none")


def test_what_a_killed_process_left_is_told_and_removed_by_the_next(directory: Path, runtime_folder: Path) -> None:
    path = socket_path()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    runtime.write_notice(directory, path)
    with pytest.raises(
        NotRunning, match=rf"the sweep is not running \(process {os.getpid()}, which ran it, has ended\)"
    ):
        Client(directory)
    runtime.remove_left(str(runtime_folder))
    assert os.path.exists(path)  # it may be about to listen
    os.utime(path, (0, 0))
    runtime.remove_left(str(runtime_folder))
    assert not os.path.exists(path)
    with pytest.raises(NotRunning, match="which is no socket of ours"):
        Client(directory)


def test_a_socket_that_somebody_listens_to_is_not_removed(runtime_folder: Path) -> None:
    path = socket_path()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        os.utime(path, (0, 0))
        runtime.remove_left(str(runtime_folder))
        assert os.path.exists(path)
        os.unlink(path)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"socket": 1, "pid": 2, "version": "3"}, {"socket": "x", "pid": True, "version": "3"}, "x" * 10_000],
    ids=str,
)
def test_a_file_that_is_no_control_file_is_told(directory: Path, content: Any) -> None:
    notice(directory, content)
    with pytest.raises(NotRunning, match=r"the sweep is not running \("):
        Client(directory)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_in_its_place_is_neither_followed_nor_waited_for(
    directory: Path, tmp_path: Path, kind: str
) -> None:
    path = directory / "control"
    if kind == "link":
        runtime.write_notice(tmp_path, socket_path())
        path.symlink_to(tmp_path / "control")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises((OSError, ValueError)):
        runtime.read_notice(directory)
    with pytest.raises(NotRunning, match="the sweep is not running"):
        Client(directory)


def hostile_sockets(elsewhere: str, ours: str) -> dict[str, str]:
    """Paths that a foreign control file may name, by what is wrong with them; each leads to a socket."""
    link = os.path.join(ours, "link.sock")
    os.symlink("real", link)
    return {
        "elsewhere": os.path.join(elsewhere, "x.sock"),
        "up": f"{ours}/../{os.path.basename(ours)}/x.sock",
        "another ending": os.path.join(ours, "agent"),
        "a link in our folder": link,
        "abstract": "\0asyncsweep",
        "relative": "asyncsweep/x.sock",
        "a zero byte": f"{ours}/x\0.sock",
        "too long": os.path.join(ours, "x" * 200 + ".sock"),
    }


def test_a_socket_that_is_not_in_our_own_folder_is_never_connected_to(directory: Path) -> None:
    ours = runtime.folder()
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as elsewhere, ExitStack() as stack:
        hostile = hostile_sockets(elsewhere, ours)
        for path in (hostile["elsewhere"], hostile["another ending"], os.path.join(ours, "real")):
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(path)
        stack.callback(lambda: [os.unlink(os.path.join(ours, name)) for name in os.listdir(ours)])
        for what, path in hostile.items():
            notice(directory, {"socket": path, "pid": 1, "version": "1"})
            with pytest.raises(NotRunning, match="which is no socket of ours"):
                Client(directory)
            assert not runtime.is_ours(path), what


def test_a_folder_that_others_can_open_is_not_ours(directory: Path, runtime_folder: Path) -> None:
    path = socket_path()
    with listening(path, b'{"ok": true}\n'):
        notice(directory, {"socket": path, "pid": 1, "version": "1"})
        runtime_folder.chmod(0o750)
        with pytest.raises(NotRunning, match="which is no socket of ours"):
            Client(directory)
        runtime_folder.chmod(0o700)
        with Client(directory) as client:
            client.request("status")


def test_what_listens_is_told_which_directory_is_meant(directory: Path) -> None:
    path = socket_path()
    with listening(path, b'{"ok": true}\n') as asked:
        runtime.write_notice(directory, path)
        with Client(directory) as client:
            client.request("stop", now=True)
    status = directory.stat()
    assert json.loads(asked[0]) == {"command": "stop", "now": True, "directory": [status.st_dev, status.st_ino]}


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(directory: Path) -> None:
    path = socket_path()
    with listening(path):
        runtime.write_notice(directory, path)
        with Client(directory) as client, pytest.raises(NotRunning, match="the sweep ended before it answered"):
            client.request("status")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        with (
            Client(directory, timeout_s=0.05) as client,
            pytest.raises(NotRunning, match=r"does not answer within 0.05 s"),
        ):
            client.request("status")
    os.unlink(path)


def test_another_user_in_its_place_is_not_talked_to(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = socket_path()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        runtime.write_notice(directory, path)
        monkeypatch.setattr(runtime, "user_of", lambda sock: os.getuid() + 1)
        with pytest.raises(NotRunning, match=rf"the user {os.getuid() + 1} listens in its place"):
            Client(directory)
    os.unlink(path)


@pytest.mark.anyio
async def test_a_copied_control_file_stops_no_other_sweep(directory: Path, tmp_path: Path) -> None:
    """The file of a foreign sweep may name the socket of another sweep of ours."""
    hold = anyio.Event()

    async def objective(x: float) -> float:
        await hold.wait()
        return x

    def stop(path: Path) -> None:
        with Client(path) as client:
            client.request("stop", now=True)

    mine = tmp_path / "mine"
    sweep = sw.Sweep(objective, {"x": sw.Float(0, 1)}, n_trials=1, directory=mine, sampler="random")
    async with sweep.start() as run, sw.control(run):
        (directory / "control").write_bytes((mine / "control").read_bytes())
        with pytest.raises(sw.ConfigError, match="this socket is another sweep's"):
            await anyio.to_thread.run_sync(stop, directory)
        assert not run.is_stopping
        mine.rename(tmp_path / "renamed")
        await anyio.to_thread.run_sync(stop, tmp_path / "renamed")  # it is known by what it is, not by its name
        assert (await run.result()).counts[sw.State.CANCELLED] == 1
        (tmp_path / "renamed").rename(mine)


# -- the folder --------------------------------------------------------------------------------------------------------


def test_the_folder_is_made_private_whatever_the_umask(runtime_folder: Path) -> None:
    before = os.umask(0o777)
    try:
        assert runtime.folder() == str(runtime_folder)
    finally:
        os.umask(before)
    assert runtime_folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("fault", ["a file", "a link", "open to others", "too long", "relative", "open above", "unset"])
def test_a_runtime_folder_that_does_not_serve_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    above = tmp_path / ("x" * 80 if fault == "too long" else "run")
    above.mkdir(0o700)
    path = above / "asyncsweep"
    if fault == "a file":
        path.touch()
    elif fault == "a link":
        (above / "real").mkdir(0o700)
        path.symlink_to(above / "real")
    elif fault == "open to others":
        path.mkdir()
        path.chmod(0o755)
    elif fault == "open above":
        above.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", {"relative": "run", "unset": ""}.get(fault, str(above)))
    monkeypatch.chdir(tmp_path)
    assert runtime.folder() == f"/tmp/asyncsweep-{os.getuid()}"


def test_a_path_of_a_socket_fits_into_107_bytes_at_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    within = "/" + "x" * 76
    monkeypatch.setattr(os, "getpid", lambda: 2**22)
    assert len(runtime.new_path(within)) <= 107 and runtime._is_short(os.path.join(within, "x" * 29))
    monkeypatch.setattr(runtime, "_candidates", lambda: ["/" + "x" * 77])
    with pytest.raises(OSError, match="is too long for the path of a socket, of at most 107 bytes"):
        runtime.folder()
