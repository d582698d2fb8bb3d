"""A callback for LightGBM: `lightgbm.train(..., callbacks=[report_callback("valid_0", "binary_logloss")])`.

This module needs nothing of LightGBM, which takes any function for a callback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncsweep.integrations.reporting import Reporter
from asyncsweep.worker.trial import Trial


def report_callback(dataset: str, metric: str, trial: Trial | None = None, *, every: int = 1) -> Callable[[Any], None]:
    """A callback that reports an evaluation result to the sweep after each iteration, and ends the training by `TrialPruned`.

    Args:
        dataset: The data set by LightGBM's name: "valid_0" is the first one without a name of its own, "valid" in `cv`.
        metric: The metric by LightGBM's name, such as "binary_logloss". In `cv` it is the mean over the folds.
        trial: None for the trial that runs here. Without one, as in a script started by hand, nothing is reported.
        every: Report every so many iterations.
    """
    reporter = Reporter(f"{dataset} {metric}", trial, every=every)

    def report(env: Any) -> None:
        hint = "give the data set in `valid_sets` or `eval_set`"
        reporter.report_or_prune(lambda: _results(env), env.iteration, hint)

    return report


def _results(env: Any) -> dict[str, float]:
    return {f"{dataset} {metric}": value for dataset, metric, value, *_ in env.evaluation_result_list or ()}
