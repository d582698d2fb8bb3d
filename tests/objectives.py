"""Objectives that several tests share. Workers import them by name, so this module imports little."""
# ruff: noqa: T201  what an objective prints is what some tests are about

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncsweep as sw
from asyncsweep.worker.trial import Trial


def square(x: float) -> float:
    return x * x


async def square_async(x: float) -> float:
    return x * x


def pid(x: float) -> dict[str, float]:
    return {"value": x, "pid": os.getpid()}


def meets_another(trial: Trial) -> dict[str, float]:
    """Ends only when it and another trial run at the same time."""
    folder = Path(trial.params["folder"])
    (folder / str(trial.number)).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.005)
    return {"value": 0.0, "pid": os.getpid()}


class Counting:
    """Built once in each worker: tells how often it was called, and where."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: float) -> dict[str, float]:
        self.calls += 1
        return {"value": x, "calls": self.calls, "pid": os.getpid()}


class Unbuildable:
    def __init__(self) -> None:
        raise SystemExit("no data")

    def __call__(self, x: float) -> float:
        return x


class UnbuildableAsync(Unbuildable):
    async def __call__(self, x: float) -> float:  # type: ignore[override]
        return x


class Unfloatable:
    """As a tensor with two elements: it has __float__, which raises what it likes."""

    def __float__(self) -> float:
        raise RuntimeError("two elements")


# -- the worst that an objective may do: each does it in trial 1 of 3 ---------------------------------------------------


def exit_hard() -> None:
    os._exit(7)


def exit_softly() -> None:
    sys.exit(3)


def interrupt() -> None:
    raise KeyboardInterrupt


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def link_fds() -> list[int]:
    """The sockets of this process: the worker has one, its link."""
    fds = [int(name) for name in os.listdir("/proc/self/fd")]
    return [fd for fd in fds if fd > 2 and _is_socket(fd)]


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def garbage_on_the_link() -> None:
    for fd in link_fds():
        os.write(fd, b"\xc1 this is no MessagePack")
    time.sleep(30)


def link_shut() -> None:
    for fd in link_fds():
        socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)
    time.sleep(30)


def everything_closed() -> None:
    os.closerange(0, 1024)


def garbage_printed_and_closed() -> None:
    os.write(1, b"\x93\x15\x00\xff garbage \xc1")
    sys.stdout.close()
    os.close(1)
    os.close(2)


def forked_twice() -> None:
    """Its child comes back from the objective too."""
    os.fork()


WORST: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        exit_hard,
        exit_softly,
        interrupt,
        kill_itself,
        crash,
        garbage_on_the_link,
        link_shut,
        everything_closed,
        garbage_printed_and_closed,
        forked_twice,
    )
}


def worst(trial: Trial) -> float:
    """Does in trial 1 what the parameter `what` names."""
    if trial.number == 1:
        WORST[trial.params["what"]]()
    return float(trial.number)


RETURNS: dict[str, Any] = {
    "none": None,
    "nan": float("nan"),
    "text": "0.5",
    "nothing": {},
    "other_metric": {"loss": 1.0},
    "two_values": (1.0, 2.0),
    "bad_name": {"value": 1.0, "\ud800": 2.0},
    "unfloatable": Unfloatable(),
}


def returning(trial: Trial) -> Any:
    """Returns in trial 1 what the parameter `what` names."""
    return RETURNS[trial.params["what"]] if trial.number == 1 else float(trial.number)


async def returning_async(trial: Trial) -> Any:
    return returning(trial)


# -- time --------------------------------------------------------------------------------------------------------------


def deaf_with_a_child(trial: Trial) -> float:
    """Hangs, ignores SIGTERM, and has a child that does so too; writes both pids to the file `path`."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork()
    if child:
        Path(trial.params["path"]).write_text(f"{os.getpid()} {child}")
    while True:
        time.sleep(30)


def polite(trial: Trial) -> float:
    """Says goodbye on SIGTERM, in the file `path`."""

    def goodbye(*_: object) -> None:
        Path(trial.params["path"]).write_text("goodbye")
        os._exit(0)

    signal.signal(signal.SIGTERM, goodbye)
    trial.report(0.0, 0)
    while True:
        time.sleep(30)


def leaves_a_child(trial: Trial) -> float:
    """Forks a child that outlives it; tells its pid."""
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    trial.set_user_attr("child", child)
    return 0.0


def leaves_a_thread(x: float) -> float:
    """A thread that keeps its process from ending."""
    threading.Thread(target=time.sleep, args=(60,)).start()
    return x


def waits_forever(x: float) -> float:
    time.sleep(60)
    return x


# -- talking -----------------------------------------------------------------------------------------------------------


def suggests(trial: Trial) -> float:
    """Define-by-run."""
    x = trial.suggest_float("x", 0.0, 1.0)
    n = trial.suggest_int("n", 1, 3)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    assert trial.suggest_float("x", 0.0, 1.0) == x == trial.params["x"]
    assert kind in ("a", "b")
    return x + n


async def suggests_async(trial: Trial) -> float:
    return suggests(trial)


def suggests_nonsense(trial: Trial) -> float:
    return trial.suggest_float("x", 2.0, 1.0)


async def suggests_nonsense_async(trial: Trial) -> float:
    return suggests_nonsense(trial)


def reports_as_a_script(x: float) -> float:
    """Knows nothing of a `trial` argument."""
    for step in range(3):
        sw.report(loss=x + step, step=step)
    sw.current_trial().set_user_attr("seen", sw.current_trial().number)
    return x


async def reports_as_a_script_async(x: float) -> float:
    return reports_as_a_script(x)


def reports_from_threads(trial: Trial) -> float:
    """Four threads, 25 reports each, without steps of their own."""

    def some() -> None:
        for _ in range(25):
            trial.report(1.0)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0.0


def reports_from_a_fork(trial: Trial) -> float:
    """The child's exit code tells whether its report was refused."""
    child = os.fork()
    if not child:
        try:
            trial.report(1.0, 0)
        except sw.TrialError:
            os._exit(42)
        os._exit(0)
    return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def forks_and_returns_twice(trial: Trial) -> float:
    """The child returns as the parent does; the parent tells the child's exit code."""
    child = os.fork()
    return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) if child else 0.0


def stores_what_cannot_be_stored(trial: Trial) -> float:
    refused = 0
    for value in ({1: 2}, object(), b"\0" * 2**21, "\ud800", 2**64, nested(100)):
        try:
            trial.set_user_attr("key", value)
        except (TypeError, ValueError):
            refused += 1
    return float(refused)


async def stores_what_cannot_be_stored_async(trial: Trial) -> float:
    return stores_what_cannot_be_stored(trial)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def changes_its_parameters(trial: Trial) -> float:
    """Does to lists and dicts what an objective of this process could do to the sweep's own."""
    choice = trial.suggest_categorical("choice", [[1], [1]][:1])
    choice.append("mine")
    trial.params["layers"].append("mine")
    trial.params["deep"]["inner"].append("mine")
    attr = ["first"]
    trial.set_user_attr("attr", attr)
    attr.append("mine")
    return float(len(trial.params["layers"]))


async def changes_its_parameters_async(trial: Trial) -> float:
    return changes_its_parameters(trial)


# -- printing ----------------------------------------------------------------------------------------------------------


def prints_everywhere(x: float) -> float:
    print("from python")
    os.write(1, b"from a descriptor\n")
    os.system("echo from a child process; echo and its stderr >&2")
    print("to stderr", file=sys.stderr)
    return x


def prints_and_dies(trial: Trial) -> float:
    print("last words", flush=True)
    os._exit(9)


def prints_a_lot(trial: Trial) -> float:
    """`megabytes` of lines between a first and a last one; `then` is "die" or "return"."""
    os.write(1, b"the first line\n")
    megabyte = b"." * 1023 + b"\n"
    for _ in range(int(trial.params["megabytes"])):
        os.write(1, megabyte * 1024)
    os.write(1, b"the last line\n")
    if trial.params["then"] == "die":
        os._exit(1)
    return 0.0


def prints_its_number(trial: Trial) -> float:
    print("trial", trial.number)
    return 0.0


def removes_its_log_folder(trial: Trial) -> float:
    """Puts a file where the folder of its log should be."""
    (Path(trial.params["directory"]) / "trials").write_text("in the way")
    print("lost")
    return 0.0


def has_a_folder(trial: Any) -> float:
    return float(trial.dir.is_dir())
