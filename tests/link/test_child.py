"""Child processes with a link."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.link import child as children
from asyncsweep.link.child import Child, start
from tests.leaks import has_ended, nothing_left

pytestmark = pytest.mark.anyio


async def started(tmp_path: Path, code: str) -> Child:
    """A child that runs `code`, in which `sock` is its end of the link."""
    module = tmp_path / "the_child.py"
    module.write_text(f"import os, signal, socket, sys, time\nsock = socket.socket(fileno=int(sys.argv[1]))\n{code}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        return await start("the_child", subprocess.DEVNULL)


async def heard(child: Child) -> bytes:
    """What the child says on the link."""
    with anyio.fail_after(10):
        await anyio.wait_readable(child.sock)
    return child.sock.recv(100)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("", "exit code 0"),
        ("sys.exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", f"killed by signal {signal.SIGRTMIN + 1}"),
    ],
)
async def test_the_end_of_a_child_is_named(tmp_path: Path, code: str, end: str) -> None:
    async with nothing_left():
        child = await started(tmp_path, code)
        await child.wait()
        assert child.reap() == end


async def test_a_child_that_the_application_reaped_has_ended_and_its_link_is_closed(tmp_path: Path) -> None:
    async with nothing_left():
        child = await started(tmp_path, "sys.exit(3)")
        await anyio.to_thread.run_sync(os.waitpid, child.pid, 0)
        with anyio.fail_after(10):
            await child.wait()
        assert (child.reap(), child.reap(), child.sock.fileno()) == ("exit code unknown", "exit code unknown", -1)


@pytest.mark.parametrize("has_pidfds", [True, False])
async def test_a_child_ends_while_the_application_ignores_sigchld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pidfds: bool
) -> None:
    if not has_pidfds:
        monkeypatch.delattr(os, "pidfd_open")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        async with nothing_left():
            child = await started(tmp_path, "sock.recv(1)")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child.wait)
                await anyio.wait_all_tasks_blocked()
                child.sock.sendall(b"!")
            assert child.reap() == "exit code unknown"
    finally:
        signal.signal(signal.SIGCHLD, before)


async def test_a_child_and_its_parent_talk(tmp_path: Path) -> None:
    async with nothing_left():
        child = await started(tmp_path, "sock.sendall(sock.recv(100).upper())")
        child.sock.sendall(b"hello")
        assert await heard(child) == b"HELLO"
        child.reap()


async def test_a_child_leads_a_group_of_its_own(tmp_path: Path) -> None:
    child = await started(tmp_path, "sock.sendall(b'%d %d' % (os.getpid(), os.getpgrp())); time.sleep(60)")
    pid, group = map(int, (await heard(child)).split())
    child.reap()
    assert pid == group != os.getpgrp()


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    child = await started(
        tmp_path,
        "signal.signal(15, signal.SIG_IGN)\npid = os.fork()\nif pid: sock.sendall(b'%d' % pid)\nelse: time.sleep(60)",
    )
    grandchild = int(await heard(child))
    with anyio.fail_after(10):
        await child.wait()
    assert (child.reap(), has_ended(grandchild, within_s=0)) == ("exit code 0", True)


async def test_reaping_a_child_that_runs_ends_it_and_what_it_started(tmp_path: Path) -> None:
    child = await started(tmp_path, "pid = os.fork()\nif pid: sock.sendall(b'%d' % pid)\ntime.sleep(60)")
    grandchild = int(await heard(child))
    assert (child.reap(), has_ended(grandchild, within_s=0)) == ("killed by SIGKILL", True)


async def test_a_signal_after_the_end_hits_nobody(tmp_path: Path) -> None:
    child = await started(tmp_path, "")
    await child.wait()
    child.reap()
    child.signal_group(signal.SIGKILL)
    assert child.reap() == "exit code 0"


async def test_waiting_works_without_pidfds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    child = await started(tmp_path, "sys.exit(4)")
    with anyio.fail_after(10):
        await child.wait()
    assert child.reap() == "exit code 4"


async def test_waiting_without_pidfds_leaves_the_threads_of_the_application_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    limiter = anyio.to_thread.current_default_thread_limiter()
    monkeypatch.setattr(limiter, "total_tokens", 1)
    child = await started(tmp_path, "sock.recv(1)")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.wait)
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(int)
            child.sock.sendall(b"!")
    child.reap()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_process_whose_start_was_cancelled_by_asyncio_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts in a thread, which such a cancellation does not wait for."""
    entered, go_on, reaped = threading.Event(), threading.Event(), threading.Event()
    really_start, really_reap = children._start, Child.reap

    def slowly(*arguments: Any) -> Child:
        entered.set()
        go_on.wait(10)
        return really_start(*arguments)

    def reap(child: Child) -> str:
        end = really_reap(child)
        reaped.set()
        return end

    monkeypatch.setattr(children, "_start", slowly)
    monkeypatch.setattr(Child, "reap", reap)
    async with nothing_left():
        task = asyncio.create_task(start("this"))
        await anyio.to_thread.run_sync(entered.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        go_on.set()
        assert await anyio.to_thread.run_sync(reaped.wait, 10)


def test_a_process_that_was_started_when_nobody_wants_it_any_more_is_ended() -> None:
    start = children._Start("this", subprocess.DEVNULL)
    start.run()
    child = start.child
    assert child is not None
    start.abandon()
    assert (child.signal_group(signal.SIGKILL), child.sock.fileno(), has_ended(child.pid, 0)) == (None, -1, True)


FORKS = """
import os, sys, time, anyio, subprocess
from asyncsweep.link.child import start
child = anyio.run(start, "the_child", subprocess.DEVNULL)
helper = os.fork()
if helper == 0:
    child.signal_group(9)
    time.sleep(60)
    os._exit(0)
print(child.pid, helper, flush=True)
time.sleep(60)
"""


def test_a_fork_of_ours_neither_ends_a_child_nor_keeps_its_link_open(tmp_path: Path) -> None:
    (tmp_path / "the_child.py").write_text("import socket, sys\nsocket.socket(fileno=int(sys.argv[1])).recv(1)\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        child, helper = map(int, process.stdout.readline().split())
        try:
            assert not has_ended(child, within_s=0.3)
            process.kill()
            assert has_ended(child)
        finally:
            os.kill(helper, signal.SIGKILL)


async def test_a_process_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with nothing_left():
        with pytest.raises(FileNotFoundError):
            await start("the_child")


async def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="use executor='thread' or 'inline'"):
        await start("the_child")
