"""What the trials do: as little as can be. Imported by worker processes, so it imports nothing itself.

The parameters are always all suggested and sent; that an objective reads one of them is the same work for everybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, cast

REPORTS_PER_TRIAL = 100


class Reporter(Protocol):
    """The part of a trial, ours or Optuna's, that an objective with reports needs."""

    def report(self, value: float, step: int) -> None: ...


class Trial(Reporter, Protocol):
    """The part of our trial that the objectives need."""

    @property
    def params(self) -> dict[str, Any]: ...


async def noop_async(trial: Trial) -> float:
    return cast(float, trial.params["momentum"])


def noop(trial: Trial) -> float:
    return cast(float, trial.params["momentum"])


def noop_of_params(params: dict[str, Any]) -> float:
    return cast(float, params["momentum"])


def reporting(trial: Trial) -> float:
    return _report(trial.report, trial.params)


def bowl(trial: Trial) -> float:
    return bowl_of_params(trial.params)


def bowl_of_params(params: dict[str, Any]) -> float:
    """Something that a sampler can learn from."""
    lr, momentum, depth = params["lr"], params["momentum"], params["depth"]
    return float((math.log10(lr) + 3.0) ** 2 + (momentum - 0.9) ** 2 + abs(depth - 20) / 50)


_send: Callable[[tuple[int, float, int]], None]


def send_reports_to(queue: Any) -> None:
    """Initializer of the hand-written pool: where `reporting_of_params` puts its reports."""
    global _send
    _send = queue.put


def reporting_of_params(number: int, params: dict[str, Any]) -> float:
    return _report(lambda value, step: _send((number, value, step)), params)


def _report(report: Callable[[float, int], None], params: dict[str, Any]) -> float:
    value = cast(float, params["momentum"])
    for step in range(REPORTS_PER_TRIAL):
        report(value, step)
    return value
