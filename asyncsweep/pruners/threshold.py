"""The threshold rule: a trial is stopped when a value leaves its bounds. Verdicts equal those of Optuna's pruner."""

from __future__ import annotations

import math
from typing import ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import FinishedTrial, Host, VerdictSteps
from asyncsweep.pruners.options import check_count, check_number
from asyncsweep.pruners.tail import Tail


class ThresholdPruner:
    """Stops a trial whose value at its last step is below `lower`, above `upper`, or NaN.

    Args:
        lower: The least value that may go on; None for no limit.
        upper: The greatest value that may go on; None for no limit. One of the two has to be given.
        n_warmup_steps: No trial is stopped at a step below this one.
        interval_steps: Steps from one check to the next, counted from `n_warmup_steps`; a check without a report is made
            up for at the next report.

    Raises:
        ConfigError: An option has the wrong type or is out of range, or there is no limit.
    """

    host: ClassVar[Host] = "inline"

    def __init__(
        self,
        lower: float | None = None,
        upper: float | None = None,
        n_warmup_steps: int = 0,
        interval_steps: int = 1,
    ) -> None:
        if lower is None and upper is None:
            raise ConfigError("pruner.lower: expected a number here or for `upper`, got None for both")
        self._lower = -math.inf if lower is None else lower
        self._upper = math.inf if upper is None else upper
        check_number("lower", self._lower, -math.inf)
        check_number("upper", self._upper, -math.inf)
        if self._lower > self._upper:
            raise ConfigError(f"pruner.lower: expected at most `upper`, {upper!r}, got {lower!r}")
        check_count("n_warmup_steps", n_warmup_steps, 0)
        check_count("interval_steps", interval_steps, 1)
        self._n_warmup_steps = n_warmup_steps
        self._interval_steps = interval_steps
        self._running: dict[int, Tail] = {}

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Nothing to get ready: the bounds hold in both directions."""

    def verdict_steps(self) -> VerdictSteps | None:
        """Every step after the warm-up: a check that found no report is due at any later one."""
        return VerdictSteps(first=self._n_warmup_steps)

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
        """True when a check is due and the value at the last step is out of bounds or NaN."""
        tail = self._running.get(trial)
        if tail is None or not tail.is_due(self._n_warmup_steps, self._interval_steps):
            return False
        return not self._lower <= tail.value <= self._upper

    def finish(self, trial: FinishedTrial) -> None:
        """Forget what was kept of the trial while it ran."""
        self._running.pop(trial.number, None)
