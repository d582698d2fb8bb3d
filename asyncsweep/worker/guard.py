"""The parent of a worker: ends everything that the worker started when the worker or the controller ends.

`python -m asyncsweep.worker.guard MODULE FD CONTROLLER` forks. The child becomes `python -m MODULE FD`, the leader of a process
group; the parent keeps nothing of the link and waits for one of these:

- The worker ends. Then whatever it left is ended, and the guard ends as the worker did: with its exit code, or by its signal.
- The controller, whose process id it was told, is gone. Then all is ended.
- The signal `tree.FORCE`. The same, and also when anything goes wrong here.

`SIGTERM`, `SIGINT` and `SIGHUP` are handed on to the worker's group, and to a worker that has left it.

A thread of the worker could see the controller's end too, and one does (`watch`), but no thread runs while an objective holds the
GIL. And only an ancestor that still lives sees all of it: the guard is the *subreaper* of the worker, so that what an objective
starts in another session, forks twice, or starts with an empty environment still descends from the guard. Should the guard itself
be killed, the kernel kills the worker (`PR_SET_PDEATHSIG`), and the controller looks for the rest by `tree.MARK`.

The guard asks for a signal at the controller's end by `PR_SET_PDEATHSIG`. The kernel sends it at the end of the *thread* that
started the guard, so it is only a reason to look whether the controller is still the parent. Linux alone: elsewhere a worker has no
guard, and only its process group is ended.

The guard is forked before the worker imports anything, and is 2 MB of memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import runpy
import signal
import sys
import time
from collections.abc import Callable

from asyncsweep.worker import tree

_FORCE = signal.Signals[tree.FORCE]
_PARENT_ENDED = signal.SIGUSR2
_HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HEARD = (_FORCE, _PARENT_ENDED, signal.SIGCHLD, *_HANDED_ON)
_LOOK_EVERY_S = 1.0
_LOOK_AGAIN_S = 0.02
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


def main(module: str, fd: int, controller: int) -> Callable[[], None] | None:
    """Fork: the child runs `module`, the parent guards it and does not return.

    Returns:
        What the module wants called where nothing of ours is below: what it calls `program` at its end.
    """
    prctl = ctypes.CDLL(None).prctl
    # Where it is ignored, as it may have been in our parent, nobody hears of exit codes.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    prctl(_PR_SET_PDEATHSIG, int(_PARENT_ENDED))
    parent = os.getppid()
    if parent != controller and not _lives(controller):
        return None  # it ended before it could be seen
    guard = os.getpid()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker = os.fork()
    if worker:
        os.close(fd)
        _lead_a_group(worker)
        prctl(_PR_SET_NAME, b"asyncsweep-guard")
        _Guard(worker, parent).run()
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != guard:
        return None
    _lead_a_group(0)
    _let_the_controller_finish()
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    sys.argv = [module, str(fd)]
    left = runpy.run_module(module, init_globals={"is_guarded": True}, run_name="__main__", alter_sys=True)
    return left.get("program")


class _Guard:
    """The parent's part."""

    def __init__(self, worker: int, controller: int) -> None:
        self._worker = worker
        self._controller = controller
        self._status: int | None = None

    def run(self) -> None:
        """Wait for a reason to end, end everything, and end."""
        try:
            self._wait()
        except BaseException:  # our own fault: shown, and no reason to leave anything
            sys.excepthook(*sys.exc_info())
        finally:
            self._end_all()
            self._end_like_the_worker()

    def _end_all(self) -> None:
        until = time.monotonic() + tree.END_S
        while self._reap() and time.monotonic() < until:
            try:
                sees_all = tree.is_visible()
                if sees_all:
                    tree.end(os.getpid())
            except Exception:  # no file descriptor left, say
                sees_all = False
                sys.excepthook(*sys.exc_info())
            if not sees_all:
                self._signal_worker(signal.SIGKILL)
            signal.sigtimedwait((signal.SIGCHLD,), _LOOK_AGAIN_S)

    def _wait(self) -> None:
        while os.getppid() == self._controller:
            heard = signal.sigtimedwait(_HEARD, _LOOK_EVERY_S)
            if heard is not None and heard.si_signo == _FORCE:
                return
            if heard is not None and heard.si_signo in _HANDED_ON:
                self._signal_worker(heard.si_signo)
            self._reap()
            if self._status is not None:
                return

    def _signal_worker(self, number: int) -> None:
        """Send a signal to the worker's group, and to the worker if it has left that."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is empty, or of another user now
            os.killpg(self._worker, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._status is None and os.getpgid(self._worker) != self._worker:
                os.kill(self._worker, number)

    def _reap(self) -> bool:
        """Take leave of children that have ended, be it the worker or somebody's orphans; False when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == self._worker:
                self._status = status
            if not pid:
                return True

    def _end_like_the_worker(self) -> None:
        if self._status is None:
            number: int = signal.SIGKILL
        elif os.WIFEXITED(self._status):
            os._exit(os.WEXITSTATUS(self._status))
        else:
            number = os.WTERMSIG(self._status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the worker's own dump, where there is one, tells more
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # a signal that ends no process by default


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _let_the_controller_finish() -> None:
    """A worker that is woken by a message waits until the controller's event loop sleeps, where they share a processor.

    Otherwise the one who sends would be pushed aside in the middle of its turn, for as long as the worker computes. `SCHED_BATCH` is
    for what computes; it changes nothing else but when a process that wakes gets its turn.
    """
    with contextlib.suppress(OSError):  # not allowed in some containers
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _lead_a_group(pid: int) -> None:
    """Both sides of the fork do it, so that it is done before either goes on."""
    try:
        os.setpgid(pid, pid)
    except ProcessLookupError:
        return  # it has ended already


if __name__ == "__main__":
    program = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    if program is not None:
        program()
