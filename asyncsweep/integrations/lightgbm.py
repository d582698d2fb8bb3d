"""A callback for LightGBM: `lightgbm.train(..., callbacks=[report_callback("valid_0", "binary_logloss")])`.

This module needs nothing of LightGBM, which takes any function for a callback.
"""

from __future__ import annotations

from typing import Any

from asyncsweep.integrations.reporting import Reporter
from asyncsweep.worker.trial import Trial


class _Report:
    """What LightGBM calls after each iteration."""

    before_iteration = False

    def __init__(self, reporter: Reporter) -> None:
        # LightGBM calls callbacks in this order, and gives one to those whose instance has none. Its early stopping has 30,
        # and what comes after that misses the last iteration.
        self.order = 25
        self._reporter = reporter

    def __call__(self, env: Any) -> None:
        self._reporter.report_or_prune(
            lambda: _results(env), env.iteration, "give the data set in `valid_sets` or `eval_set`"
        )


def report_callback(dataset: str, metric: str, trial: Trial | None = None, *, every: int = 1) -> _Report:
    """A callback that reports an evaluation result to the sweep after each iteration, and ends the training by `TrialPruned`.

    Args:
        dataset: The data set by LightGBM's name: "valid_0" is the first one without a name of its own, "valid" in `cv`.
        metric: The metric by LightGBM's name, such as "binary_logloss". In `cv` it is the mean over the folds.
        trial: None for the trial that runs here. Without one, as in a script started by hand, nothing is reported.
        every: Report every so many iterations.
    """
    return _Report(Reporter(f"{dataset} {metric}", trial, every=every))


def _results(env: Any) -> dict[str, float]:
    return {f"{dataset} {metric}": value for dataset, metric, value, *_ in env.evaluation_result_list or ()}
