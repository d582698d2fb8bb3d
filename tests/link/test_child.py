"""Child processes with a link."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from asyncsweep.errors import ConfigError
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


async def test_a_child_and_its_parent_talk(tmp_path: Path) -> None:
    async with nothing_left():
        child = await started(tmp_path, "sock.sendall(sock.recv(100).upper())")
        child.sock.sendall(b"hello")
        assert await heard(child) == b"HELLO"
        child.reap()


async def test_a_child_leads_a_group_of_its_own(tmp_path: Path) -> None:
    child = await started(tmp_path, "sock.sendall(b'%d' % os.getpgrp()); time.sleep(60)")
    assert int(await heard(child)) == child.pid != os.getpgrp()
    child.reap()


async def test_reaping_ends_what_the_child_started(tmp_path: Path) -> None:
    child = await started(
        tmp_path,
        "signal.signal(15, signal.SIG_IGN)\npid = os.fork()\nif pid: sock.sendall(b'%d' % pid)\nelse: time.sleep(60)",
    )
    grandchild = int(await heard(child))
    await child.wait()
    assert not has_ended(grandchild, within_s=0)
    child.reap()
    assert has_ended(grandchild)


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


async def test_a_process_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with nothing_left():
        with pytest.raises(FileNotFoundError):
            await start("the_child")


async def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="use executor='thread' or 'inline'"):
        await start("the_child")
