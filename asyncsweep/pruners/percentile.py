"""The percentile and the median stopping rule (Golovin et al. 2017, "Google Vizier", section 3.2.2).

A trial is stopped when the best value that it reported so far is worse than a percentile of what the COMPLETE trials
reported at the same step. Verdicts equal those of Optuna's pruners of the same name on the same trace; here a verdict
costs O(1) and a final trial O(log n) for each of its reports.
"""

from __future__ import annotations

import math
from typing import ClassVar

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import FinishedTrial, Host, VerdictSteps
from asyncsweep.pruners.options import check_count, check_number
from asyncsweep.pruners.order import RunningPercentile
from asyncsweep.pruners.tail import Tail


class _RunningTrial:
    """What a verdict on a running trial needs: its best value and the end of its curve."""

    __slots__ = ("best", "steps", "tail")

    def __init__(self) -> None:
        self.best = math.nan
        self.tail = Tail()
        self.steps: set[int] = set()


class PercentilePruner:
    """Keeps the trials whose best value so far is among the best `percentile` percent at their step.

    Of several reports at one step the first counts. A trial that reported nothing but NaN is stopped.

    Args:
        percentile: Between 0 and 100; 25.0 keeps the best quarter.
        n_startup_trials: No trial is stopped before so many trials are COMPLETE.
        n_warmup_steps: No trial is stopped at a step below this one.
        interval_steps: Steps from one check to the next, counted from `n_warmup_steps`; a check without a report is made
            up for at the next report.
        n_min_trials: No trial is stopped at a step that fewer COMPLETE trials reported.

    Raises:
        ConfigError: An option has the wrong type or is out of range.
    """

    host: ClassVar[Host] = "inline"

    def __init__(
        self,
        percentile: float,
        n_startup_trials: int = 5,
        n_warmup_steps: int = 0,
        interval_steps: int = 1,
        *,
        n_min_trials: int = 1,
    ) -> None:
        check_number("percentile", percentile, 0, 100)
        check_count("n_startup_trials", n_startup_trials, 0)
        check_count("n_warmup_steps", n_warmup_steps, 0)
        check_count("interval_steps", interval_steps, 1)
        check_count("n_min_trials", n_min_trials, 1)
        self._percentile = percentile
        self._n_startup_trials = n_startup_trials
        self._n_warmup_steps = n_warmup_steps
        self._interval_steps = interval_steps
        self._n_min_trials = n_min_trials
        self._maximize = False
        self._n_complete = 0
        self._running: dict[int, _RunningTrial] = {}
        self._by_step: dict[int, RunningPercentile] = {}

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Learn which way is better."""
        self._maximize = direction == "maximize"

    def verdict_steps(self) -> VerdictSteps | None:
        """Every step after the warm-up: a check that found no report is due at any later one."""
        return VerdictSteps(first=self._n_warmup_steps)

    def report(self, trial: int, step: int, value: float) -> None:
        """Remember the value if it is the trial's best; a second report at the same step is left out."""
        running = self._running.get(trial)
        if running is None:
            running = self._running[trial] = _RunningTrial()
        if step in running.steps:
            return
        running.steps.add(step)
        running.tail.add(step, value)
        best = running.best
        if math.isnan(best) or (value > best if self._maximize else value < best):
            running.best = value

    def restart(self, trial: int) -> None:
        """Forget what the trial reported in an earlier attempt."""
        self._running.pop(trial, None)

    def judge(self, trial: int, step: int) -> bool:
        """True when the trial's best value is worse than the percentile at its last step."""
        running = self._running.get(trial)
        if running is None or not self._n_complete or self._n_complete < self._n_startup_trials:
            return False
        if not running.tail.is_due(self._n_warmup_steps, self._interval_steps):
            return False
        best = running.best
        if math.isnan(best):
            return True
        reported = self._by_step.get(running.tail.step)
        if reported is None or reported.count < self._n_min_trials:
            return False
        return best < reported.value if self._maximize else best > reported.value

    def finish(self, trial: FinishedTrial) -> None:
        """Take a COMPLETE trial's reports into the percentiles, and forget what was kept of it while it ran."""
        self._running.pop(trial.number, None)
        if trial.state != State.COMPLETE:
            return
        self._n_complete += 1
        first_values: dict[int, float] = {}
        for step, value in trial.reports:
            first_values.setdefault(step, value)
        for step, value in first_values.items():
            reported = self._by_step.get(step)
            if reported is None:
                percentile = 100 - self._percentile if self._maximize else self._percentile
                reported = self._by_step[step] = RunningPercentile(percentile)
            reported.add(value)


class MedianPruner(PercentilePruner):
    """Stops a trial whose best value so far is worse than the median at its step: `PercentilePruner(50.0)`.

    Args:
        n_startup_trials: No trial is stopped before so many trials are COMPLETE.
        n_warmup_steps: No trial is stopped at a step below this one.
        interval_steps: Steps from one check to the next, counted from `n_warmup_steps`.
        n_min_trials: No trial is stopped at a step that fewer COMPLETE trials reported.
    """

    def __init__(
        self,
        n_startup_trials: int = 5,
        n_warmup_steps: int = 0,
        interval_steps: int = 1,
        *,
        n_min_trials: int = 1,
    ) -> None:
        super().__init__(50.0, n_startup_trials, n_warmup_steps, interval_steps, n_min_trials=n_min_trials)
