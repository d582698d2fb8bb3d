"""What someone knows of a sweep who sees its updates alone: a viewer, an exporter, a reader of `updates()`.

The states, parameters, reports and results that it gathers must be those of the machine's own records; `invariants` holds
one against the other.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from asyncsweep.core.effects import (
    SweepFinished,
    SweepPaused,
    SweepStopping,
    SweepUnpaused,
    TrialDropped,
    TrialFinished,
    TrialReported,
    TrialRetried,
    TrialStarted,
    TrialSuggested,
    TrialUsage,
    Update,
)
from asyncsweep.core.records import ErrorInfo, State, TrialRecord


class Seen(msgspec.Struct):
    """A trial as the updates tell it."""

    state: State = State.WAITING
    attempt: int = 0
    worker: str | None = None
    params: dict[str, Any] = {}
    n_reports: int = 0
    last_report: tuple[int, float] | None = None
    metrics: dict[str, float] = {}
    error: ErrorInfo | None = None
    usage: dict[str, float] | None = None


class Onlooker:
    """Reads updates one by one.

    Attributes:
        trials: What is known of each trial; one without parameters is not known before it is final.
        paused: True between `SweepPaused` and `SweepUnpaused`.
        stopping: Why nothing new starts; None while the sweep goes on.
        finished: True after `SweepFinished`.
    """

    def __init__(self) -> None:
        self.trials: dict[int, Seen] = {}
        self.paused = False
        self.stopping: str | None = None
        self.finished = False

    def reopened(self) -> None:
        """A new process goes on with the sweep: that is no update, whoever shows the sweep is told when it connects."""
        self.stopping = None
        self.finished = False

    def read(self, update: Update) -> None:
        """Take note of an update."""
        if isinstance(update, SweepPaused):
            self.paused = True
        elif isinstance(update, SweepUnpaused):
            self.paused = False
        elif isinstance(update, SweepStopping):
            self.stopping = update.reason
        elif isinstance(update, SweepFinished):
            self.finished = True
        elif isinstance(update, TrialDropped):
            self.trials.pop(update.trial, None)  # one without parameters was not known
        elif isinstance(
            update, TrialSuggested | TrialStarted | TrialReported | TrialUsage | TrialRetried | TrialFinished
        ):
            self._read_of_trial(self.trials.setdefault(update.trial, Seen()), update)

    def _read_of_trial(
        self,
        seen: Seen,
        update: TrialSuggested | TrialStarted | TrialReported | TrialUsage | TrialRetried | TrialFinished,
    ) -> None:
        if isinstance(update, TrialSuggested):
            seen.params = update.params
        elif isinstance(update, TrialStarted):
            seen.state, seen.attempt, seen.worker = State.RUNNING, update.attempt, update.worker
        elif isinstance(update, TrialReported):
            seen.n_reports += 1
            seen.last_report = (update.step, update.value)
        elif isinstance(update, TrialUsage):
            seen.usage = update.usage
        elif isinstance(update, TrialRetried):
            seen.usage = None
            seen.state, seen.worker, seen.n_reports, seen.last_report = State.WAITING, None, 0, None
        else:
            seen.state, seen.worker, seen.metrics, seen.error = update.state, None, update.metrics, update.error

    def contradicts(self, trial: TrialRecord) -> str | None:
        """How the machine's record differs from what the updates told; None when it does not."""
        seen = self.trials.get(trial.number)
        if seen is None:
            silent = trial.state is State.WAITING and trial.param_names is None
            return None if silent else f"no update spoke of trial {trial.number}, which is {trial.state}"
        last = (trial.steps[-1], trial.reported[-1]) if trial.steps and trial.reported else None
        told = {
            "state": (seen.state, trial.state),
            "parameters": (seen.params, trial.params),
            "number of reports": (seen.n_reports, len(trial.steps or ())),
            "last report": (_comparable(seen.last_report), _comparable(last)),
            "metrics": (list(map(_comparable, seen.metrics.items())), list(map(_comparable, trial.metrics.items()))),
            "error": (seen.error, trial.error),
            "usage": (repr(seen.usage), repr(trial.usage)),
        }
        if trial.state is State.RUNNING:
            told["attempt"] = (seen.attempt, trial.attempt)
            told["worker"] = (seen.worker, trial.worker)
        for what, (shown, real) in told.items():
            if shown != real:
                return f"the updates give {shown!r} as the {what} of trial {trial.number}, its record {real!r}"
        return None


def _comparable(pair: tuple[Any, float] | None) -> tuple[Any, float | str] | None:
    """NaN, which equals nothing, as a text."""
    return None if pair is None else (pair[0], "nan" if math.isnan(pair[1]) else pair[1])
