"""Objectives that are hard to get rid of, or take too much. Workers import them by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from asyncsweep.worker.trial import Trial

# Each tells its process id, ignores SIGTERM, and stays.
_STAYS = "trap '' TERM; echo $$ >> {path}; exec sleep 300"
_FORMS = {
    "session": ["sh", "-c", _STAYS],
    "twice": ["sh", "-c", 'sh -c "$0" & exit', _STAYS],
    "unmarked": ["env", "-i", "sh", "-c", _STAYS],
}
N_CHILDREN = len(_FORMS) + 1


def start_children(path: Path) -> None:
    """Start a child in each form, and go on when each has written its process id to the file `path`."""
    for command in _FORMS.values():
        subprocess.Popen([part.replace("{path}", str(path)) for part in command], start_new_session=True)
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _tell(path)
        time.sleep(300)
        os._exit(0)
    while len(path.read_text().split() if path.exists() else ()) < N_CHILDREN:
        time.sleep(0.005)


def _tell(path: Path) -> None:
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")


def holds_the_gil() -> None:
    """Minutes in one call, during which no other thread of this process runs, and no handler of a signal."""
    sum(range(10**11))


def hard(trial: Trial) -> float:
    """Starts children, and does what the parameter `then` says. All process ids are in a file of `folder`, its own the last."""
    path = Path(trial.params["folder"]) / str(trial.number)
    start_children(path)
    trial.report(float(os.getpid()), 0)
    then = trial.params["then"]
    if then == "hold the GIL":
        time.sleep(0.1)  # a report leaves within 50 ms, and nothing leaves later
    _tell(path)
    if then == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
    elif then == "hold the GIL":
        holds_the_gil()
    elif then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif then == "kill the guard":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(300)
    return 0.0


def hangs_once(trial: Trial) -> float:
    """Tells its process id, and returns in its second attempt alone."""
    trial.report(float(os.getpid()), 0)
    if trial.attempt == 1:
        time.sleep(300)
    return 0.0


def controller(folder: str, then: str) -> None:
    """Run a sweep of one trial in this process."""
    import anyio

    import asyncsweep as sw

    space = {"folder": folder, "then": then}
    anyio.run(sw.Sweep(hard, space, sampler="random", executor="process", n_trials=1).run)


# -- taking much -------------------------------------------------------------------------------------------------------


def takes_memory(trial: Trial) -> float:
    """Trial 1 takes `megabytes` here or, with `where`="child", in a child, and keeps them."""
    if trial.number == 1:
        code = f"import time; kept = b'x' * ({trial.params['megabytes']} << 20); time.sleep(300)"
        if trial.params["where"] == "child":
            subprocess.run([sys.executable, "-c", code], check=True)
        else:
            exec(code, {})  # noqa: S102  the line above
    return float(os.getpid())


_leak: list[bytes] = []


def leaks_memory(trial: Trial) -> float:
    """Keeps `megabytes` more at each trial."""
    _leak.append(b"x" * (trial.params["megabytes"] << 20))
    return float(os.getpid())


def shares_memory(trial: Trial) -> float:
    """Has `megabytes`, and three children that share them for a while."""
    kept = b"x" * (trial.params["megabytes"] << 20)
    end, held = os.pipe()
    for _ in range(3):
        if not os.fork():
            os.close(held)
            os.read(end, 1)
            os._exit(0)
    time.sleep(trial.params["seconds"])
    os.close(held)
    for _ in range(3):
        os.wait()
    return float(len(kept))


def takes_time(trial: Trial) -> float:
    """Trial 1 computes for ever, here or in a child."""
    if trial.number == 1:
        if trial.params["where"] == "child":
            subprocess.run([sys.executable, "-c", "while True: pass"], check=True)
        while True:
            pass
    return float(os.getpid())


def takes_time_for_ever(trial: Trial) -> float:
    """Computes for ever and ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def takes_time_and_ends_well(trial: Trial) -> float:
    """Computes until SIGTERM, and returns."""
    terminated: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))
    while not terminated:
        pass
    return 0.0


def takes_a_little_time(trial: Trial) -> float:
    """Computes for `seconds` of processor time."""
    until = time.process_time() + trial.params["seconds"]
    while time.process_time() < until:
        pass
    return 0.0


if __name__ == "__main__":
    controller(*sys.argv[1:])
