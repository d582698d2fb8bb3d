"""Hyperband (Li et al. 2018): successive halving in several brackets. Verdicts equal those of Optuna's `HyperbandPruner`.

A trial's bracket follows from its number and the sweep's name alone, so that it is the same after every restart.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal
from zlib import crc32

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import VerdictSteps
from asyncsweep.pruners.halving import MOST_STEPS, Bracket, HalvingPruner
from asyncsweep.pruners.options import check_count, check_resource


class HyperbandPruner(HalvingPruner):
    """Runs several brackets of successive halving side by side, each of which stops trials later than the one before.

    There are `floor(log(max_resource / min_resource, reduction_factor)) + 1` brackets. In bracket k the lowest rung is at the
    step `min_resource * reduction_factor**k`; see `asyncsweep.pruners.halving`.

    Args:
        min_resource: The step of the lowest rung of all.
        max_resource: How many steps a trial has. "auto": as many as the longest trial that is COMPLETE when a verdict is asked
            for first; until there is one, nothing is stopped.
        reduction_factor: At a rung one of so many trials goes on.
        bootstrap_count: No trial goes on from a rung that no more than so many trials completed. Needs a `max_resource`.

    Raises:
        ConfigError: An option has the wrong type or is out of range.
    """

    _RESOURCE: ClassVar[str] = "hyperband:max_resource"

    def __init__(
        self,
        min_resource: int = 1,
        max_resource: int | Literal["auto"] = "auto",
        reduction_factor: int = 3,
        bootstrap_count: int = 0,
    ) -> None:
        check_count("min_resource", min_resource, 1)
        check_resource("max_resource", max_resource)
        check_count("reduction_factor", reduction_factor, 2)
        check_count("bootstrap_count", bootstrap_count, 0)
        if isinstance(max_resource, int) and max_resource < min_resource:
            raise ConfigError(
                f"pruner.max_resource: expected at least min_resource, {min_resource}, got {max_resource}"
            )
        if bootstrap_count and max_resource == "auto":
            raise ConfigError(f'pruner.bootstrap_count: expected 0 with max_resource="auto", got {bootstrap_count!r}')
        super().__init__(max_resource)
        self._min_resource = min_resource
        self._reduction_factor = reduction_factor
        self._bootstrap_count = bootstrap_count
        self._shares: list[int] = []

    def verdict_steps(self) -> VerdictSteps | None:
        """The steps of all brackets' rungs; every step with "auto", whose meaning is found at any."""
        if self._resource is None:
            return VerdictSteps()
        first, factor = self._min_resource, min(self._reduction_factor, MOST_STEPS)
        return VerdictSteps(first=first, factor=factor) if first <= MOST_STEPS else None

    def _learnt(self, longest: int) -> int:
        return longest + 1

    def _opened(self, resource: int) -> list[Bracket]:
        factor = self._reduction_factor
        n_brackets = math.floor(math.log(resource / self._min_resource, factor)) + 1
        # How many of so many trials each bracket gets: more where more of them are stopped early.
        self._shares = [math.ceil(n_brackets * factor**left / (left + 1)) for left in reversed(range(n_brackets))]
        return [
            Bracket(self._min_resource * factor**number, factor, self._bootstrap_count, maximize=self._maximize)
            for number in range(n_brackets)
        ]

    def _bracket(self, trial: int) -> Bracket:
        ticket = crc32(f"{self._sweep}_{trial}".encode()) % sum(self._shares)
        for share, bracket in zip(self._shares, self._brackets, strict=True):
            ticket -= share
            if ticket < 0:
                return bracket
        raise AssertionError("a ticket is below the sum of all shares")
