"""The rule for objectives that diverge: a trial whose loss became NaN will not recover."""

from __future__ import annotations

import math
from typing import ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import FinishedTrial, Host, VerdictSteps
from asyncsweep.pruners.tail import Tail


class NanPruner:
    """Stops a trial whose value at its last step is NaN.

    Args:
        also_infinite: Stop at an infinite value, too, of either sign: a loss that overflows mostly does so before it is NaN.
            Off by default, because an objective may report infinity on purpose, for "nothing measured yet".

    Raises:
        ConfigError: The option is neither True nor False.
    """

    host: ClassVar[Host] = "inline"

    def __init__(self, also_infinite: bool = False) -> None:
        if not isinstance(also_infinite, bool):
            raise ConfigError(f"pruner.also_infinite: expected True or False, got {also_infinite!r}")
        self._also_infinite = also_infinite
        self._running: dict[int, Tail] = {}

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Nothing to get ready."""

    def verdict_steps(self) -> VerdictSteps | None:
        """Every step."""
        return VerdictSteps()

    def report(self, trial: int, step: int, value: float) -> None:
        """Remember the value if no step was higher."""
        tail = self._running.get(trial)
        if tail is None:
            tail = self._running[trial] = Tail()
        tail.add(step, value)

    def restart(self, trial: int) -> None:
        """Forget what the trial reported in an earlier attempt."""
        self._running.pop(trial, None)

    def judge(self, trial: int, step: int) -> bool:
        """True when the value at the last step is NaN, or infinite where that counts."""
        tail = self._running.get(trial)
        if tail is None or tail.step < 0:
            return False
        return not math.isfinite(tail.value) if self._also_infinite else math.isnan(tail.value)

    def finish(self, trial: FinishedTrial) -> None:
        """Forget what was kept of the trial while it ran."""
        self._running.pop(trial.number, None)
