"""Child processes with a link: started off the loop, watched without reaping, ended with everything they started.

On Linux a child has a guard between it and us (`asyncsweep.worker.guard`), which is what we start, watch and signal: it ends when
the child has ended and nothing is left of what that started, in whatever session. It ends all when we are gone. Elsewhere we are
the parent, and what left the child's process group is left alone.

The application may reap children that are ours, by `waitpid(-1)` or by ignoring `SIGCHLD`: then a child has ended, and how is not
known.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import site
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO
from weakref import WeakSet

import anyio
import anyio.to_thread

from asyncsweep.errors import ConfigError
from asyncsweep.link.environment import passed_on
from asyncsweep.worker.tree import FORCE, MARK, end_marked

_ROOT = str(Path(__file__).resolve().parents[2])

# Our ends of all links, to be closed in forked children.
_sockets: WeakSet[socket.socket] = WeakSet()


class Child:
    """A running `python -m module FD`, the leader of its own process group.

    Attributes:
        pid: The process id of its guard where it has one, else its own.
        sock: Our end of the link.
    """

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket, mark: str | None = None) -> None:
        self._process = process
        self._parent = os.getpid()
        self._was_reaped_by_others = False
        # By this its descendants can be found when its guard was killed; None when it has no guard.
        self._mark = mark
        self.pid = process.pid
        self.sock = sock

    async def wait(self) -> None:
        """Wait until the process has ended. It is not reaped, so that its group cannot be somebody else's yet."""
        if self._process.returncode is not None:
            return
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            pass  # it has ended, and somebody else has reaped it
        except (AttributeError, OSError):  # not Linux, or an old kernel
            await anyio.to_thread.run_sync(self._wait_blocking, abandon_on_cancel=True, limiter=_one_thread())
        else:
            try:
                await anyio.wait_readable(fd)
            finally:
                os.close(fd)
        if self._was_killed():
            await anyio.to_thread.run_sync(self._end_escaped, limiter=_one_thread())

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all of its group; `SIGKILL` ends whatever the process started, as `reap` does.

        Nothing happens when it was reaped, or in a fork of ours.
        """
        if self._process.returncode is not None or os.getpid() != self._parent:
            return
        try:
            if self._mark is not None:
                self._signal_guard(number)
            else:
                os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # it ended, and so did all that it started
        except PermissionError:
            self._process.send_signal(number)  # macOS refuses a group whose members are zombies

    def reap(self) -> str:
        """End what the process left, after `wait`, and tell how it ended: "exit code 3", "killed by SIGKILL"."""
        try:
            self.signal_group(signal.SIGKILL)
            code = self._exit_code()
            if code is None or code < 0:
                self._end_escaped()
        finally:
            self.sock.close()
        if code is None:
            return "exit code unknown"
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def _signal_guard(self, number: signal.Signals) -> None:
        if number == signal.SIGKILL:
            os.kill(self.pid, signal.Signals[FORCE])
            os.kill(self.pid, signal.SIGCONT)  # somebody may have stopped it
        else:
            os.kill(self.pid, number)

    def _exit_code(self) -> int | None:
        """Wait for the end and reap; None when somebody else did."""
        if self._process.returncode is None:
            try:
                _, status = os.waitpid(self.pid, 0)
            except ChildProcessError:  # of which `Popen.wait` makes an exit code 0
                self._process.returncode, self._was_reaped_by_others = 0, True
            else:
                self._process.returncode = os.waitstatus_to_exitcode(status)
        return None if self._was_reaped_by_others else self._process.returncode

    def _was_killed(self) -> bool:
        """Whether it may have ended by a signal. That may have been meant for its guard, which then could not do its work."""
        if self._mark is None or self._process.returncode is not None:
            return False
        try:
            end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return True
        return end is not None and end.si_code != os.CLD_EXITED

    def _end_escaped(self) -> None:
        mark, self._mark = self._mark, None
        if mark is not None:
            end_marked(mark)

    def _wait_blocking(self) -> None:
        with contextlib.suppress(ChildProcessError):  # somebody else has reaped it
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)


async def start(
    module: str,
    output: IO[bytes] | int | None = None,
    pass_env: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] = MappingProxyType({}),
) -> Child:
    """Start `python -m module FD` with a socketpair between us.

    Args:
        module: What to run; it gets the number of its file descriptor as its argument.
        output: Where stdout and stderr go; None means to where ours go.
        pass_env: The environment variables of ours that it gets besides those that every child gets; see `environment`.
        pass_fds: File descriptors of ours that it gets, under the same numbers.
        env: Environment variables that it gets whatever ours are.

    Raises:
        ConfigError: This system cannot start processes in the way that is needed.
        OSError: No process can be started now.
    """
    if sys.platform == "win32":
        raise ConfigError("local processes need POSIX (Linux or macOS): on Windows use executor='thread' or 'inline'")
    start = _Start(module, output, pass_env, pass_fds, env)
    try:
        await anyio.to_thread.run_sync(start.run, limiter=_one_thread())
    except RuntimeError as error:  # no thread can be started, for want of what processes are made of, too
        raise OSError(errno.EAGAIN, str(error)) from error
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

    def __init__(
        self,
        module: str,
        output: IO[bytes] | int | None,
        pass_env: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.child: Child | None = None
        self._module = module
        self._output = output
        self._pass_env = pass_env
        self._pass_fds = pass_fds
        self._env = env
        self._is_wanted = True
        self._lock = threading.Lock()

    def run(self) -> None:
        child = _start(self._module, self._output, self._pass_env, self._pass_fds, self._env)
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


def _start(
    module: str,
    output: IO[bytes] | int | None,
    pass_env: Sequence[str],
    pass_fds: Sequence[int],
    env: Mapping[str, str],
) -> Child:
    ours, theirs = socket.socketpair()
    _sockets.update((ours, theirs))
    fd = str(theirs.fileno())
    mark = None
    arguments = [module, fd]
    if sys.platform == "linux":
        mark = secrets.token_hex(8)
        arguments = ["asyncsweep.worker.guard", module, fd, str(os.getpid())]
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(theirs.fileno(), *pass_fds),
            process_group=0,
            env={**_environment(mark, pass_env), **env},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Child(process, ours, mark)


def _environment(mark: str | None, pass_env: Sequence[str]) -> dict[str, str]:
    """What of ours is passed on, with the mark, and with the folder of this package where the child would not find it."""
    environment = passed_on(os.environ, pass_env)
    if mark is not None:  # a sweep inside of a worker: its workers descend from that one too
        environment[MARK] = ":".join(filter(None, [environment.get(MARK), mark]))
    if _ROOT not in site.getsitepackages() and site.getusersitepackages() != _ROOT:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [_ROOT, environment.get("PYTHONPATH")]))
    return environment


def _close_inherited() -> None:
    """A forked child of the application does not keep the links open: a worker has to notice when we are gone."""
    for sock in list(_sockets):
        sock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_inherited)
