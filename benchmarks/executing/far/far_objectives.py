"""Objectives that are sent to hosts, which have nothing but Python."""

from __future__ import annotations

import os
import time
from typing import Any


def sleeps(trial: Any) -> float:
    """Sleeps for a second, and writes when it began and ended, and in which process: the hosts are on one machine."""
    began_at = time.monotonic()
    time.sleep(1.0)
    descriptor = os.open(trial.params["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{began_at!r} {time.monotonic()!r} {os.getpid()}\n".encode())
    os.close(descriptor)
    return float(trial.params["x"])


def asks(trial: Any) -> float:
    """Asks for a verdict after each of 50 reports, and keeps how long each took."""
    waits = []
    for step in range(50):
        trial.report(1.0, step)
        began_at = time.monotonic()
        trial.should_prune()
        waits.append(time.monotonic() - began_at)
    trial.set_user_attr("waits", waits)
    return float(trial.params["x"])


def nothing(trial: Any) -> float:
    """As little as can be."""
    return float(trial.params["x"])
