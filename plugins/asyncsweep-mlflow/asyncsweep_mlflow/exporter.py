"""The sweep as a run of MLflow, and in it a run for each attempt of a trial.

For each attempt, because what was logged to a run cannot be taken back: the curve of an attempt that failed would be mixed
with that of the next one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asyncsweep import (
    ConfigError,
    State,
    SweepFinished,
    SweepInfo,
    ThreadedExporter,
    TrialFinished,
    TrialRecord,
    TrialReported,
    TrialRetried,
    TrialStarted,
    TrialSuggested,
    Update,
)
from asyncsweep_mlflow.texts import TAG_LIMIT, name_of, shown

_PARENT = "mlflow.parentRunId"
_DIRECTORY, _TRIAL, _ATTEMPT, _STATE = (
    "asyncsweep.directory",
    "asyncsweep.trial",
    "asyncsweep.attempt",
    "asyncsweep.state",
)
_STATUS = {State.COMPLETE: "FINISHED", State.FAILED: "FAILED", State.PRUNED: "KILLED", State.CANCELLED: "KILLED"}
# What one request may carry.
_METRICS_AT_ONCE, _OTHERS_AT_ONCE = 1000, 100


class MlflowExporter(ThreadedExporter):
    """Logs the sweep and its trials as nested runs.

    Args:
        tracking_uri: Where to, such as "http://localhost:5000" or "sqlite:///mlflow.db". None: as MLflow finds it, from
            `MLFLOW_TRACKING_URI`.
        experiment: The name of the experiment, which is made if need be. None: `MLFLOW_EXPERIMENT_NAME`, or "Default".
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        for name, value in (("tracking_uri", tracking_uri), ("experiment", experiment)):
            if value is not None and (not isinstance(value, str) or not value):
                raise ConfigError(f"exporter.{name}: expected a text, or None, got {type(value).__name__}")
        self._tracking_uri = tracking_uri
        self._experiment = experiment

    def open(self, info: SweepInfo) -> None:
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise ConfigError(f"mlflow cannot be imported ({error}): pip install asyncsweep-mlflow") from error
        self._metric = next(iter(info.directions))
        self._suggested: dict[int, dict[str, Any]] = {}
        self._runs: dict[int, _Run] = {}
        self._reason: str | None = None
        try:
            self._client = MlflowClient(tracking_uri=self._tracking_uri)
            self._begin(info)
        except MlflowException as error:
            told = str(error).partition("\n")[0]
            raise ConfigError(f"exporter.tracking_uri: MLflow cannot be used: {_without_password(told)}") from None

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        points: dict[int, list[tuple[str, float, float, int]]] = {}
        for update in updates:
            if isinstance(update, TrialSuggested):
                self._suggested[update.trial] = update.params
            elif isinstance(update, TrialStarted):
                self._start(update.trial, update.attempt, update.at, self._suggested.get(update.trial, {}))
                points.pop(update.trial, None)
            elif isinstance(update, TrialReported) and update.trial in self._runs:
                new = self._runs[update.trial].new_points(update.step, self._metrics_of(update), update.at)
                points.setdefault(update.trial, []).extend(new)
            elif isinstance(update, TrialRetried) and update.trial in self._runs:
                self._log(self._runs[update.trial].run_id, metrics=points.pop(update.trial, ()))
                tags = {_STATE: "RETRIED", "asyncsweep.error": str(update.error)}
                self._end(self._runs.pop(update.trial), "FAILED", tags, update.at)
            elif isinstance(update, TrialFinished):
                self._suggested.pop(update.trial, None)
            elif isinstance(update, SweepFinished):
                self._reason = update.reason
        for number, found in points.items():
            self._log(self._runs[number].run_id, metrics=found)
        for trial in trials:
            if trial.number not in self._done:
                self._finish(trial)

    def close(self) -> None:
        if self._reason is not None:
            self._log(self._parent, tags={"asyncsweep.reason": self._reason})
        self._client.set_terminated(self._parent, "KILLED" if self._reason is None else "FINISHED")

    def _begin(self, info: SweepInfo) -> None:
        """Find the run of a resumed sweep, with its trials, or make one."""
        client = self._client
        name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        experiment = client.get_experiment_by_name(name)
        self._experiment_id = client.create_experiment(name) if experiment is None else experiment.experiment_id
        self._done: set[int] = set()
        directory = "" if info.directory is None else str(info.directory)
        if directory and info.trials():
            for run in self._search(f"tags.`{_DIRECTORY}` != ''"):
                if run.data.tags.get(_DIRECTORY) == directory:
                    self._parent = run.info.run_id
                    client.update_run(self._parent, status="RUNNING")
                    self._take_over({trial.number: trial for trial in info.trials()})
                    return
        tags = {_DIRECTORY: directory, "asyncsweep.objective": info.objective}
        tags |= {f"asyncsweep.direction.{name_of(metric)}": way for metric, way in info.directions.items()}
        self._parent = client.create_run(self._experiment_id, tags=tags, run_name=info.name).info.run_id

    def _take_over(self, earlier: Mapping[int, TrialRecord]) -> None:
        """Note which trials have their runs, and end those that an earlier process left running."""
        for run in self._search(f"tags.`{_PARENT}` = '{self._parent}'"):
            number = int(run.data.tags.get(_TRIAL, -1))
            if run.info.status != "RUNNING":
                if number in earlier and earlier[number].is_final and run.data.tags.get(_STATE) in State.__members__:
                    self._done.add(number)
            elif number in earlier:
                self._client.set_tag(run.info.run_id, _STATE, "INTERRUPTED")
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _search(self, condition: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment_id], condition, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _start(self, number: int, attempt: int, at: float, params: Mapping[str, Any]) -> _Run:
        earlier = self._runs.pop(number, None)
        if earlier is not None:  # its end was missed
            self._end(earlier, "FAILED", {_STATE: "RETRIED"}, at)
        tags = {_PARENT: self._parent, _TRIAL: str(number), _ATTEMPT: str(attempt)}
        name = f"trial {number}" if attempt <= 1 else f"trial {number}, attempt {attempt}"
        made = self._client.create_run(self._experiment_id, start_time=_ms(at), tags=tags, run_name=name)
        run = self._runs[number] = _Run(made.info.run_id)
        self._log(run.run_id, params=run.new_params(params))
        return run

    def _finish(self, trial: TrialRecord) -> None:
        run = self._runs.get(trial.number)
        if run is None:
            run = self._start(trial.number, max(trial.attempt, 1), trial.started_at or trial.asked_at, trial.params)
        del self._runs[trial.number]
        ended = trial.finished_at or time.time()
        further: dict[int, dict[str, float]] = dict(trial.report_metrics or ())
        points = [
            point
            for step, value in trial.reports
            for point in run.new_points(step, {self._metric: value, **further.get(step, {})}, ended)
        ]
        last = max(run.steps, default=0)
        # Of the values at the last step MLflow shows the youngest.
        points += [(name, value, ended + 0.002, last) for name, value in trial.metrics.items()]
        tags: dict[str, Any] = {_STATE: trial.state.value, **trial.user_attrs}
        tags |= {f"constraint.{name}": value for name, value in (trial.constraints or {}).items()}
        if trial.error is not None:
            tags["asyncsweep.error"] = str(trial.error)
        self._log(run.run_id, metrics=points, params=run.new_params(trial.params))
        self._end(run, _STATUS[trial.state], tags, ended)

    def _end(self, run: _Run, status: str, tags: Mapping[str, Any], at: float) -> None:
        self._log(run.run_id, tags=tags)
        self._client.set_terminated(run.run_id, status, end_time=_ms(at))

    def _metrics_of(self, update: TrialReported) -> dict[str, float]:
        return {self._metric: update.value, **(update.metrics or {})}

    def _log(
        self,
        run_id: str,
        metrics: Sequence[tuple[str, float, float, int]] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        found = [Metric(name_of(name), value, _ms(at), step) for name, value, at, step in metrics]
        for start in range(0, len(found), _METRICS_AT_ONCE):
            self._client.log_batch(run_id, metrics=found[start : start + _METRICS_AT_ONCE])
        given = [Param(name_of(name), shown(value)) for name, value in (params or {}).items()]
        for start in range(0, len(given), _OTHERS_AT_ONCE):
            self._client.log_batch(run_id, params=given[start : start + _OTHERS_AT_ONCE])
        told = [RunTag(name_of(name), shown(value, TAG_LIMIT)) for name, value in (tags or {}).items()]
        for start in range(0, len(told), _OTHERS_AT_ONCE):
            self._client.log_batch(run_id, tags=told[start : start + _OTHERS_AT_ONCE])


class _Run:
    """What was logged of an attempt."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.steps: set[int] = set()
        self._params: set[str] = set()

    def new_points(self, step: int, metrics: Mapping[str, float], at: float) -> list[tuple[str, float, float, int]]:
        """The points of a report, if there was none at its step."""
        if step in self.steps:
            return []
        self.steps.add(step)
        return [(name, value, at, step) for name, value in metrics.items()]

    def new_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that were not logged; MLflow lets none be changed."""
        new = {name: value for name, value in params.items() if name not in self._params}
        self._params |= set(new)
        return new


def _ms(at: float) -> int:
    return int(at * 1000)


def _without_password(text: str) -> str:
    """A URL's password is not to be read in a log."""
    return re.sub(r"(://[^:/@\s]*:)[^\s]*@", r"\1***@", text)
