"""The warm parent of scripts: a worker that has imported what they need, and forks for each of its attempts.

```
executor ── guard ── warm parent ── script       a fork that owns the link while it lives, and ends as an interpreter does
                          └─ waits for its end, keeps its output, and says what became of it
```

The fork returns to the first frames of the process and runs the file there (`as_main`). What it knows at its end it has noted in
memory that both share (`notes`); with its exit code that makes the outcome. A script that is killed by a signal takes its parent with
it, so that the worker is lost as any other that dies; the next one is warmed anew.

The parent has no threads: a fork would copy their locks, but not them. It reads the link only while no script runs; meanwhile it
looks whether the controller is there, and gives back what too much output takes on the disk. A signal that is to end the worker is the
script's business first: the parent bears it, and ends by it after the script has. Nobody can tell whose signal it was: the controller's
at a timeout, or one that the script sent to its own group. So a parent that is to end says so (`SHUTDOWN`) before it gives the
outcome of a script that did not die of it: the result counts, the controller gives this worker no other trial to lose, and
starts a new one, as after the last of `max_trials_per_worker`.

What a script leaves running has a moment to end by itself after it, and is then ended by force: its output would be taken for that
of the next trial. On Linux the parent is the *subreaper* of what it started, so that nothing of it is missed.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from asyncsweep.errors import ProgramFailed, TrialError
from asyncsweep.wire.messages import (
    ATTR_SET,
    CONSTRAINT_SET,
    FAILED,
    FINISHED,
    LAUNCH,
    PRUNED,
    REPORTED,
    SHUTDOWN,
    UNKEPT,
)
from asyncsweep.worker import outcome as ends
from asyncsweep.worker import patching, tree
from asyncsweep.worker.as_main import AsMain, path_of
from asyncsweep.worker.capture import Capture
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.link import Link, LinkPort
from asyncsweep.worker.loading import loading
from asyncsweep.worker.notes import Notes
from asyncsweep.worker.output import Output
from asyncsweep.worker.port import Steps
from asyncsweep.worker.preloading import preload, uncover
from asyncsweep.worker.result_file import ResultFile
from asyncsweep.worker.script import Plan, Script
from asyncsweep.worker.secrets import learn_variables
from asyncsweep.worker.trial import Trial
from asyncsweep.worker.values import check_attr
from asyncsweep.worker.watch import CLOSED, LOOK_AT_OUTPUT_EVERY_MS, LOOK_EVERY_MS, end_group

_LEFT_S = 1.0
_LOOK_AGAIN_MS = 20
_LAST_BYTES = 1000
_LAST_LINES = 10
_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HEARD = (signal.SIGCHLD, *_TO_END)
_PR_SET_NAME = 15
_PR_GET_NAME = 16
_PR_SET_CHILD_SUBREAPER = 36

Asked = tuple[Sequence[str], Sequence[str], Sequence[str], "Steps | None"]


class WarmParent:
    """Runs a script for one attempt after the other.

    Args:
        link: The link to the controller.
        script: The script.
        asked: The parameters of the space, those without a condition, the metrics, and the steps of verdicts.
        folders: The folder of the trials' folders.
        path: `sys.path` as the interpreter had it.
        output: This process's output.
        capture: Where the output is kept; None when it is not.

    Raises:
        ConfigError: A module that is to be preloaded cannot be imported or starts a thread, or a hook of `patch` has no target.
    """

    def __init__(
        self,
        link: Link,
        script: Script,
        asked: Asked,
        folders: str,
        path: list[str],
        output: Output,
        capture: Capture | None,
    ) -> None:
        self._link = link
        self._script = script
        self._names, self._required, self._metrics, self._verdicts = asked
        self._folders = folders
        self._path = path
        self._output = output
        self._capture = capture
        self._notes = Notes()
        self._parent = os.getppid()
        self._signal = 0
        self._wakes, self._waker = os.pipe()
        for fd in (self._wakes, self._waker):
            os.set_blocking(fd, False)
        self._poll = select.poll()
        self._poll.register(link, CLOSED)
        self._poll.register(self._wakes, select.POLLIN)
        self._name = _name_process(tree.WARM)
        self._preload()

    def serve(self) -> Callable[[], None] | None:
        """Run attempts until the controller says that it is enough.

        Returns:
            In the fork of an attempt, what runs the script: to be called in the first frame of the process.

        Raises:
            ConnectionError: The controller is gone.
        """
        if sys.platform == "linux":
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        gc.collect()
        gc.freeze()  # what no collection touches, not even the last one, forks need not copy
        while True:
            message = self._next()
            if message[0] == SHUTDOWN:
                return None
            if message[0] == LAUNCH:  # else it answers an attempt that has ended
                program = self._attempt(*message[1:6])
                if program is not None:
                    return program

    def _preload(self) -> None:
        script = self._script
        os.environ.update(script.env)
        before, sys.path[:] = sys.path[:], path_of(script.path, self._path)
        try:
            uncover(sys.path[0])
            with loading():
                preload(script.preload)
            patching.check(script.patch)
        finally:
            sys.path[:] = before

    def _next(self) -> list[Any]:
        while not self._link.has_more(LOOK_EVERY_MS):
            if os.getppid() != self._parent:
                end_group()
        message = self._link.receive()
        if message is None:
            raise ConnectionResetError("the controller closed the link without a word")
        return message

    # -- one attempt --------------------------------------------------------------------------------------------------

    def _attempt(
        self, secret: int, number: int, attempt: int, params: dict[str, Any], log_path: str | None
    ) -> Callable[[], None] | None:
        if self._capture is not None:
            self._capture.path = log_path
        port = _Port(self._link, secret, self._folders, self._notes, self._metrics[0])
        trial = Trial(port, number, attempt, params, self._metrics, self._verdicts)
        try:
            plan = self._script.plan(trial)
            file = None if plan.result_file is None else ResultFile(plan.result_file)
        except (TrialError, OSError) as error:  # nothing was started
            self._link.send((FAILED, secret, ends.describe(error)))
            return None
        self._notes.clear()
        with self._bearing_signals() as restore:
            known = set(_children())
            try:
                pid = self._fork()
            except OSError as error:  # no process or memory is left
                self._link.send((FAILED, secret, ends.describe(error)))
                return None
            if not pid:
                restore()
                return self._become(plan, trial)
            status = self._wait_for(pid)
            has_secrets = self._learn()
            if os.WIFSIGNALED(status):
                if has_secrets:  # which nobody else knows
                    self._collect(secret)
                _end_by(os.WTERMSIG(status))
            if not self._signal:  # else the guard sees to it
                self._end_what_is_left(known)
            port.has_ended = True
            outcome = self._outcome(os.WEXITSTATUS(status), file, trial)
            if outcome is not None or has_secrets:
                self._collect(secret)
            if outcome is not None:
                self._send(secret, outcome)
        if self._signal:
            _end_by(self._signal)
        return None

    @contextlib.contextmanager
    def _bearing_signals(self) -> Iterator[Callable[[], None]]:
        """In the block, signals that end a process are kept in mind; the end of a child wakes up, as they do.

        Yields:
            What makes a fork hear them as it would without us.
        """
        self._signal = 0
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        while signal.sigpending() & set(_TO_END):  # nothing runs yet that it could be meant for: it does what it does
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        before = {number: signal.signal(number, self._hear) for number in _HEARD}
        was_waking = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

        def restore() -> None:
            signal.set_wakeup_fd(was_waking)
            for number, handler in before.items():
                # None: of no Python code, which a signal of ours never is
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

        pid = os.getpid()
        try:
            yield restore
        finally:
            if os.getpid() == pid:
                restore()

    def _hear(self, number: int, frame: object) -> None:
        if number in _TO_END:
            self._signal = number

    def _fork(self) -> int:
        self._output.flush()
        with self._link.handed_over(), warnings.catch_warnings():
            # Threads that preloaded libraries have of their own know about forks, or they could not be preloaded.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        return pid

    def _become(self, plan: Plan, trial: Trial) -> Callable[[], None]:
        """This is the fork: leave nothing of the parent's."""
        self._notes.own()
        for fd in (self._wakes, self._waker):
            os.close(fd)
        self._output.give_up()
        if self._capture is not None:
            self._capture.close()
        if self._name is not None:
            _name_process(self._name)
        _reseed()
        CURRENT.take_process(trial, self._notes.result)
        asked = (self._names, self._required, self._metrics)
        return AsMain(self._script, plan, self._path, trial, self._notes, *asked)

    def _wait_for(self, pid: int) -> int:
        """The exit status of the script."""
        every_ms = LOOK_EVERY_MS if self._capture is None else LOOK_AT_OUTPUT_EVERY_MS
        while True:
            status = self._reap(pid)
            if status is not None:
                return status
            for fd, _ in self._poll.poll(every_ms):
                if fd == self._wakes:
                    _drain(fd)
                else:
                    end_group()  # the controller is gone
            if os.getppid() != self._parent:
                end_group()
            if self._capture is not None:
                self._capture.shrink()

    def _reap(self, pid: int) -> int | None:
        """Take leave of what has ended, orphans too; the status of `pid` when that has."""
        found = None
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if not ended:
                return found
            if ended == pid:
                found = status

    def _end_what_is_left(self, known: set[int]) -> None:
        """End what the script left running, after a moment. Known is what was there before it."""
        until = time.monotonic() + _LEFT_S
        while left := [pid for pid in _children() if pid not in known]:
            if time.monotonic() > until:
                for pid in left:
                    tree.end(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                if time.monotonic() > until + tree.END_S:
                    return
            if any(fd == self._wakes for fd, _ in self._poll.poll(_LOOK_AGAIN_MS)):
                _drain(self._wakes)
            self._reap(0)

    # -- what became of it --------------------------------------------------------------------------------------------

    def _outcome(self, code: int, file: ResultFile | None, trial: Trial) -> ends.Outcome | None:
        """What became of the trial; None when it was told to end, and did so without a result."""
        notes = self._notes.read()
        if notes.get("pruned"):
            return PRUNED, None
        if "error" in notes:
            return FAILED, notes["error"]
        if code:
            return FAILED, self._exited(code, notes.get("message"))
        metrics = notes.get("result")
        if metrics:
            return FINISHED, metrics
        if file is None:
            if self._signal:  # what it reported last is no result then
                return None
            for source in ("objective", "metric"):
                if (name := getattr(self._script, source)) is not None:
                    return FAILED, _failure(
                        f"{self._script.name} ended before its {source}={name!r} could be looked for: it left by os._exit"
                    )
            metrics = notes.get("reported")
        else:
            try:
                found = file.read(self._metrics)
                for step, reported in found.reports:
                    trial.report(reported, step)
            except (TrialError, TypeError, ValueError, OverflowError) as error:
                return FAILED, _failure(str(error))
            metrics = found.metrics
        if not metrics:
            return FAILED, _failure(
                f"{self._script.name} ended without a metric: call asyncsweep.finish({self._metrics[0]}=...) in it (a process "
                f"that it starts cannot), or say where "
                f"its metric is with Script(metric=...), Script(objective=...) or Script(result_file=...)"
            )
        return FINISHED, metrics

    def _exited(self, code: int, said: str | None) -> ends.Description:
        """How an exit code is told: with the text that was given to `sys.exit`, else with what was printed last."""
        message = f"{self._script.name}: exit code {code}"
        if said:
            message += f": {said}"
        elif self._capture is not None:
            lines = self._capture.last(_LAST_BYTES).decode("utf-8", "replace").splitlines()
            last = "\n".join(lines[-_LAST_LINES:]).strip()
            message += f"; its last lines:\n{last}" if last else ""
        return _failure(message, ProgramFailed)

    def _learn(self) -> bool:
        """Hold for secrets what the script added to its environment as such; tells whether there is any."""
        secrets = self._notes.read().get("secrets", {})
        learn_variables({os.fsdecode(name): os.fsdecode(value) for name, value in secrets.items()})
        return bool(secrets)

    def _collect(self, secret: int) -> None:
        self._output.flush()
        self._output.restore()
        if self._capture is not None:
            try:
                self._capture.collect()
            except OSError as error:  # a full disk, a folder that is gone: no reason to lose the trial too
                self._link.send((UNKEPT, secret, error.errno or errno.EIO))

    def _send(self, secret: int, outcome: ends.Outcome) -> None:
        tag, payload = outcome
        if self._signal:
            self._link.send((SHUTDOWN,))
        self._link.send((tag, secret) if tag == PRUNED else (tag, secret, payload))


class _Port(LinkPort):
    """The port of an attempt, in the script and, when that has ended, in its parent.

    All is sent at once: sending later would take a thread, which nobody wants in a script that forks, and `os._exit` would lose it.

    Attributes:
        has_ended: True in the parent, once the script has ended.
    """

    def __init__(self, link: Link, secret: int, folders: str, notes: Notes, metric: str) -> None:
        super().__init__(link, secret, folders)
        self._notes = notes
        self._metric = metric
        self.has_ended = False

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self._link.send((REPORTED, self._secret, step, value, metrics))
        if not self.has_ended:
            self._notes.reported({self._metric: value, **(metrics or {})})

    def set_attr(self, key: str, value: Any) -> None:
        self._link.send((ATTR_SET, self._secret, key, check_attr(key, value)))

    def set_constraint(self, name: str, value: float) -> None:
        self._link.send((CONSTRAINT_SET, self._secret, name, value))


def _failure(message: str, kind: type[TrialError] = TrialError) -> ends.Description:
    name, message, _, bases = ends.describe(kind(message))
    return name, message, "", bases


def _children() -> list[int]:
    return tree.children_of(os.getpid()) if sys.platform == "linux" and tree.is_visible() else []


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def _reseed() -> None:
    """Random numbers are each trial's own, as in processes that were started one by one. Python's `random` sees to itself."""
    numpy_random, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    if numpy_random is not None:
        numpy_random.seed()
    if torch is not None:
        torch.default_generator.seed()


def _end_by(number: int) -> None:
    """End as the script did, or as this process was told to while that ran."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the script's own dump, where there is one, tells more
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # a signal that ends no process by default


def _prctl(option: int, value: Any) -> int:
    import ctypes  # on Linux alone, where the guard has imported it already

    found: int = ctypes.CDLL(None).prctl(option, value)
    return found


def _name_process(name: bytes) -> bytes | None:
    """Name this process in /proc; gives its former name, None where there are none."""
    if sys.platform != "linux":
        return None
    import ctypes

    former = ctypes.create_string_buffer(16)
    _prctl(_PR_GET_NAME, former)
    _prctl(_PR_SET_NAME, name)
    return former.value
