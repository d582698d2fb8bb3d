"""What a sweep found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncsweep import fronts
from asyncsweep.cells import json_value, number
from asyncsweep.columns import Columns
from asyncsweep.core.policy import is_better
from asyncsweep.core.records import Direction, State, SweepSpec, TrialRecord
from asyncsweep.csv_table import CsvTable
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space import Domain

if TYPE_CHECKING:
    import hiplot
    import optuna
    import pandas


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

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from asyncsweep.result_html import result_html  # for notebooks alone

        return result_html(self)

    @property
    def counts(self) -> dict[State, int]:
        """How many trials are in each state."""
        counts = dict.fromkeys(State, 0)
        for trial in self.trials:
            counts[trial.state] += 1
        return counts

    @property
    def best(self) -> TrialRecord | None:
        """The feasible COMPLETE trial with the best value, the earliest of equals; None when there is none.

        A trial is feasible when none of its constraints is above 0.

        Raises:
            ConfigError: The sweep has several directions: see `best_trials`.
        """
        return self._best("best")

    def _best(self, name: str) -> TrialRecord | None:
        if len(self.directions) > 1:
            raise ConfigError(f"{name}: the sweep has the directions {', '.join(self.directions)}; use best_trials")
        direction = next(iter(self.directions.values()))
        best: TrialRecord | None = None
        for trial in self.trials:
            if (
                trial.state is State.COMPLETE
                and trial.is_feasible
                and (best is None or is_better(direction, trial.metric_values[0], best.metric_values[0]))
            ):
                best = trial
        return best

    @property
    def best_params(self) -> dict[str, Any] | None:
        """The parameters of `best`; None when there is none.

        Raises:
            ConfigError: The sweep has several directions: see `best_trials`.
        """
        best = self._best("best_params")
        return None if best is None else best.params

    @property
    def best_value(self) -> float | None:
        """The value of `best`; None when there is none.

        Raises:
            ConfigError: The sweep has several directions: see `best_trials`.
        """
        best = self._best("best_value")
        return None if best is None else best.value

    @property
    def best_trials(self) -> list[TrialRecord]:
        """The feasible COMPLETE trials that no other is better than in every direction (the Pareto front), by number.

        Better means: at least as good in every direction, and not equal. So of equal trials all are there.
        """
        points = [(self._point(trial), trial) for trial in self._complete() if trial.is_feasible]
        front = fronts.front([point for point, _ in points])
        return [trial for point, trial in points if point in front]

    def hypervolume(self, reference: Mapping[str, float] | Sequence[float] | None = None) -> float:
        """How much `best_trials` dominate up to a reference point: the one number that tells how good a front is.

        It is exact: O(n log n) for up to three directions, and up to a factor n more for each further one.

        Args:
            reference: A value for each direction, by metric or in their order, that a good trial is better than. A trial
                that is not better than it in every direction adds nothing. None: the worst finite value that any COMPLETE
                trial has in each direction. Then a front of one trial, or one at the edges, may add nothing, and two sweeps
                cannot be compared: give one reference to both.

        Returns:
            In units of all metrics multiplied; 0.0 when there is nothing to measure, infinity when a value is infinitely good.

        Raises:
            ConfigError: The reference has other metrics than the sweep, or NaN.
        """
        if reference is None:
            points = [self._point(trial) for trial in self._complete()]
            corner = tuple(self._worst([point[place] for point in points]) for place in range(len(self.directions)))
        else:
            corner = self._signed(self._reference(reference))
        return fronts.hypervolume([self._point(trial) for trial in self.best_trials], corner)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict for each trial: number, state, parameters by name, metrics by name, attempts, times and error.

        A parameter with the name of one of the other columns is under "param:name"; a metric with such a name, or with a
        parameter's, is under "metric:name"; so is what begins with one of these prefixes. A constraint is under
        "constraint:name". What a trial does not have is left out.
        """
        columns = self._columns()
        return [columns.row(trial) for trial in self.trials]

    def to_csv(self, path: str | Path) -> None:
        """Write `to_rows` as CSV with a header, to be read again by `Sweep(history=path)`.

        NaN and infinity are written as nan, inf and -inf, None as None, lists and dicts as JSON, bytes as hexadecimal. Where
        two choices of a parameter would look the same, such as 1 and "1", the text is in quotes of its own.
        """
        table = CsvTable(self.space, self.directions)
        for trial in self.trials:
            table.see(trial)
        with open(path, "w", newline="", encoding="utf-8") as file:
            file.write(table.header())
            file.writelines(map(table.line, self.trials))

    def to_dict(self) -> dict[str, Any]:
        """The trials with their reports, and the errors of attempts that were repeated, as plain values for JSON.

        NaN and infinity become "NaN", "Infinity", "-Infinity".
        """
        columns = self._columns()
        return {
            "directions": dict(self.directions),
            "reason": self.reason,
            "trials": [
                {
                    **json_value(columns.row(trial)),
                    "params": json_value(trial.params),
                    "metrics": json_value(trial.metrics),
                    "constraints": json_value(trial.constraints or {}),
                    "reports": [[step, json_value(value)] for step, value in trial.reports],
                    "user_attrs": json_value(trial.user_attrs),
                    "usage": json_value(trial.usage or {}),
                    "failures": [str(error) for error in trial.failures],
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
        module = _needs("pandas", "pandas")
        rows = self.to_rows()
        frame: pandas.DataFrame = module.DataFrame(rows, columns=self._columns().in_order(rows))
        return frame

    def to_optuna(self) -> optuna.Study:
        """A study in memory with every final trial that has parameters, for Optuna's plots and importances."""
        from asyncsweep.samplers.optuna_export import study_of

        return study_of(self.space, self.directions, self.trials)

    def to_hiplot(self) -> hiplot.Experiment:
        """A HiPlot experiment with one datapoint for each final trial: `.display()` in a notebook, `.to_html(path)` elsewhere.

        Names are those of `to_rows`; types, ranges and logarithmic scales are the space's. Texts are for HiPlot's eyes: in them and in
        names another character is in the place of `<`, because HiPlot's table obeys HTML. Needs `pip install "asyncsweep[viewer]"`.

        Raises:
            ConfigError: HiPlot is not installed, or no trial is final.
        """
        from asyncsweep.hiplot_experiment import experiment_of

        return experiment_of(self.space, self.directions, self.trials)

    def _columns(self) -> Columns:
        return Columns(self.space, self.directions, self.trials)

    def _complete(self) -> list[TrialRecord]:
        """The COMPLETE trials; one with NaN, which the sweep itself never lets pass, is no better or worse than any."""
        width = len(self.directions)
        return [
            trial
            for trial in self.trials
            if trial.state is State.COMPLETE and not any(map(math.isnan, trial.metric_values[:width]))
        ]

    def _point(self, trial: TrialRecord) -> fronts.Point:
        """The trial's values, the less the better."""
        return self._signed(trial.metric_values)

    def _signed(self, values: Sequence[float]) -> fronts.Point:
        pairs = zip(self.directions.values(), values, strict=False)  # a trial may have further metrics
        return tuple(value if direction == "minimize" else -value for direction, value in pairs)

    @staticmethod
    def _worst(values: Sequence[float]) -> float:
        return max((value for value in values if math.isfinite(value)), default=-math.inf)

    def _reference(self, given: Mapping[str, float] | Sequence[float]) -> list[float]:
        """A reference point, checked, in the order of the directions."""
        names = list(self.directions)
        if isinstance(given, Mapping):
            for name in given:
                if name not in names:
                    raise ConfigError(f"reference: there is no direction {name!r}{did_you_mean(str(name), names)}")
            missing = [name for name in names if name not in given]
            if missing:
                raise ConfigError(f"reference={given!r}: a value for {', '.join(map(repr, missing))} is missing")
            values = [given[name] for name in names]
        else:
            plain = given.tolist() if hasattr(given, "tolist") else given  # an array or series is no sequence
            if isinstance(plain, str | bytes) or not isinstance(plain, Sequence):
                raise ConfigError(f"reference={given!r}: expected a value for each of {', '.join(names)}")
            values = list(plain)
        if len(values) != len(names):
            what = f"{len(values)} value{'s' * (len(values) != 1)} for {len(names)} directions"
            raise ConfigError(f"reference={given!r}: {what}; expected a value for each of {', '.join(names)}")
        try:
            found = [number(value) for value in values]
        except ConfigError as error:
            raise ConfigError(f"reference={given!r}: {error}") from error
        if any(map(math.isnan, found)):
            raise ConfigError(f"reference={given!r}: NaN is no place")
        return found


def _needs(module: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f'{module} is not installed: pip install "{package}"') from error
