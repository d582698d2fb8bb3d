"""Objectives that the cluster's workers import by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import asyncsweep as sw


def noted(trial: sw.Trial) -> float:
    """Writes down that it began, works until the file `gate` is there, and writes down that it ended, in the file `notes`."""
    note = f"{trial.number} {trial.attempt} {os.getpid()}"
    with open(trial.params["notes"], "a") as notes:
        notes.write(f"began {note}\n")
    step = 0
    while not step or not os.path.exists(trial.params["gate"]):
        trial.report(float(step), step)
        step += 1
        time.sleep(0.01)
    with open(trial.params["notes"], "a") as notes:
        notes.write(f"ended {note}\n")
    return float(trial.params["x"])


def busy(trial: sw.Trial) -> float:
    """Reports again and again for `work_s`."""
    until = time.monotonic() + trial.params["work_s"]
    step = 0
    while not step or time.monotonic() < until:
        trial.report(float(step), step)
        step += 1
        time.sleep(0.01)
    return float(trial.params["x"])


def quiet(trial: sw.Trial) -> float:
    """Says nothing for `work_s`."""
    time.sleep(trial.params["work_s"])
    return float(trial.params["x"])


def hangs_with_children(trial: sw.Trial) -> float:
    """Starts a process that leaves its group, and never looks at anything again."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    trial.set_user_attr("pids", [os.getpid(), child.pid])
    trial.report(0.0, 0)
    time.sleep(600)
    return 0.0


def falls(trial: sw.Trial) -> float:
    """Falls quickly enough for a bad trial to be pruned."""
    for step in range(20):
        trial.report(trial.params["x"] - step, step)
        if trial.should_prune():
            raise sw.TrialPruned
    return float(trial.params["x"])


def told(x: float) -> float:
    return x


class LoadsOnce:
    """Counts in which process it was built, and how often it is called there."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, trial: Any) -> float:
        self.calls += 1
        trial.set_user_attr("calls", self.calls)
        return 0.0
