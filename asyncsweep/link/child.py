"""Child processes with a link: started off the loop, watched without reaping, ended with everything they started."""

from __future__ import annotations

import os
import signal
import site
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO
from weakref import WeakSet

import anyio
import anyio.to_thread

from asyncsweep.errors import ConfigError

_ROOT = str(Path(__file__).resolve().parents[2])

# Our ends of all links, to be closed in forked children.
_sockets: WeakSet[socket.socket] = WeakSet()


class Child:
    """A running `python -m module FD`, the leader of its own process group.

    Attributes:
        pid: Its process id.
        sock: Our end of the link.
    """

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket) -> None:
        self._process = process
        self._parent = os.getpid()
        self.pid = process.pid
        self.sock = sock

    async def wait(self) -> None:
        """Wait until the process has ended. It is not reaped, so that its group cannot be somebody else's yet."""
        if self._process.returncode is not None:
            return
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or an old kernel
            await anyio.to_thread.run_sync(self._wait_blocking, abandon_on_cancel=True, limiter=_one_thread())
            return
        try:
            await anyio.wait_readable(fd)
        finally:
            os.close(fd)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all of its group; nothing happens when it was reaped, or in a fork of ours."""
        if self._process.returncode is None and os.getpid() == self._parent:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return  # it ended, and so did all that it started
            except PermissionError:
                self._process.send_signal(number)  # macOS refuses a group whose members are zombies

    def reap(self) -> str:
        """End what is left of the group after `wait`, and tell how the process ended: "exit code 3", "killed by SIGKILL"."""
        self.signal_group(signal.SIGKILL)
        code = self._process.wait()
        self.sock.close()
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def _wait_blocking(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)


async def start(module: str, output: IO[bytes] | int | None = None) -> Child:
    """Start `python -m module FD` with a socketpair between us.

    Args:
        module: What to run; it gets the number of its file descriptor as its argument.
        output: Where stdout and stderr go; None means to where ours go.

    Raises:
        ConfigError: This system cannot start processes in the way that is needed.
        OSError: No process can be started now.
    """
    if sys.platform == "win32":
        raise ConfigError("local processes need POSIX (Linux or macOS): on Windows use executor='thread' or 'inline'")
    start = _Start(module, output)
    try:
        await anyio.to_thread.run_sync(start.run, limiter=_one_thread())
    except BaseException:  # asyncio's own cancellation leaves the thread alone with what it starts
        start.abandon()
        raise
    assert start.child is not None
    return start.child


class _Start:
    """The start of a child in a thread, whose end may have nobody to wait for it.

    Attributes:
        child: What was started; None before that, and once it was abandoned.
    """

    def __init__(self, module: str, output: IO[bytes] | int | None) -> None:
        self.child: Child | None = None
        self._module = module
        self._output = output
        self._is_wanted = True
        self._lock = threading.Lock()

    def run(self) -> None:
        child = _start(self._module, self._output)
        with self._lock:
            if self._is_wanted:
                self.child = child
                return
        child.reap()

    def abandon(self) -> None:
        with self._lock:
            self._is_wanted = False
            child, self.child = self.child, None
        if child is not None:
            child.reap()


def _one_thread() -> anyio.CapacityLimiter:
    """A limiter of its own for each call: the default one is the application's, and many waits would starve it."""
    return anyio.CapacityLimiter(1)


def _start(module: str, output: IO[bytes] | int | None) -> Child:
    ours, theirs = socket.socketpair()
    _sockets.update((ours, theirs))
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            env=_environment(),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Child(process, ours)


def _environment() -> dict[str, str] | None:
    """Ours; with the folder of this package where the child would not find it by itself, as in a source checkout."""
    if _ROOT in site.getsitepackages() or site.getusersitepackages() == _ROOT:
        return None
    paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _close_inherited() -> None:
    """A forked child of the application does not keep the links open: a worker has to notice when we are gone."""
    for sock in list(_sockets):
        sock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_inherited)
