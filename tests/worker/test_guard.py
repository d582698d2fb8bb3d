"""The parent of a worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.leaks import has_ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker has no guard")

ROOT = Path(__file__).parents[2]
HEAD = "import os, signal, socket, sys, time\nsock = socket.socket(fileno=int(sys.argv[1]))\n"
SAYS_WHO_IT_IS = "sock.sendall(b'%d' % os.getpid())\ntime.sleep(60)\n"


@contextmanager
def guarded(
    tmp_path: Path, code: str, controller: int | None = None, module: str = "asyncsweep.worker.guard", **settings: Any
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A guard whose worker runs `code`, and the link to the worker."""
    (tmp_path / "the_worker.py").write_text(HEAD + code)
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    fd = str(theirs.fileno())
    command = [sys.executable, "-m", module, "the_worker", fd, str(controller or os.getpid())]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with ours, subprocess.Popen(command, pass_fds=[int(fd)], env=env, **settings) as guard:
        theirs.close()
        yield guard, ours
        guard.send_signal(signal.SIGUSR1)


def test_a_worker_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    with guarded(tmp_path, SAYS_WHO_IT_IS) as (guard, link):
        worker = int(link.recv(100))
        guard.kill()
        assert has_ended(worker)


def test_a_polite_signal_is_handed_on_to_the_group_of_the_worker(tmp_path: Path) -> None:
    code = "signal.signal(15, lambda *_: (sock.sendall(b'bye'), sys.exit(5)))\nsock.sendall(b'hi')\ntime.sleep(60)\n"
    with guarded(tmp_path, code) as (guard, link):
        assert link.recv(100) == b"hi"
        guard.terminate()
        assert (link.recv(100), guard.wait(10)) == (b"bye", 5)


def test_a_guard_ends_by_the_signal_that_its_worker_ended_by(tmp_path: Path) -> None:
    code = "signal.signal(11, signal.SIG_DFL)\nos.kill(os.getpid(), 11)\n"
    with guarded(tmp_path, code) as (guard, _):
        assert guard.wait(10) == -signal.SIGSEGV


def test_the_link_is_the_workers_alone(tmp_path: Path) -> None:
    with guarded(tmp_path, "sock.close()\ntime.sleep(60)\n") as (_, link):
        assert link.recv(100) == b""


def test_a_worker_hears_the_signals_that_its_guard_blocks(tmp_path: Path) -> None:
    code = "sock.sendall(str(signal.pthread_sigmask(signal.SIG_BLOCK, ())).encode() + b'.')\n"
    with guarded(tmp_path, code) as (_, link):
        assert link.recv(1000) == b"set()."


def test_a_guard_whose_controller_has_ended_already_starts_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with guarded(tmp_path, SAYS_WHO_IT_IS, ended.pid) as (guard, link):
        assert (link.recv(100), guard.wait(10)) == (b"", 0)


def test_the_end_of_the_thread_that_started_a_guard_is_not_the_end_of_the_controller(tmp_path: Path) -> None:
    """The kernel sends the same signal for both."""
    guards: list[tuple[subprocess.Popen[bytes], socket.socket]] = []
    context = guarded(tmp_path, "sock.sendall(b'?')\nsock.sendall(sock.recv(1))\ntime.sleep(60)\n")

    def start() -> None:
        guards.append(context.__enter__())
        assert guards[0][1].recv(1) == b"?"  # from here on it would hear the signal

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    ((guard, link),) = guards
    try:
        assert not has_ended(guard.pid, within_s=0.3)
        link.sendall(b"!")
        assert link.recv(1) == b"!"
    finally:
        context.__exit__(None, None, None)


CONTROLLER = """
import os, subprocess, sys, time
fd = int(sys.argv[1])
code = "import asyncsweep.worker.guard as g; g._LOOK_EVERY_S = 300; g.main('the_worker', %d, %d)" % (fd, os.getpid())
subprocess.Popen([sys.executable, "-c", code], pass_fds=[fd])
time.sleep(60)
"""


def test_the_kernel_tells_a_guard_of_the_controllers_end(tmp_path: Path) -> None:
    """It does not wait for its next look."""
    (tmp_path / "the_worker.py").write_text(HEAD + SAYS_WHO_IT_IS)
    ours, theirs = socket.socketpair()
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-c", CONTROLLER, str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], env=env) as controller:
        theirs.close()
        worker = int(ours.recv(100))
        controller.kill()
        assert has_ended(worker)


def test_orphans_of_a_worker_that_have_ended_are_no_zombies(tmp_path: Path) -> None:
    """A guard takes leave of them while the worker goes on."""
    code = (
        "read, write = os.pipe()\n"
        "if not os.fork():\n"
        "    orphan = os.fork()\n"
        "    if orphan: os.write(write, b'%d' % orphan)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "sock.sendall(os.read(read, 100))\n"
        "time.sleep(60)\n"
    )
    with guarded(tmp_path, code) as (_, link):
        orphan = int(link.recv(100))
        assert has_ended(orphan)
        assert is_reaped(orphan)


def is_reaped(pid: int) -> bool:
    """Whether a process that has ended is soon gone for good."""
    for _ in range(1_000_000):
        if not os.path.exists(f"/proc/{pid}"):
            return True
        os.sched_yield()
    return False


def test_a_worker_that_cannot_be_politely_ended_is_ended_by_force(tmp_path: Path) -> None:
    code = "signal.signal(15, signal.SIG_IGN)\n" + SAYS_WHO_IT_IS
    with guarded(tmp_path, code) as (guard, link):
        worker = int(link.recv(100))
        guard.terminate()
        guard.send_signal(signal.SIGUSR1)
        assert (guard.wait(10), has_ended(worker, 0)) == (-signal.SIGKILL, True)


LEAVES_ITS_GROUP = (
    "child = os.fork()\nif not child:\n    time.sleep(60)\n    os._exit(0)\n"
    "os.setpgid(0, os.getpgid(os.getppid())); os.setpgid(child, os.getpgrp())\n"
    "sock.sendall(b'%d %d' % (os.getpid(), child))\ntime.sleep(60)\n"
)


def test_a_worker_that_left_its_group_is_signalled_too_and_leaves_nothing(tmp_path: Path) -> None:
    # The guard has to lead a group that is not the test's own.
    with guarded(tmp_path, LEAVES_ITS_GROUP, process_group=0) as (guard, link):
        worker, child = map(int, link.recv(100).split())
        guard.terminate()
        assert (guard.wait(10), has_ended(worker, 0), has_ended(child, 0)) == (-signal.SIGTERM, True, True)


BROKEN = """
import sys
import asyncsweep.worker.guard as guard, asyncsweep.worker.tree as tree
def broken(*_): raise RuntimeError("broken")
{breaks} = broken
guard.main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""


@pytest.mark.parametrize("breaks", ["guard._Guard._signal_worker", "tree.end", "tree.os.readlink"])
def test_whatever_breaks_in_a_guard_its_worker_ends(tmp_path: Path, breaks: str) -> None:
    (tmp_path / "broken_guard.py").write_text(BROKEN.format(breaks=breaks))
    code = "signal.signal(15, signal.SIG_IGN)\n" + SAYS_WHO_IT_IS
    with guarded(tmp_path, code, module="broken_guard", stderr=subprocess.DEVNULL) as (guard, link):
        worker = int(link.recv(100))
        guard.send_signal(signal.SIGTERM if "signal" in breaks else signal.SIGUSR1)
        assert (guard.wait(10), has_ended(worker)) == (-signal.SIGKILL, True)


@pytest.mark.parametrize(("ours", "the_workers"), [("SCHED_OTHER", "SCHED_BATCH"), ("SCHED_IDLE", "SCHED_IDLE")])
def test_a_worker_takes_no_processor_from_who_wakes_it_unless_told_otherwise(
    tmp_path: Path, ours: str, the_workers: str
) -> None:
    def choose() -> None:
        os.sched_setscheduler(0, getattr(os, ours), os.sched_param(0))

    with guarded(tmp_path, "sock.sendall(b'%d' % os.sched_getscheduler(0))\n", preexec_fn=choose) as (_, link):
        assert int(link.recv(100)) == getattr(os, the_workers)
