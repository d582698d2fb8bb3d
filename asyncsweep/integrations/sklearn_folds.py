"""What a search of scikit-learn parameters does where its trials run: one trial is one candidate, cross-validated fold by fold."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.worker.trial import Trial

# Where a trial keeps what its folds gave.
FOLDS = "folds"
# The name of the score where there is one only, as in `cv_results_`.
SCORE = "score"

_ERROR_CHARACTERS = 4_000
_ALIGNMENT_BYTES = 64


@dataclass(frozen=True)
class Task:
    """Everything that the trials of one search have in common.

    Attributes:
        scorer: Called with a fitted estimator, X and y; gives a number, or scores by name.
        metric: The score that the sweep maximises; "" for the one there is.
        objects: See `sklearn_space`.
        error_score: The score of a fold that fails; "raise" to let the trial fail.
        n_threads: How many threads numerical libraries may use here; 0 leaves it to them.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    scorer: Callable[..., Any]
    metric: str = ""
    fit_params: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error_score: float | str = math.nan
    return_train_score: bool = False
    n_threads: int = 0


class CrossValidation:
    """The objective of a search: the mean of a candidate's scores over the folds, reported after each fold.

    Args:
        task: What is to be done; None when it is in a file.
        path: The file that `store` wrote. It is read once in each process, and its arrays are shared by all processes.
    """

    def __init__(self, task: Task | None, path: str = "") -> None:
        self._task = task
        self._path = path

    def __call__(self, trial: Trial) -> float:
        if self._task is None:
            self._task = load(self._path)
        with _limited(self._task.n_threads):
            return _cross_validate(self._task, trial)


def _cross_validate(task: Task, trial: Trial) -> float:
    params = {
        name: task.objects[name][value] if name in task.objects else value for name, value in trial.params.items()
    }
    folds: list[dict[str, Any]] = []
    mean = math.nan
    for index, (train, test) in enumerate(task.splits):
        folds.append(_fold(task, params, train, test))
        scores = [_chosen(fold, task) for fold in folds]
        mean = sum(scores) / len(scores)
        if math.isnan(mean):
            continue
        trial.report(mean, index)
        if index + 1 < len(task.splits) and trial.should_prune():
            trial.set_user_attr(FOLDS, folds)
            raise TrialPruned(f"pruned after {index + 1} of {len(task.splits)} folds")
    trial.set_user_attr(FOLDS, folds)
    if math.isnan(mean):
        errors = [fold["error"] for fold in folds if fold["error"]]
        raise TrialError(errors[-1] if errors else "the score is NaN")
    return mean


def _fold(task: Task, params: Mapping[str, Any], train: Any, test: Any) -> dict[str, Any]:
    """What one fold gave: scores by name, times in seconds, and the error's text, or ""."""
    X_train, y_train = _safe_split(task.estimator, task.X, task.y, train)
    X_test, y_test = _safe_split(task.estimator, task.X, task.y, test, train)
    found: dict[str, Any] = {"test": {}, "train": {}, "fit_time": 0.0, "score_time": 0.0, "error": ""}
    start = time.perf_counter()
    try:
        estimator = clone(task.estimator).set_params(**clone(dict(params), safe=False))
        fit_params = {name: _rows(value, task.X, train) for name, value in task.fit_params.items()}
        if y_train is None:
            estimator.fit(X_train, **fit_params)
        else:
            estimator.fit(X_train, y_train, **fit_params)
        found["fit_time"] = time.perf_counter() - start
        start = time.perf_counter()
        found["test"] = _scores(task.scorer, estimator, X_test, y_test)
        found["score_time"] = time.perf_counter() - start
        if task.return_train_score:
            found["train"] = _scores(task.scorer, estimator, X_train, y_train)
    except Exception:  # whatever an estimator raises under odd parameters: it is a score, not the end of the search
        if task.error_score == "raise":
            raise
        found["error"] = traceback.format_exc()[-_ERROR_CHARACTERS:]
        if not found["fit_time"]:
            found["fit_time"] = time.perf_counter() - start
    return found


def _scores(scorer: Callable[..., Any], estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """A fitted estimator's scores by name."""
    given = scorer(estimator, X) if y is None else scorer(estimator, X, y)
    return {
        str(name): float(score) for name, score in (given if isinstance(given, Mapping) else {SCORE: given}).items()
    }


def _chosen(fold: Mapping[str, Any], task: Task) -> float:
    """The score of a fold that the sweep goes by."""
    if fold["error"]:
        return float(task.error_score)
    scores: Mapping[str, float] = fold["test"]
    name = task.metric or SCORE
    if name not in scores:
        raise TrialError(f"refit: name the score to maximise; there are {', '.join(scores)}")
    return scores[name]


def _rows(value: Any, X: Any, indices: Any) -> Any:
    """The rows of a fit parameter that has one for each of X (sample weights, say); any other as it is."""
    is_rows = (
        hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping) and _length(value) == _length(X)
    )
    return _safe_indexing(value, indices) if is_rows else value


def _length(rows: Any) -> int:
    return int(rows.shape[0]) if getattr(rows, "shape", ()) else len(rows)


def _limited(n_threads: int) -> contextlib.AbstractContextManager[Any]:
    """The block uses so many threads for numerical libraries; 0 for as many as they like."""
    if not n_threads:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(n_threads)
    return limits


def store(task: Task, path: str) -> None:
    """Write a task for `load`: what has to be pickled, then the arrays as they are in memory.

    Raises:
        OSError: The disk is full, say.
    """
    import cloudpickle  # what is of a notebook travels by value

    buffers: list[pickle.PickleBuffer] = []
    code = cloudpickle.dumps(task, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        pickle.dump((code, [raw.nbytes for raw in raws]), file, protocol=5)
        for raw in raws:
            file.seek(_aligned(file.tell()))
            file.write(raw)


def load(path: str) -> Task:
    """What `store` wrote. Its arrays are read-only and not copied: the system keeps them once for all processes.

    Raises:
        TrialError: It cannot be loaded here.
    """
    try:
        with open(path, "rb") as file:
            code, sizes = pickle.load(file)  # noqa: S301  our parent's file, in a folder of its own
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            end = file.tell()
        buffers = []
        for size in sizes:
            start = _aligned(end)
            end = start + size
            buffers.append(view[start:end])
        task: Task = pickle.loads(code, buffers=buffers)  # noqa: S301  the same file
    except Exception as error:  # a module of the user's that is not found here, say
        raise TrialError(f"the search cannot be loaded in the worker: {type(error).__name__}: {error}") from error
    return task


def _aligned(offset: int) -> int:
    """Where an array may begin: numerical code wants whole cache lines."""
    return -(-offset // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
