"""Asynchronous successive halving in one bracket. Verdicts equal those of Optuna's `SuccessiveHalvingPruner`."""

from __future__ import annotations

from typing import ClassVar, Literal

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import VerdictSteps
from asyncsweep.pruners.halving import MOST_STEPS, Bracket, HalvingPruner
from asyncsweep.pruners.options import check_count, check_resource


class AshaPruner(HalvingPruner):
    """Lets the best `1 / reduction_factor` of the trials go on at each rung; see `asyncsweep.pruners.halving`.

    Args:
        min_resource: The lowest rung is at the step `min_resource * reduction_factor**min_early_stopping_rate`, and each further
            one is `reduction_factor` times as high. "auto": a hundredth of the steps of the longest trial that is COMPLETE
            when a verdict is asked for first; until there is one, nothing is stopped.
        reduction_factor: At a rung one of so many trials goes on.
        min_early_stopping_rate: Leaves out so many of the lowest rungs.
        bootstrap_count: No trial goes on from a rung that no more than so many trials completed. Needs a `min_resource`.

    Raises:
        ConfigError: An option has the wrong type or is out of range.
    """

    _RESOURCE: ClassVar[str] = "asha:min_resource"

    def __init__(
        self,
        min_resource: int | Literal["auto"] = "auto",
        reduction_factor: int = 4,
        min_early_stopping_rate: int = 0,
        bootstrap_count: int = 0,
    ) -> None:
        check_resource("min_resource", min_resource)
        check_count("reduction_factor", reduction_factor, 2)
        check_count("min_early_stopping_rate", min_early_stopping_rate, 0)
        check_count("bootstrap_count", bootstrap_count, 0)
        if bootstrap_count and min_resource == "auto":
            raise ConfigError(f'pruner.bootstrap_count: expected 0 with min_resource="auto", got {bootstrap_count!r}')
        super().__init__(min_resource)
        self._reduction_factor = reduction_factor
        self._min_early_stopping_rate = min_early_stopping_rate
        self._bootstrap_count = bootstrap_count

    def verdict_steps(self) -> VerdictSteps | None:
        """The steps of the rungs; every step with "auto", whose meaning is found at any; None if no trial can get so far."""
        if self._resource is None:
            return VerdictSteps()
        first = self._first(self._resource)
        factor = min(self._reduction_factor, MOST_STEPS)
        return VerdictSteps(first=first, factor=factor) if first <= MOST_STEPS else None

    def _first(self, min_resource: int) -> int:
        first: int = min_resource * self._reduction_factor**self._min_early_stopping_rate
        return first

    def _learnt(self, longest: int) -> int:
        return max(longest // 100, 1)

    def _opened(self, resource: int) -> list[Bracket]:
        first = self._first(resource)
        return [Bracket(first, self._reduction_factor, self._bootstrap_count, maximize=self._maximize)]

    def _bracket(self, trial: int) -> Bracket:
        return self._brackets[0]
