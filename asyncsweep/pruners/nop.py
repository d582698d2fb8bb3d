"""The pruner of a sweep that has none."""

from __future__ import annotations

from typing import ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.hooks.contracts import FinishedTrial, Host, VerdictSteps


class NopPruner:
    """Never ends a trial. It takes no options."""

    host: ClassVar[Host] = "inline"

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Nothing to get ready."""

    def verdict_steps(self) -> VerdictSteps | None:
        """None: no worker has to ask."""
        return None

    def report(self, trial: int, step: int, value: float) -> None:
        """Nothing to remember."""

    def restart(self, trial: int) -> None:
        """Nothing to forget."""

    def judge(self, trial: int, step: int) -> bool:
        """Always False."""
        return False

    def finish(self, trial: FinishedTrial) -> None:
        """Nothing to learn."""
