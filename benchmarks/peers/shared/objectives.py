"""What the trials do, as functions of the parameters; each adapter calls them from an objective of its library's kind."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any

REPORTS_PER_TRIAL = 100


def noop(params: Mapping[str, Any]) -> float:
    """As little as can be."""
    return float(params["momentum"])


def bowl(params: Mapping[str, Any]) -> float:
    """Something that a sampler can learn from."""
    lr, momentum, depth = params["lr"], params["momentum"], params["depth"]
    return float((math.log10(lr) + 3.0) ** 2 + (momentum - 0.9) ** 2 + abs(depth - 20) / 50)


def reported(step: int) -> float:
    """What every trial reports at a step, from 1. All are equally good, so no pruner ends one, and each makes all its reports."""
    return 1.0 / step


class Nap:
    """Sleeps for a time that a uniform parameter chooses, and writes when it began and ended.

    Args:
        file: Gets a line for each trial. Every process appends to it by single writes, which do not mix.
        low_s: The shortest sleep.
        high_s: The longest; with 0 nothing sleeps, and only the times are written.
    """

    def __init__(self, file: str, low_s: float = 0.0, high_s: float = 0.0) -> None:
        self._file = file
        self._low_s = low_s
        self._high_s = high_s

    def __call__(self, params: Mapping[str, Any]) -> float:
        began_at = time.monotonic()
        value = float(params["momentum"])
        if self._high_s:
            time.sleep(self._low_s + (self._high_s - self._low_s) * value)
        ended_at = time.monotonic()  # one clock for all processes of the machine
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{began_at!r} {ended_at!r}\n".encode())
        os.close(descriptor)
        return value
