"""What the tests of warm starts share: a small space, a sweep that only loads, trials made by hand."""

from __future__ import annotations

from array import array
from typing import Any

import asyncsweep as sw
from asyncsweep.history.admission import Past
from asyncsweep.testing.events import spec

SPACE = {"lr": sw.Float(1e-5, 1e-1, log=True), "depth": sw.Int(1, 8), "opt": sw.Categorical(["sgd", "adam"])}
GOOD = {"lr": 0.01, "depth": 3, "opt": "adam"}


def objective(trial: Any) -> float:
    return 0.0


def loaded(source: Any, space: dict[str, Any] | None = None, direction: Any = "minimize") -> Past:
    """What a new sweep takes from the source."""
    history = sw.Sweep(objective, SPACE if space is None else space, direction=direction, history=source).history
    assert history is not None
    return history


def refusal(source: Any, space: dict[str, Any] | None = None, direction: Any = "minimize") -> str:
    """Why a new sweep takes nothing from the source."""
    try:
        found = loaded(source, space, direction)
    except sw.ConfigError as error:
        return str(error)
    raise AssertionError(f"taken: {found}")


def trial(number: int, state: str, params: dict[str, Any] | None, **metrics: float) -> sw.TrialRecord:
    """A trial that ran from second 10 to second 12."""
    record = sw.TrialRecord(number, sw.State(state), attempt=1, started_at=10.0, finished_at=12.0)
    if params is not None:
        record.param_names, record.param_values = tuple(params), tuple(params.values())
    record.metric_names, record.metric_values = tuple(metrics), tuple(metrics.values())
    return record


def reported(record: sw.TrialRecord, *reports: tuple[int, float]) -> sw.TrialRecord:
    record.steps = array("q", [step for step, _ in reports])
    record.reported = array("d", [value for _, value in reports])
    return record


def result(*trials: sw.TrialRecord, space: dict[str, Any] | None = None, **directions: Any) -> sw.Result:
    domains = sw.Space(SPACE if space is None else space).domains
    return sw.Result(spec(space=domains, directions=directions or {"value": "minimize"}), trials)
