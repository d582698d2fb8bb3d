"""The end of a running trial's curve, which most verdicts look at."""

from __future__ import annotations

import math


class Tail:
    """The report with the highest step, and the step before it. Of several reports at one step the first counts.

    Attributes:
        step: The highest reported step; -1 before the first report.
        value: The value at that step.
        second_step: The second highest step; -1 when there is none.
    """

    __slots__ = ("second_step", "step", "value")

    def __init__(self) -> None:
        self.step = -1
        self.value = math.nan
        self.second_step = -1

    def add(self, step: int, value: float) -> None:
        """Take in a report."""
        if step > self.step:
            self.second_step = self.step
            self.step = step
            self.value = value
        elif self.second_step < step < self.step:
            self.second_step = step

    def is_due(self, n_warmup_steps: int, interval_steps: int) -> bool:
        """Whether a check is due at the highest step.

        Checks are at `n_warmup_steps` and every `interval_steps` from there; one at which nothing was reported is made up for
        at the next report.
        """
        after_warmup = self.step - n_warmup_steps
        return after_warmup >= 0 and self.second_step < self.step - after_warmup % interval_steps
