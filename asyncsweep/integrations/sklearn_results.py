"""From the trials of a search to `cv_results_`, in the shape that `GridSearchCV` has."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from sklearn.exceptions import FitFailedWarning

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import TrialError
from asyncsweep.integrations.sklearn_folds import FOLDS, SCORE

ENDED = (State.COMPLETE, State.PRUNED, State.FAILED)


def cv_results(
    trials: Sequence[TrialRecord],
    candidates: Sequence[dict[str, Any]],
    names: Sequence[str],
    n_splits: int,
    *,
    error_score: float,
    with_train: bool,
) -> dict[str, Any]:
    """A column for each parameter, score and time, with a row for each trial.

    A fold that failed has `error_score`; one that was not reached (the trial was pruned, or its worker lost) has NaN, as has the
    mean of its row. A row without a mean has the last rank.

    Args:
        trials: Ended trials.
        candidates: Their parameters, as estimators get them.
        names: All parameters of the space.
        n_splits: How many folds there are.
        error_score: The score of a fold that failed.
        with_train: Whether there are scores on the training data.
    """
    rows: list[list[dict[str, Any]]] = [(trial.attrs or {}).get(FOLDS, []) for trial in trials]
    results: dict[str, Any] = {}
    for time in ("fit_time", "score_time"):
        _add(results, time, [[fold[time] for fold in row] for row in rows], n_splits, of_folds=False)
    for name in names:
        results[f"param_{name}"] = _column([candidate.get(name, _ABSENT) for candidate in candidates])
    results["params"] = list(candidates)
    for score in _scores_of(rows):
        for kind in ("test", "train") if with_train else ("test",):
            table = [[error_score if fold["error"] else fold[kind][score] for fold in row] for row in rows]
            _add(results, f"{kind}_{score}", table, n_splits)
            if kind == "test":
                results[f"rank_test_{score}"] = _ranks(results[f"mean_test_{score}"])
    results["state"] = numpy.array([trial.state.value for trial in trials])
    return results


def tell_failures(trials: Sequence[TrialRecord], n_splits: int, error_score: float) -> None:
    """Warn of fits that failed, as scikit-learn does.

    Raises:
        ValueError: None succeeded.
    """
    failures: Counter[str] = Counter()
    n_fits = 0
    for trial in trials:
        folds = (trial.attrs or {}).get(FOLDS, [])
        n_fits += len(folds)
        failures.update(fold["error"] for fold in folds if fold["error"])
        if not folds and trial.error is not None:  # its worker died, or it took too long
            n_fits += n_splits
            failures[str(trial.error)] += n_splits
    n_failed = sum(failures.values())
    if not n_failed:
        return
    details = "\n".join(
        f"{'-' * 80}\n{count} fits failed with the following error:\n{error}" for error, count in failures.items()
    )
    if n_failed == n_fits:
        raise ValueError(
            f"All the {n_fits} fits failed. Is the estimator misconfigured? error_score='raise' stops at the first one.\n"
            f"Below are more details about the failures:\n{details}"
        )
    warnings.warn(
        f"{n_failed} fits failed out of a total of {n_fits}. The score on these train-test partitions will be set to "
        f"{error_score}. error_score='raise' stops at the first one.\nBelow are more details about the failures:\n{details}",
        FitFailedWarning,
        stacklevel=2,
    )


class _Absent:
    """Stands for a parameter that a trial does not have."""


_ABSENT = _Absent()


def _column(values: Sequence[Any]) -> Any:
    """The values of a parameter; masked where a trial does not have it."""
    mask = [value is _ABSENT for value in values]
    kinds = {type(value) for value in values if value is not _ABSENT}
    dtype: Any = object
    for kind in (bool, int, float):
        if kinds == {kind} or (kind is float and kinds == {int, float}):
            dtype = kind
    column = numpy.ma.array(numpy.zeros(len(values), dtype=dtype), mask=mask)  # type: ignore[no-untyped-call]
    for index, value in enumerate(values):
        if value is not _ABSENT:
            column.data[index] = value
    return column


def _scores_of(rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The names of the scores, which a row without a good fold does not tell."""
    for row in rows:
        for fold in row:
            if not fold["error"]:
                return list(fold["test"])
    return [SCORE]


def _add(
    results: dict[str, Any], name: str, table: Sequence[Sequence[float]], n_splits: int, *, of_folds: bool = True
) -> None:
    """The columns of one measure: of each fold, the mean, and the standard deviation."""
    values = numpy.full((len(table), n_splits), math.nan)
    for index, row in enumerate(table):
        values[index, : len(row)] = row
    if of_folds:
        for fold in range(n_splits):
            results[f"split{fold}_{name}"] = values[:, fold]
    results[f"mean_{name}"] = values.mean(axis=1)
    results[f"std_{name}"] = values.std(axis=1)


def _ranks(means: Any) -> Any:
    """1 for the best; equal ones share a rank, and NaN is the last."""
    if numpy.isnan(means).all():
        return numpy.ones(len(means), dtype=numpy.int32)
    known = numpy.where(numpy.isnan(means), numpy.nanmin(means) - 1, means)
    return (numpy.searchsorted(numpy.sort(-known), -known) + 1).astype(numpy.int32)


def best_index(results: Mapping[str, Any], score: str) -> int:
    """The row with the best mean.

    Raises:
        TrialError: No trial has a mean.
    """
    means = results.get(f"mean_test_{score}")
    if means is None or not len(means) or numpy.isnan(means).all():
        raise TrialError("no candidate was evaluated to its end: give the search more time, or another pruner")
    return int(results[f"rank_test_{score}"].argmin())
