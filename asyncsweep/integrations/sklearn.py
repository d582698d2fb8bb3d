"""`SweepSearchCV`: what `GridSearchCV` and `RandomizedSearchCV` do, by a sweep.

search = SweepSearchCV(SVC(), {"C": sw.Float(1e-3, 1e3, log=True), "kernel": ["rbf", "poly"]}, n_trials=50, concurrency=4)
search.fit(X, y)
search.best_params_, search.best_score_, search.predict(X)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import joblib  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from asyncsweep.errors import ConfigError
from asyncsweep.integrations.sklearn_folds import SCORE, Task
from asyncsweep.integrations.sklearn_results import ENDED, best_index, cv_results, tell_failures
from asyncsweep.integrations.sklearn_settings import check_choices, check_names, metric_of, row_of, scorers_of, seed_of
from asyncsweep.integrations.sklearn_space import Objects, objects_of, read_space
from asyncsweep.integrations.sklearn_sweep import goes_by_file, run, sweep
from asyncsweep.result import Result
from asyncsweep.space import Space


class _Search(NamedTuple):
    """One call of `fit`, checked."""

    task: Task
    space: Space
    objects: Objects
    seed: int | None


def _best_estimator_has(name: str) -> Callable[[SweepSearchCV], bool]:
    """Whether a search has a method: whether its estimator has it, and was fitted again."""

    def check(self: SweepSearchCV) -> bool:
        self._check_refitted(name)
        getattr(self.best_estimator_ if hasattr(self, "best_estimator_") else self.estimator, name)
        return True

    return check


class SweepSearchCV(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A search for the parameters of an estimator by cross-validation, run as a sweep.

    It is used as scikit-learn's own searches are. A trial is a candidate; after each fold the mean of its scores so far is
    reported, so that a pruner can end it early. All scores are maximised. Where an event loop runs already (a notebook), `fit`
    runs the sweep in a thread and blocks; `await search.fit_async(X, y)` does not block.

    Args:
        estimator: What is searched for; it is cloned for each fold.
        space: Parameter name (`step__name` in a pipeline) to a domain (`sw.Float`, `sw.Int`, `sw.Categorical`, Optuna's), a
            frozen `scipy.stats` distribution (uniform, loguniform, randint), a text such as "log_uniform(1e-4, 1e-1)", or a
            list of choices, which may be any objects.
        n_trials: How many candidates there will be. None: no limit but `timeout`, or the end of a grid.
        scoring: As in `GridSearchCV`: a name, a function (estimator, X, y), several of them in a list or mapping, or None for
            the estimator's own score. With a function that gives several scores, `refit` names the one that counts.
        cv: As in `GridSearchCV`: a number of folds, a splitter, or splits.
        refit: Whether to fit the best candidate on all data. With several scores the name of the one to maximise; a function
            gets `cv_results_` and gives the best row. With neither, the sweep maximises the first score.
        error_score: The score of a fold whose fit or scoring fails: a number, or "raise".
        return_train_score: Whether `cv_results_` has scores on the training data.
        sampler: Who suggests candidates: "tpe", "random", "grid", ...; see `sw.Sweep`.
        pruner: Who ends hopeless candidates between folds; see `sw.Sweep`. None: nobody.
        executor: Where trials run. None: in worker processes, which read the data once from a shared file, without a copy.
            "thread" starts at once, and is good for small fits.
        concurrency: How many candidates are evaluated at a time.
        timeout: Seconds after which the search stops; candidates that run then do not count.
        random_state: A number or `RandomState` for the same suggestions again; None for others each time.
        sweep_options: Further settings of `sw.Sweep`, such as `{"directory": ..., "trial_timeout": 60}`. In `enqueue`, a choice
            that is no number, text, bool or None is given by its text in `result_`.
        verbose: Above 0: show on the standard output how far it is.

    Attributes:
        cv_results_: As of `GridSearchCV`, and "state": "COMPLETE", "PRUNED" or "FAILED". A row that is not COMPLETE has NaN for
            its mean, and the last rank.
        best_estimator_, best_params_, best_score_, best_index_: The best candidate.
        result_: The sweep's `Result`.
        n_splits_, scorer_, refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_: As of `GridSearchCV`.
    """

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        n_trials: int | None = 20,
        scoring: Any = None,
        cv: Any = None,
        refit: bool | str | Callable[[Mapping[str, Any]], int] = True,
        error_score: float | str = math.nan,
        return_train_score: bool = False,
        sampler: Any = "tpe",
        pruner: Any = None,
        executor: Any = None,
        concurrency: int = 1,
        timeout: float | None = None,
        random_state: Any = None,
        sweep_options: Mapping[str, Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.n_trials = n_trials
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.sampler = sampler
        self.pruner = pruner
        self.executor = executor
        self.concurrency = concurrency
        self.timeout = timeout
        self.random_state = random_state
        self.sweep_options = sweep_options
        self.verbose = verbose

    # -- the search ---------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, **params: Any) -> SweepSearchCV:
        """Search, and fit the best candidate on all of the data.

        Args:
            X: What scikit-learn takes for data: an array, a data frame, a sparse matrix, a list.
            y: The target; None for estimators without one.
            **params: `groups` for the splitter; others go to the estimator's `fit`. One with a row for each of X (sample
                weights, say) is split as X is.

        Raises:
            ValueError: No fit succeeded, or a setting is wrong (`ConfigError`).
            TrialError: A fit failed, and `error_score` is "raise"; or no candidate came to its end.
        """
        search = self._prepare(X, y, params)
        return self._conclude(search, run(partial(self._sweep, search)), X, y)

    async def fit_async(self, X: Any, y: Any = None, **params: Any) -> SweepSearchCV:
        """As `fit`, without blocking the event loop; cancelling it stops the trials."""
        limiter = anyio.CapacityLimiter(1)
        search = await anyio.to_thread.run_sync(self._prepare, X, y, params, limiter=limiter)
        result = await self._sweep(search)
        return await anyio.to_thread.run_sync(self._conclude, search, result, X, y, limiter=limiter)

    def _prepare(self, X: Any, y: Any, params: Mapping[str, Any]) -> _Search:
        """Check what can be checked before a trial runs."""
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ConfigError(f"{type(self.estimator).__name__} requires y to be passed, but the target y is None")
        X, y = indexable(X, y)
        fit_params = dict(params)
        groups = fit_params.pop("groups", None)
        space, objects = read_space(self.space)
        check_names(self.estimator, space)
        check_choices(self.error_score, self.concurrency, self.sweep_options)
        self.scorer_ = scorers_of(self.estimator, self.scoring)
        self.multimetric_ = isinstance(self.scorer_, dict)
        metric = metric_of(self.refit, self.scorer_)
        splits = list(check_cv(self.cv, y, classifier=is_classifier(self.estimator)).split(X, y, groups))
        self.n_splits_ = len(splits)
        task = Task(
            estimator=clone(self.estimator),
            X=X,
            y=y,
            splits=splits,
            scorer=check_scoring(self.estimator, self.scoring),
            metric=metric,
            fit_params=fit_params,
            objects=objects,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            n_threads=max(1, joblib.cpu_count() // self.concurrency) if goes_by_file(self.executor) else 0,
        )
        return _Search(task, space, objects, seed_of(self.random_state))

    async def _sweep(self, search: _Search) -> Result:
        return await sweep(
            search.task,
            search.space,
            {
                "sampler": self.sampler,
                "pruner": self.pruner,
                "executor": "process" if self.executor is None else self.executor,
                "n_trials": self.n_trials,
                "concurrency": self.concurrency,
                "timeout": self.timeout,
                "seed": search.seed,
                **(self.sweep_options or {}),
            },
            progress=self.verbose > 0,
        )

    def _conclude(self, search: _Search, result: Result, X: Any, y: Any) -> SweepSearchCV:
        """Set what is known after the search."""
        trials = [trial for trial in result.trials if trial.state in ENDED]
        candidates = [objects_of(trial.params, search.objects) for trial in trials]
        error_score = math.nan if isinstance(self.error_score, str) else float(self.error_score)
        tell_failures(trials, self.n_splits_, error_score)
        results = cv_results(
            trials,
            candidates,
            search.space.names,
            self.n_splits_,
            error_score=error_score,
            with_train=self.return_train_score,
        )
        self.result_ = result
        if callable(self.refit):
            self.best_index_ = row_of(self.refit(results), len(candidates))
            self.best_params_ = candidates[self.best_index_]
        elif self.refit or not self.multimetric_:
            name = search.task.metric or SCORE
            self.best_index_ = best_index(results, name)
            self.best_params_ = candidates[self.best_index_]
            self.best_score_ = results[f"mean_test_{name}"][self.best_index_]
        if self.refit:
            self._refit(search.task.fit_params, X, y)
        self.cv_results_ = results
        return self

    def _refit(self, fit_params: Mapping[str, Any], X: Any, y: Any) -> None:
        start = time.perf_counter()
        self.best_estimator_ = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        if y is None:
            self.best_estimator_.fit(X, **fit_params)
        else:
            self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.perf_counter() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    # -- settings -----------------------------------------------------------------------------------------------------

    # -- what the best estimator does ---------------------------------------------------------------------------------

    def _check_refitted(self, name: str) -> None:
        if not self.refit:
            raise AttributeError(f"{name} needs the best estimator, and this {type(self).__name__} has refit=False")

    def _best(self, name: str) -> Any:
        check_is_fitted(self)
        return getattr(self.best_estimator_, name)

    def score(self, X: Any, y: Any = None) -> float:
        """The score of the best estimator, by `scoring`; with several scores, the one of `refit`.

        Raises:
            AttributeError: There is no best estimator, or no one score: `refit` is False or a function.
        """
        self._check_refitted("score")
        check_is_fitted(self)
        scorer = self.scorer_
        if self.multimetric_:
            if not isinstance(self.refit, str):
                raise AttributeError("score needs one of the several scores: give its name by refit=...")
            scorer = scorer[self.refit]
        found = scorer(self.best_estimator_, X) if y is None else scorer(self.best_estimator_, X, y)
        return float(found[self.refit] if isinstance(found, Mapping) else found)

    @available_if(_best_estimator_has("predict"))  # type: ignore[untyped-decorator]  # here and below: no types
    def predict(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("predict")(X)

    @available_if(_best_estimator_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("predict_proba")(X)

    @available_if(_best_estimator_has("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("predict_log_proba")(X)

    @available_if(_best_estimator_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("decision_function")(X)

    @available_if(_best_estimator_has("score_samples"))  # type: ignore[untyped-decorator]
    def score_samples(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("score_samples")(X)

    @available_if(_best_estimator_has("transform"))  # type: ignore[untyped-decorator]
    def transform(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("transform")(X)

    @available_if(_best_estimator_has("inverse_transform"))  # type: ignore[untyped-decorator]
    def inverse_transform(self, X: Any) -> Any:
        """As of the best estimator."""
        return self._best("inverse_transform")(X)

    @property
    def classes_(self) -> Any:
        """The class labels; of classifiers alone, and after a refit."""
        _best_estimator_has("classes_")(self)
        return self.best_estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """How many features there were in `fit`.

        Raises:
            AttributeError: It was not fitted.
        """
        return int(self.best_estimator_.n_features_in_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        theirs = get_tags(self.estimator)
        tags.estimator_type = theirs.estimator_type
        tags.classifier_tags = deepcopy(theirs.classifier_tags)
        tags.regressor_tags = deepcopy(theirs.regressor_tags)
        tags.input_tags.pairwise = theirs.input_tags.pairwise
        tags.input_tags.sparse = theirs.input_tags.sparse
        tags.target_tags = deepcopy(theirs.target_tags)
        return tags
