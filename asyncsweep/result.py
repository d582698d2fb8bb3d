"""What a sweep found."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncsweep.core.policy import is_better
from asyncsweep.core.records import FINAL_STATES, Direction, State, SweepSpec, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.space import Domain

if TYPE_CHECKING:
    import hiplot
    import optuna
    import pandas

# The columns that are neither a parameter nor a metric; HiPlot has the first two.
_COLUMNS = ("uid", "from_uid", "number", "state", "attempts", "started_at", "duration_s", "error")


class Result:
    """The trials of a sweep, finished or still running.

    Attributes:
        trials: Every trial by its number; a failed one is data like the others.
        directions: Metric name to "minimize" or "maximize".
        space: The domains by name.
        reason: Why the sweep ended; "" while it runs.
    """

    def __init__(self, spec: SweepSpec, trials: Sequence[TrialRecord], reason: str = "") -> None:
        self.trials = tuple(trials)
        self.directions: Mapping[str, Direction] = spec.directions
        self.space: Mapping[str, Domain] = spec.space
        self.reason = reason

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state.value}" for state, count in self.counts.items() if count) or "no trials"
        best = self.best if len(self.directions) == 1 else None
        if best is None:
            return f"<Result: {counts}>"
        return f"<Result: {counts}; best is trial {best.number} with {best.value} and {best.params}>"

    @property
    def counts(self) -> dict[State, int]:
        """How many trials are in each state."""
        counts = dict.fromkeys(State, 0)
        for trial in self.trials:
            counts[trial.state] += 1
        return counts

    @property
    def best(self) -> TrialRecord | None:
        """The COMPLETE trial with the best value, the earliest of equals; None when there is none.

        Raises:
            ConfigError: The sweep has several directions: see `best_trials`.
        """
        if len(self.directions) > 1:
            raise ConfigError(f"best: the sweep has the directions {', '.join(self.directions)}; use best_trials")
        direction = next(iter(self.directions.values()))
        best: TrialRecord | None = None
        for trial in self.trials:
            if trial.state is State.COMPLETE and (
                best is None or is_better(direction, trial.metric_values[0], best.metric_values[0])
            ):
                best = trial
        return best

    @property
    def best_trials(self) -> list[TrialRecord]:
        """The COMPLETE trials that no other is better than in every direction (the Pareto front), by number."""
        signs = [1.0 if direction == "minimize" else -1.0 for direction in self.directions.values()]
        points = [
            (tuple(sign * value for sign, value in zip(signs, trial.metric_values, strict=False)), trial)
            for trial in self.trials
            if trial.state is State.COMPLETE
        ]
        # In lexicographic order a point can only be dominated by one before it.
        front: list[tuple[tuple[float, ...], TrialRecord]] = []
        for point, trial in sorted(points, key=lambda pair: (pair[0], pair[1].number)):
            if not any(_dominates(other, point) for other, _ in front):
                front.append((point, trial))
        return sorted((trial for _, trial in front), key=lambda trial: trial.number)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict for each trial: number, state, parameters by name, metrics by name, attempts, times and error.

        A parameter with the name of one of the other columns is under "param:name"; a metric with such a name, or with a
        parameter's, is under "metric:name". What a trial does not have is left out.
        """
        return [self._row(trial) for trial in self.trials]

    def to_csv(self, path: str | Path) -> None:
        """Write `to_rows` as CSV with a header. NaN and infinity are written as nan, inf and -inf."""
        rows = self.to_rows()
        columns = list(dict.fromkeys(column for row in rows for column in row)) or ["number", "state"]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)

    def to_dict(self) -> dict[str, Any]:
        """The trials with their reports as plain values for JSON. NaN and infinity become "NaN", "Infinity", "-Infinity"."""
        return {
            "directions": dict(self.directions),
            "reason": self.reason,
            "trials": [
                {
                    **_plain(self._row(trial)),
                    "params": _plain(trial.params),
                    "metrics": _plain(trial.metrics),
                    "reports": [[step, _plain(value)] for step, value in trial.reports],
                    "user_attrs": _plain(trial.user_attrs),
                }
                for trial in self.trials
            ],
        }

    def to_json(self, path: str | Path) -> None:
        """Write `to_dict` as one JSON document."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        Path(path).write_text(text, encoding="utf-8")

    def to_pandas(self) -> pandas.DataFrame:
        """`to_rows` as a data frame. Needs pandas."""
        frame = _needs("pandas", "pandas")
        return frame.DataFrame(self.to_rows())

    def to_optuna(self) -> optuna.Study:
        """A study in memory with every final trial that has parameters, for Optuna's plots and importances."""
        from asyncsweep.samplers.optuna_export import study_of

        return study_of(self.space, self.directions, self.trials)

    def to_hiplot(self) -> hiplot.Experiment:
        """A HiPlot experiment with one datapoint for each final trial. Needs `pip install "asyncsweep[viewer]"`."""
        module = _needs("hiplot", "asyncsweep[viewer]")
        experiment: hiplot.Experiment
        rows = []
        for trial in self.trials:
            if trial.state in FINAL_STATES:
                row = {"uid": trial.number, "state": trial.state.value, **_named_columns(trial)}
                rows.append({key: _cell(value) for key, value in row.items()})
        experiment = module.Experiment.from_iterable(rows)
        return experiment

    def _row(self, trial: TrialRecord) -> dict[str, Any]:
        row: dict[str, Any] = {"number": trial.number, "state": trial.state.value, **_named_columns(trial)}
        row["attempts"] = trial.attempt
        if trial.started_at:
            row["started_at"] = trial.started_at
        if trial.duration_s is not None:
            row["duration_s"] = trial.duration_s
        if trial.error is not None:
            row["error"] = str(trial.error)
        return row


def _named_columns(trial: TrialRecord) -> dict[str, Any]:
    """Parameters and metrics, under names that nothing else in a row has."""
    params = {f"param:{name}" if name in _COLUMNS else name: value for name, value in trial.params.items()}
    taken = {*_COLUMNS, *params}
    return params | {f"metric:{name}" if name in taken else name: value for name, value in trial.metrics.items()}


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _cell(value: Any) -> Any:
    """A value for a flat table: lists and dicts as JSON text, bytes as hexadecimal."""
    if isinstance(value, list | dict):
        return json.dumps(_plain(value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else value


def _plain(value: Any) -> Any:
    """A value for JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _needs(module: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f'{module} is not installed: pip install "{package}"') from error
