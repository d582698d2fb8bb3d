"""Objectives that save how far they are, and go on from there."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

import asyncsweep as sw

N_STEPS = 4
DIES_AFTER = 2


def steps_of(trial: Any) -> float:
    """Count to `N_STEPS`, saving after each step; the first attempt ends badly after the second one."""
    file = trial.checkpoint_dir / "state.json"
    step = json.loads(file.read_text())["step"] if file.exists() else 0
    trial.set_user_attr("began_at", step)
    while step < N_STEPS:
        step += 1
        file.write_text(json.dumps({"step": step}))
        if step == DIES_AFTER and trial.attempt == 1:
            end_badly(trial)
    return float(step)


def end_badly(trial: Any) -> None:
    if os.environ.get("ASYNCSWEEP_TEST_WAITS"):
        sys.stdout.write("saved\n")
        sys.stdout.flush()
        threading.Event().wait()
    raise ConnectionResetError("the first attempt ends here")


async def steps_inline(trial: Any) -> float:
    return steps_of(trial)


def dying(trial: Any) -> float:
    """The same, with the process gone after the second step."""
    try:
        return steps_of(trial)
    except ConnectionResetError:
        os._exit(3)


async def where(trial: Any) -> float:
    """Save a file, and tell where."""
    (trial.checkpoint_dir / "file").write_text("saved")
    trial.set_user_attr("folder", str(trial.checkpoint_dir))
    return float(trial.params.get("x", 0.0))


def where_in_thread(trial: Any) -> float:
    (sw.current_trial().checkpoint_dir / "file").write_text("saved")
    trial.set_user_attr("folder", str(trial.checkpoint_dir))
    return 0.0
