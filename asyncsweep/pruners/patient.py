"""Patience around another pruner. Verdicts equal those of Optuna's `PatientPruner` around its pruner of the same name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heappush, heappushpop
from typing import Any

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import FinishedTrial, Host, Pruner, VerdictSteps
from asyncsweep.hooks.registry import Registry
from asyncsweep.pruners.options import check_count, check_number


class _RunningTrial:
    """A trial's curve in two parts: the reports with the highest steps, and the best value of all before them."""

    __slots__ = ("best_before", "recent", "steps")

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.recent: list[tuple[int, float]] = []
        self.best_before = math.nan

    def add(self, step: int, value: float, patience: int) -> None:
        """Take in a report; lower values are better. Of several reports at one step the first counts."""
        if step in self.steps:
            return
        self.steps.add(step)
        if len(self.recent) <= patience:
            heappush(self.recent, (step, value))
            return
        _, before = heappushpop(self.recent, (step, value))
        if math.isnan(self.best_before) or before < self.best_before:
            self.best_before = before


class PatientPruner:
    """Asks another pruner only about trials that have not improved for a while.

    That is: the best of the last `patience + 1` reported values is worse, by more than `min_delta`, than the best before
    them. NaNs do not count; a trial with nothing else before or since goes on.

    Args:
        wrapped_pruner: A name, a mapping with a "name" and options, what `asyncsweep.pruner(...)` returns, or an object of the
            contract `Pruner`. None stops every trial that does not improve.
        patience: So many values after one that was no improvement may be none either.
        min_delta: A value that is worse by no more than this is no worsening.

    Raises:
        ConfigError: An option has the wrong type or is out of range, or there is no such pruner.
    """

    def __init__(self, wrapped_pruner: object, patience: int, min_delta: float = 0.0) -> None:
        check_count("patience", patience, 0)
        check_number("min_delta", min_delta, 0)
        self._wrapped = _built(wrapped_pruner)
        self._patience = patience
        self._min_delta = min_delta
        self._sign = 1.0
        self._running: dict[int, _RunningTrial] = {}

    @property
    def host(self) -> Host:
        """Where the wrapped pruner runs."""
        return "inline" if self._wrapped is None else getattr(self._wrapped, "host", "process")

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Learn which way is better."""
        self._sign = -1.0 if direction == "maximize" else 1.0
        if self._wrapped is not None:
            self._wrapped.open(direction, seed, sweep)

    def verdict_steps(self) -> VerdictSteps | None:
        """Those of the wrapped pruner, from the first on at which a trial can have lost patience.

        A wrapped pruner that wants to be asked when steps are passed is not asked while there is patience, and may have to make
        up for it at any later step.
        """
        steps: VerdictSteps | None = VerdictSteps()
        if self._wrapped is not None:
            steps = getattr(self._wrapped, "verdict_steps", VerdictSteps)()
        if steps is None:
            return None
        every = 1 if steps.factor > 1 else steps.every
        missing = max(self._patience + 1 - steps.first, 0)
        return VerdictSteps(steps.first + math.ceil(missing / every) * every, every)

    def report(self, trial: int, step: int, value: float) -> None:
        """Remember the value, and hand it on."""
        running = self._running.get(trial)
        if running is None:
            running = self._running[trial] = _RunningTrial()
        running.add(step, self._sign * value, self._patience)
        if self._wrapped is not None:
            self._wrapped.report(trial, step, value)

    def restart(self, trial: int) -> None:
        """Forget what the trial reported in an earlier attempt."""
        self._running.pop(trial, None)
        if self._wrapped is not None:
            self._wrapped.restart(trial)

    def judge(self, trial: int, step: int) -> bool:
        """What the wrapped pruner says of a trial that does not improve; False for others, of which it is not asked."""
        running = self._running.get(trial)
        if running is None:
            return False
        recent = min((value for _, value in running.recent if not math.isnan(value)), default=math.nan)
        if not running.best_before + self._min_delta < recent:
            return False
        return self._wrapped is None or self._wrapped.judge(trial, step)

    def attrs(self, trial: int) -> dict[str, Any]:
        """What the wrapped pruner keeps of the trial."""
        attrs = getattr(self._wrapped, "attrs", None)
        return {} if attrs is None else attrs(trial)

    def restore(self, trial: int, attrs: Mapping[str, Any]) -> None:
        """Give back what the wrapped pruner kept of a running trial."""
        restore = getattr(self._wrapped, "restore", None)
        if restore is not None:
            restore(trial, attrs)

    def finish(self, trial: FinishedTrial) -> None:
        """Forget what was kept of the trial while it ran, and hand it on."""
        self._running.pop(trial.number, None)
        if self._wrapped is not None:
            self._wrapped.finish(trial)


def _built(wrapped: object) -> Pruner | None:
    if wrapped is None or (isinstance(wrapped, Pruner) and not isinstance(wrapped, type)):
        return wrapped
    options: Any = {}
    name: Any = wrapped
    if isinstance(wrapped, Mapping):
        options = dict(wrapped)
        name = options.pop("name", None)
    elif isinstance(wrapped, Sequence) and len(wrapped) == 4 and wrapped[0] == "pruner":
        # What `asyncsweep.pruner(...)` returns, or a list of the same from a journal.
        _, name, options, host = wrapped
        if host:
            raise ConfigError(f"pruner.wrapped_pruner: expected no host, for both run in one place, got {host!r}")
    if not isinstance(name, str) or not isinstance(options, Mapping):
        raise ConfigError(
            'pruner.wrapped_pruner: expected a name, a mapping with a "name", an object of the contract Pruner, or None, '
            f"got {wrapped!r}"
        )
    try:
        return Registry().build("pruner", name, options)
    except ConfigError as error:
        raise ConfigError(f"pruner.wrapped_pruner: {error}") from error
