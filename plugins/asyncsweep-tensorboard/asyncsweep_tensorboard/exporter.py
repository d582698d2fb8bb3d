"""A folder of event files for each trial, as TensorBoard reads them.

The files are written through tensorboardX's own writer of records, at once and in this thread; its `SummaryWriter` would take
a thread and a queue between processes for every trial.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asyncsweep import (
    ConfigError,
    State,
    SweepInfo,
    ThreadedExporter,
    TrialFinished,
    TrialRecord,
    TrialReported,
    TrialStarted,
    TrialSuggested,
    Update,
)

# In the folder of a trial: all of it is written.
_DONE = "written"


class TensorBoardExporter(ThreadedExporter):
    """Writes what trials report as curves, and parameters and metrics for the page "HParams".

    Args:
        logdir: The folder to start TensorBoard with; the trials are in `logdir/NAME/trial-00000`, by the sweep's name. None: the
            folder `tensorboard` in the sweep's directory, with the trials in it.
    """

    def __init__(self, logdir: str | os.PathLike[str] | None = None) -> None:
        if logdir is not None and (not isinstance(logdir, str | os.PathLike) or not os.fspath(logdir)):
            raise ConfigError(f"exporter.logdir: expected the path of a folder, got {logdir!r}")
        self._logdir = None if logdir is None else Path(logdir)

    def open(self, info: SweepInfo) -> None:
        try:
            from tensorboardX.event_file_writer import EventsWriter
        except ImportError as error:
            raise ConfigError(
                f"tensorboardX cannot be imported ({error}): pip install asyncsweep-tensorboard"
            ) from error
        self._writer = EventsWriter
        self._metrics = tuple(info.directions)
        self._whole_space = len(info.space) > 0
        self._folder = self._folder_for(info)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"exporter.logdir: {str(self._folder)!r} cannot be made: {error.strerror}") from error
        self._suggested: dict[int, dict[str, Any]] = {}
        self._runs: dict[int, _Run] = {}

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        touched: dict[int, _Run] = {}
        for update in updates:
            if isinstance(update, TrialSuggested):
                self._suggested[update.trial] = update.params
            elif isinstance(update, TrialStarted):
                self._begin(update)
            elif isinstance(update, TrialReported):
                run = self._runs.get(update.trial)
                if run is not None:
                    run.report(update.step, {self._metrics[0]: update.value, **(update.metrics or {})}, update.at)
                    touched[update.trial] = run
            elif isinstance(update, TrialFinished):
                self._suggested.pop(update.trial, None)
        for trial in trials:
            self._finish(trial)
        for number, run in touched.items():
            if number in self._runs:
                run.flush()

    def close(self) -> None:
        for run in self._runs.values():
            run.close()
        self._runs.clear()

    def _folder_for(self, info: SweepInfo) -> Path:
        if self._logdir is None and info.directory is None:
            raise ConfigError("exporter.logdir: the sweep is in memory only, and so has no place for it; give a folder")
        if self._logdir is None:
            return Path(info.directory or "", "tensorboard")
        folder = self._logdir / info.name
        if info.directory is None:
            number = 2
            while folder.exists():
                folder, number = self._logdir / f"{info.name}-{number}", number + 1
        elif folder.exists() and not info.trials() and any(folder.iterdir()):
            raise ConfigError(
                f"exporter.logdir: there is a folder {str(folder)!r} already; move it away, or give another"
            )
        return folder

    def _begin(self, update: TrialStarted) -> None:
        run = self._runs.pop(update.trial, None)
        if run is not None:
            run.close()
        folder = self._folder_of(update.trial)
        run = self._runs[update.trial] = _Run(self._writer, folder, update.attempt, update.at)
        params = self._suggested.get(update.trial)
        if params is not None and self._whole_space:
            run.start(params, self._metrics, update.at)
            run.flush()

    def _finish(self, trial: TrialRecord) -> None:
        run = self._runs.pop(trial.number, None)
        folder = self._folder_of(trial.number)
        if (folder / _DONE).exists():  # by an earlier process
            return
        began, ended = trial.started_at or trial.asked_at, trial.finished_at
        run = run or _Run(self._writer, folder, max(trial.attempt, 1), began)
        further: dict[int, dict[str, float]] = dict(trial.report_metrics or ())
        for step, value in trial.reports:
            run.report(step, {self._metrics[0]: value, **further.get(step, {})}, ended)
        run.start(trial.params, trial.metric_names or self._metrics, began)
        run.end(trial, ended)
        run.close()
        (folder / _DONE).touch()

    def _folder_of(self, number: int) -> Path:
        return self._folder / f"trial-{number:05}"


class _Run:
    """The event file of one attempt. A step is written once."""

    def __init__(self, writer: Any, folder: Path, attempt: int, at: float) -> None:
        from tensorboardX.proto import event_pb2

        folder.mkdir(parents=True, exist_ok=True)
        self._event = event_pb2.Event
        is_first = not any(folder.iterdir())
        self._file = writer(str(folder / "events"), f".{attempt}.{os.getpid()}")
        self._steps: set[int] = set()
        self._started: set[str] | None = None
        if not is_first:  # what an earlier attempt reported is to be forgotten
            log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._file.write_event(self._event(session_log=log, step=0, wall_time=at))

    def report(self, step: int, metrics: Mapping[str, float], at: float) -> None:
        if step not in self._steps:
            self._steps.add(step)
            for name, value in metrics.items():
                self._scalar(name, value, step, at)

    def start(self, params: Mapping[str, Any], metrics: Sequence[str], at: float) -> None:
        """Tell the parameters, if more of them are known than before."""
        from tensorboardX.summary import hparams

        if self._started is not None and self._started >= set(params):
            return
        self._started = set(params)
        shown = {name: _shown(value) for name, value in params.items()}
        experiment, start, _ = hparams(shown, {_final(name): 0.0 for name in metrics})
        self._summary(experiment, at)
        self._summary(start, at)

    def end(self, trial: TrialRecord, at: float) -> None:
        from tensorboardX.proto.api_pb2 import Status
        from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
        from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

        last = max(self._steps, default=0)
        for name, value in trial.metrics.items():
            self._scalar(_final(name), value, last, at)
        good = trial.state in (State.COMPLETE, State.PRUNED)
        status = Status.Value("STATUS_SUCCESS" if good else "STATUS_FAILURE")
        content = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=at), version=0)
        plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
        metadata = SummaryMetadata(plugin_data=plugin)
        self._summary(Summary(value=[Summary.Value(tag="_hparams_/session_end_info", metadata=metadata)]), at)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _scalar(self, name: str, value: float, step: int, at: float) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        self._summary(Summary(value=[Summary.Value(tag=name, simple_value=_single(value))]), at, step)

    def _summary(self, summary: Any, at: float, step: int = 0) -> None:
        self._file.write_event(self._event(summary=summary, wall_time=at, step=step))


def _final(name: str) -> str:
    """The tag of a final metric, which must not be that of a curve."""
    return f"final/{name}"


def _single(value: float) -> float:
    """TensorBoard's numbers have four bytes; what is too large for them is infinite there."""
    return math.copysign(math.inf, value) if math.isfinite(value) and abs(value) > 3.4028235e38 else value


def _shown(value: Any) -> bool | float | str:
    """A parameter as the page takes them."""
    if isinstance(value, bool | int | float | str):
        return value
    return value.hex() if isinstance(value, bytes) else json.dumps(value, default=str)
