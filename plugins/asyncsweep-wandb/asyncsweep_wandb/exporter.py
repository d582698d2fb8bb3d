"""A run of Weights & Biases for each attempt of a trial, in a group with the sweep's name.

For each attempt, because what was logged to a run cannot be taken back: the curve of an attempt that failed would be mixed
with that of the next one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from asyncsweep import (
    ConfigError,
    State,
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
from asyncsweep_wandb.service import Service

Mode = Literal["online", "offline"]
_STEP = "step"


class WandbExporter(ThreadedExporter):
    """Logs the trials as runs: parameters as config, reports as history, metrics as summary.

    Args:
        project: The project. None: `WANDB_PROJECT`, or what wandb takes.
        entity: The team or user. None: `WANDB_ENTITY`, or the one who is logged in.
        mode: "online", or "offline" to write files that `wandb sync` sends later. None: `WANDB_MODE`, or "online".
        dir: Where wandb keeps its files, in a folder `wandb`. None: the sweep's directory, or the current one.
    """

    def __init__(
        self,
        project: str | None = None,
        entity: str | None = None,
        mode: Mode | None = None,
        dir: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, value in (("project", project), ("entity", entity)):
            if value is not None and (not isinstance(value, str) or not value):
                raise ConfigError(f"exporter.{name}: expected a text, or None, got {value!r}")
        if mode is not None and mode not in get_args(Mode):
            raise ConfigError(f'exporter.mode: expected "online" or "offline", or None, got {mode!r}')
        if dir is not None and (not isinstance(dir, str | os.PathLike) or not os.fspath(dir)):
            raise ConfigError(f"exporter.dir: expected the path of a folder, or None, got {dir!r}")
        self._project = project
        self._entity = entity
        self._mode = mode
        self._dir = dir

    def open(self, info: SweepInfo) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(f"wandb cannot be imported ({error}): pip install asyncsweep-wandb") from error
        folder = Path(self._dir or info.directory or ".")
        try:
            (folder / "wandb").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"exporter.dir: {str(folder)!r} cannot be used: {error.strerror}") from error
        self._group, self._metrics = info.name, tuple(info.directions)
        self._suggested: dict[int, dict[str, Any]] = {}
        self._runs: dict[int, _Run] = {}
        # An offline run cannot be asked for, so what was written is noted beside.
        self._note = folder / "wandb" / f"written-{info.name}.txt"
        is_resumed = info.directory is not None and bool(info.trials()) and self._note.exists()
        self._written = {int(line) for line in self._note.read_text().split()} if is_resumed else set()
        if not is_resumed:
            self._note.unlink(missing_ok=True)
        mode = self._mode or os.environ.get("WANDB_MODE") or "online"
        self._settings = {
            "mode": mode,
            "silent": True,
            "console": "off",
            "root_dir": str(folder),
            "save_code": False,
            "disable_git": True,
            "x_disable_stats": True,
            "x_disable_meta": True,
        }
        self._service = Service(wandb)
        try:
            self._service.start(self._settings)
        except wandb.errors.Error as error:
            told = str(error).partition("\n")[0]
            raise ConfigError(f"wandb cannot be used: {told}; log in with `wandb login`, or mode='offline'") from error

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        for update in updates:
            if isinstance(update, TrialSuggested):
                self._suggested[update.trial] = update.params
            elif isinstance(update, TrialStarted):
                self._start(update.trial, update.attempt, self._suggested.get(update.trial, {}))
            elif isinstance(update, TrialReported) and update.trial in self._runs:
                metrics = {self._metrics[0]: update.value, **(update.metrics or {})}
                self._runs[update.trial].report(update.step, metrics)
            elif isinstance(update, TrialRetried) and update.trial in self._runs:
                self._runs.pop(update.trial).end(
                    1, {"asyncsweep/state": "RETRIED", "asyncsweep/error": str(update.error)}
                )
            elif isinstance(update, TrialFinished):
                self._suggested.pop(update.trial, None)
        for trial in trials:
            if trial.number not in self._written:
                self._finish(trial)

    def close(self) -> None:
        try:
            for run in self._runs.values():
                run.end(1, {"asyncsweep/state": "INTERRUPTED"})
        finally:
            self._runs.clear()
            self._service.stop()

    def _start(self, number: int, attempt: int, params: Mapping[str, Any]) -> _Run:
        earlier = self._runs.pop(number, None)
        if earlier is not None:  # its end was missed
            earlier.end(1, {"asyncsweep/state": "RETRIED"})
        name = f"trial {number}" if attempt <= 1 else f"trial {number}, attempt {attempt}"
        run = self._runs[number] = _Run(
            self._service.run(
                settings=self._settings,
                project=self._project,
                entity=self._entity,
                group=self._group,
                name=name,
                config=_plain(params),
            )
        )
        run.metrics(self._metrics)
        return run

    def _finish(self, trial: TrialRecord) -> None:
        run = self._runs.get(trial.number) or self._start(trial.number, max(trial.attempt, 1), trial.params)
        del self._runs[trial.number]
        further: dict[int, dict[str, float]] = dict(trial.report_metrics or ())
        for step, value in trial.reports:
            run.report(step, {self._metrics[0]: value, **further.get(step, {})})
        run.config(_plain(trial.params))
        summary: dict[str, Any] = {"asyncsweep/trial": trial.number, "asyncsweep/state": trial.state.value}
        if trial.error is not None:
            summary["asyncsweep/error"] = str(trial.error)
        summary |= {f"constraint/{name}": value for name, value in (trial.constraints or {}).items()}
        summary |= _plain(trial.user_attrs) | trial.metrics
        run.end(0 if trial.state in (State.COMPLETE, State.PRUNED) else 1, summary)
        with open(self._note, "a") as note:
            note.write(f"{trial.number}\n")


class _Run:
    """The run of one attempt. A step is logged once."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._steps: set[int] = set()

    def metrics(self, names: Sequence[str]) -> None:
        """Have the reports drawn over their steps, in whatever order they come."""
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        if step not in self._steps:
            self._steps.add(step)
            self._run.log({**metrics, _STEP: step})

    def config(self, params: Mapping[str, Any]) -> None:
        self._run.config.update(dict(params), allow_val_change=True)

    def end(self, exit_code: int, summary: Mapping[str, Any]) -> None:
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=exit_code)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
