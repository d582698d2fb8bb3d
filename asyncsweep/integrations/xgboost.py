"""A callback for XGBoost: `xgboost.train(..., evals=[(valid, "valid")], callbacks=[ReportCallback("valid-logloss")])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xgboost.callback

from asyncsweep.integrations.reporting import Reporter
from asyncsweep.worker.trial import Trial


class ReportCallback(xgboost.callback.TrainingCallback):
    """Reports an evaluation result to the sweep after each iteration, and ends the training by `TrialPruned`.

    In `xgboost.cv` it reports the mean over the folds. A callback before it in the list that stops the training (early
    stopping) keeps the last iteration from it.

    Args:
        monitor: "dataset-metric", as XGBoost prints it: "validation_0-logloss" for estimators, "test-rmse" in `cv`; or several,
            see `asyncsweep.integrations`.
        trial: None for the trial that runs here. Without one, as in a script started by hand, nothing is reported.
        every: Report every so many iterations.
    """

    def __init__(self, monitor: str | Sequence[str], trial: Trial | None = None, *, every: int = 1) -> None:
        super().__init__()
        self._reporter = Reporter(monitor, trial, every=every)

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
        self._reporter.report_or_prune(lambda: _last(evals_log), epoch, "give the data set in `evals` or `eval_set`")
        return False


def _last(evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, float]:
    """The last value of each metric by "dataset-metric"."""
    return {
        f"{dataset}-{metric}": _mean(values[-1])
        for dataset, found in evals_log.items()
        for metric, values in found.items()
    }


def _mean(value: Any) -> float:
    """A value, which is a mean with a standard deviation in `cv`."""
    return float(value[0] if isinstance(value, tuple) else value)
