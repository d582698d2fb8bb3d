"""Runs of the harness that nobody measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import Figure, Goal
from benchmarks.harness.results import Results

SETTING: dict[str, Any] = {
    "at": "2026-01-02 03:04:05+0000",
    "python": "CPython 3.11.7",
    "versions": {"asyncsweep": "1.0", "optuna": "5.0"},
    "processor": "Imagined <b>CPU</b>",
    "processors": 2,
    "is_quick": False,
}


def figure(
    samples: Sequence[float],
    unit: str = "trials/s",
    contestant: str = "asyncsweep",
    what: str = "in the loop",
    less: str = "",
) -> Figure:
    """A figure whose key and label come of whose it is and what it measures."""
    key = f"{contestant}_{what.replace(' ', '_')}"
    return Figure(key, f"{contestant}, {what}", unit, list(samples), contestant, less)


def outcome(
    *figures: Figure, limits: Sequence[tuple[Figure, float]] = (), at_most: bool = False, **rest: Any
) -> Outcome:
    goals = [Goal(of, limit, at_most) for of, limit in limits]
    return Outcome(figures={of.key: of for of in figures}, goals=goals, **{"noise": [1.0, 1.0, 1.0], **rest})


def run(*figures: Figure, setting: dict[str, Any] | None = None, **rest: Any) -> Results:
    """A run of one workload, "overhead"."""
    return Results(SETTING | (setting or {}), {"overhead": outcome(*figures, **rest)})
