"""The columns of a sweep's table: what each is called, so that no two share a name, whatever the user's names are.

A parameter has its own name unless another column has it or it looks prefixed; then it is under "param:name". A metric gives
way to parameters too, to "metric:name". Constraints are always under "constraint:name". The names are those of the whole
table, not of one trial: a column means the same in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asyncsweep.core.records import TrialRecord

# The columns that are neither a parameter nor a metric; HiPlot has the first two.
OWN = ("uid", "from_uid", "number", "state", "attempts", "started_at", "duration_s", "error")
PARAM, METRIC, CONSTRAINT = PREFIXES = ("param:", "metric:", "constraint:")


class Columns:
    """The columns of some trials.

    Attributes:
        params: Parameter name -> column, those of the space first.
        metrics: Metric name -> column, those with a direction first.
        constraints: Constraint name -> column.
    """

    def __init__(self, space: Iterable[str], directions: Iterable[str], trials: Iterable[TrialRecord]) -> None:
        params, metrics = dict.fromkeys(space), dict.fromkeys(directions)
        constraints: dict[str, None] = {}
        for trial in trials:
            params |= dict.fromkeys(trial.param_names or ())
            metrics |= dict.fromkeys(trial.metric_names)
            constraints |= dict.fromkeys(trial.constraints or ())
        self.params = {name: f"{PARAM}{name}" if _needs_prefix(name) else name for name in params}
        self.metrics = {n: f"{METRIC}{n}" if _needs_prefix(n) or n in self.params else n for n in metrics}
        self.constraints = {name: f"{CONSTRAINT}{name}" for name in constraints}

    def named(self, trial: TrialRecord) -> dict[str, Any]:
        """The trial's parameters, metrics and constraints by column."""
        row = {self.params[name]: value for name, value in trial.params.items()}
        row |= {self.metrics[name]: value for name, value in trial.metrics.items()}
        return row | {self.constraints[name]: value for name, value in (trial.constraints or {}).items()}

    def row(self, trial: TrialRecord) -> dict[str, Any]:
        """All that the table tells of the trial, by column; what it does not have is left out."""
        row: dict[str, Any] = {"number": trial.number, "state": trial.state.value, **self.named(trial)}
        row["attempts"] = trial.attempt
        if trial.started_at:
            row["started_at"] = trial.started_at
        if trial.duration_s is not None:
            row["duration_s"] = trial.duration_s
        if trial.error is not None:
            row["error"] = str(trial.error)
        return row

    def in_order(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """The columns that any row has: number, state, parameters, metrics, constraints, then the others."""
        present = dict.fromkeys(column for row in rows for column in row)
        named = (*self.params.values(), *self.metrics.values(), *self.constraints.values())
        first = dict.fromkeys(("number", "state", *(column for column in named if column in present)))
        return list(first | present)


def _needs_prefix(name: str) -> bool:
    return name in OWN or name.startswith(PREFIXES)
