"""A program that a trial runs: started, listened to, and ended with all that it started.

It is the leader of a session of its own, so that it can be signalled without the worker, has no terminal to ask questions on, and is
found by the worker's guard all the same, of which it is a descendant. Where a worker has no guard (see `worker/guard`) it stays in the
worker's process group, which is all that is ended there.

`SIGTERM` to the worker is handed on. The worker then waits for the program to end before it ends itself; how long, is for the
controller to say, which ends both by force. What a program leaves running has a moment to end by itself, as the `tee` of
`exec > >(tee log)` does, and is ended then: no trial begins with something of the last one still there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import select
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any

from asyncsweep.worker import tree
from asyncsweep.worker.tree import PROGRAM

GRACE_S = 5.0
LINGER_S = 2.0
_LOOK_EVERY_S = 0.1
_LOOK_AT_REST_S = 0.02
_DRAIN_S = 1.0
_CHUNK = 65536
_TAIL_BYTES = 4096
_FDS = {"stdout": 1, "stderr": 2}


class WorkerTerminated(BaseException):
    """The worker was told to end while it waited for a verdict."""


class Program:
    """A running program; leave its `with` block to have it ended.

    Args:
        argv: Its arguments, the first of them its name.
        executable: Its absolute path.
        cwd: Where it runs; None means where we do.
        environment: All of its environment.
        heard: The streams that are read here, "stdout" and "stderr" or one of them, and written on to ours unchanged; others are ours.

    Attributes:
        pid: Its process id.
        was_terminated: True once the worker was told to end, and the program with it.

    Raises:
        OSError: It cannot be started.
        ValueError: An argument has a character that no argument can have.
    """

    def __init__(
        self,
        argv: Sequence[str],
        executable: str,
        cwd: str | None,
        environment: Mapping[str, str],
        heard: Collection[str],
    ) -> None:
        self.was_terminated = False
        self._mark = secrets.token_hex(16)
        self._sees_all = tree.is_visible()
        self._may_interrupt = False
        self._tail = bytearray()
        self._output_began = _output_size()
        self._before: Any = None
        self._handles_sigterm = False
        self._known: list[tree.Process] = []
        self._is_done = False
        self._popen = subprocess.Popen(
            argv,
            executable=executable,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if "stdout" in heard else None,
            stderr=subprocess.PIPE if "stderr" in heard else None,
            cwd=cwd,
            env={**environment, PROGRAM: ":".join(filter(None, [environment.get(PROGRAM), self._mark]))},
            start_new_session=self._sees_all,
            bufsize=0,
        )
        self.pid = self._popen.pid
        self._streams: dict[int, str] = {}
        self._poll = select.poll()
        for name, pipe in (("stdout", self._popen.stdout), ("stderr", self._popen.stderr)):
            if pipe is not None:
                self._streams[pipe.fileno()] = name
                self._poll.register(pipe, select.POLLIN)
        self._end_fd: int | None = None
        with contextlib.suppress(AttributeError, OSError):  # without one, the end is looked for now and then
            self._end_fd = os.pidfd_open(self.pid)
            self._poll.register(self._end_fd, select.POLLIN)

    def __enter__(self) -> Program:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._on_sigterm)
            self._handles_sigterm = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.end()
        finally:
            if self._handles_sigterm:
                signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)
        if self.was_terminated:
            os.kill(os.getpid(), signal.SIGTERM)  # now as it would have been without the program

    def output(self) -> Iterator[tuple[str, bytes]]:
        """What it prints on the streams that are heard, in pieces as they come, with the name of the stream.

        There is an empty piece, ("", b""), ten times a second too, for whoever has to look at something else. It ends when the program
        has ended, whoever else may still hold its streams.
        """
        while not self._has_ended():
            yield from self._pieces(_LOOK_EVERY_S)
            yield "", b""
        until = time.monotonic() + LINGER_S
        while (has_left_something := self._has_left_something()) and time.monotonic() < until:
            yield from self._pieces(_LOOK_AT_REST_S)
        if has_left_something:
            self._end_rest()
        until = time.monotonic() + _DRAIN_S
        while self._streams and time.monotonic() < until:
            pieces = self._pieces(0)
            if not pieces:
                break
            yield from pieces
        self._close()

    def end(self) -> None:
        """End it and all that it started: politely, and by force after `GRACE_S`. Nothing happens when it has ended."""
        if self._is_done:
            return
        until = time.monotonic() + GRACE_S
        if not self._has_ended():
            if self._sees_all:  # some of these may open a session and hide their origin when they hear the signal
                self._known = tree.descendants_of(self.pid)
            self.signal(signal.SIGTERM)
        while not self._has_ended() and (self.was_terminated or time.monotonic() < until):
            self._pieces(_LOOK_EVERY_S)  # what it says on its way out goes to the log
        self._end_rest()
        until = time.monotonic() + _DRAIN_S
        while self._streams and time.monotonic() < until and self._pieces(0):
            pass
        self._close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and its process group."""
        if self._popen.returncode is not None:
            return
        # It is not reaped before it is done, so that these ids cannot be somebody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._sees_all:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def interruptible(self, wait: Callable[[], bool]) -> bool:
        """Call what waits for somebody else, in such a way that the end of the worker interrupts it.

        Raises:
            WorkerTerminated: It did.
        """
        self._may_interrupt = True
        try:
            if self.was_terminated:
                raise WorkerTerminated
            return wait()
        finally:
            self._may_interrupt = False

    def ending(self) -> str:
        """How it ended, once `output` is over: "exit code 3", "killed by SIGSEGV"; "" when it ended well."""
        code = self._popen.returncode
        if not code:
            return ""
        if code > 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def last_words(self) -> str:
        """The last lines of its output, as far as they are known here."""
        tail = bytes(self._tail)
        began, end = self._output_began, _output_size()
        if began is not None and end is not None and end > began:  # our own output is a file, into which it wrote too
            with contextlib.suppress(OSError):
                tail = os.pread(2, min(end - began, _TAIL_BYTES), max(began, end - _TAIL_BYTES)) or tail
        lines = [line for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return "\n".join(line[:500] for line in lines[-10:])

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self.was_terminated = True
        self.signal(signal.SIGTERM)
        if self._may_interrupt:
            self._may_interrupt = False
            raise WorkerTerminated

    def _has_ended(self) -> bool:
        if self._popen.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:  # somebody reaped it; `Popen.wait` takes that for a good end
            return True

    def _pieces(self, timeout_s: float) -> list[tuple[str, bytes]]:
        """Wait for output or the end; what came was written on to our streams already."""
        found = []
        for fd, _ in self._poll.poll(timeout_s * 1000):
            stream = self._streams.get(fd)
            if stream is None:
                self._forget_end()  # it stays readable from now on
                continue
            data = os.read(fd, _CHUNK)
            if not data:
                self._poll.unregister(fd)
                del self._streams[fd]
                continue
            _write(_FDS[stream], data)
            self._tail += data
            del self._tail[:-_TAIL_BYTES]
            found.append((stream, data))
        return found

    def _has_left_something(self) -> bool:
        return bool(self._streams) or (self._sees_all and bool(tree.marked(self._mark)))

    def _end_rest(self) -> None:
        self.signal(signal.SIGKILL)
        if self._sees_all:
            tree.end_marked(self._mark)
            for process in self._known:
                tree.send(process, signal.SIGKILL)

    def _forget_end(self) -> None:
        if self._end_fd is not None:
            self._poll.unregister(self._end_fd)
            os.close(self._end_fd)
            self._end_fd = None

    def _close(self) -> None:
        self._popen.wait()
        self._forget_end()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        self._streams.clear()
        self._is_done = True


def _write(fd: int, data: bytes) -> None:
    """Write all of it, whatever becomes of it: a full disk or a closed terminal is no reason to lose the trial too."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody made a terminal or pipe that we share non-blocking
            select.select([], [fd], [])
        except OSError as error:
            if error.errno != errno.EINTR:
                return


def _output_size() -> int | None:
    """The size of the file that our stderr is; None when it is none, or cannot be read."""
    try:
        state = os.fstat(2)
        readable = fcntl.fcntl(2, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    except OSError:
        return None
    return state.st_size if stat.S_ISREG(state.st_mode) and readable else None
