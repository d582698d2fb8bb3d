"""`SweepSearchCV`, beside scikit-learn's own searches."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import asyncsweep as sw
from asyncsweep.integrations.sklearn import SweepSearchCV
from asyncsweep.integrations.sklearn_folds import Task, load, store

GRID: dict[str, Any] = {"n_neighbors": [1, 3, 30], "weights": ["uniform", "distance"]}
X, Y = load_iris(return_X_y=True)


def search(estimator: Any = None, space: Any = None, **options: Any) -> SweepSearchCV:
    """A search in threads, of two random candidates and two folds."""
    chosen = {"executor": "thread", "sampler": "random", "n_trials": 2, "cv": 2, "random_state": 0, **options}
    return SweepSearchCV(
        KNeighborsClassifier() if estimator is None else estimator,
        {"n_neighbors": [1, 3]} if space is None else space,
        **chosen,
    )


class Faulty(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Says always 0, or raises in `fit`, or ends its process there."""

    def __init__(self, fails: bool = False, value: Any = None, ends: bool = False) -> None:
        self.fails = fails
        self.value = value
        self.ends = ends

    def fit(self, X: Any, y: Any, sample_weight: Any = None, tag: Any = None) -> Faulty:
        if self.ends:
            os._exit(1)
        if self.fails:
            raise ArithmeticError("boom")
        if sample_weight is not None:
            assert len(sample_weight) == len(X)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


def test_a_grid_gives_what_grid_search_gives() -> None:
    theirs = GridSearchCV(KNeighborsClassifier(), GRID, return_train_score=True).fit(X, Y)
    ours = search(space=GRID, sampler="grid", n_trials=None, cv=None, return_train_score=True).fit(X, Y)
    expected, found = dict(theirs.cv_results_), dict(ours.cv_results_)
    order = [found["params"].index(params) for params in expected.pop("params")]
    del found["params"]
    assert list(found.pop("state")) == ["COMPLETE"] * 6
    assert list(found) == list(expected)
    for name, column in expected.items():
        assert (found[name].dtype, type(found[name])) == (column.dtype, type(column)), name
        if "_time" not in name:
            assert list(found[name][order]) == (
                list(column) if name.startswith("param_") else pytest.approx(list(column))
            )
    assert (ours.best_score_, ours.n_splits_) == (pytest.approx(theirs.best_score_), theirs.n_splits_)


class Tag:
    """Leaves a file in a folder each time it comes out of a pickle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (self.folder / str(len(list(self.folder.iterdir())))).touch()


def test_a_worker_process_gets_the_data_once_and_no_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpickled, temporary = tmp_path / "unpickled", tmp_path / "temporary"
    unpickled.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    found = search(Faulty(), {"value": [1, 2, 3]}, executor=None, n_trials=3, sampler="grid").fit(
        X, Y, tag=Tag(unpickled)
    )
    assert found.result_.counts[sw.State.COMPLETE] == 3
    assert (len(list(unpickled.iterdir())), list(temporary.iterdir())) == (1, [])


def test_a_task_comes_back_from_its_file_with_arrays_that_are_not_copied(tmp_path: Path) -> None:
    weights = np.arange(5.0)
    store(Task("estimator", X, Y, [([0], [1])], len, fit_params={"weights": weights}), str(tmp_path / "task"))
    found = load(str(tmp_path / "task"))
    for array, before in ((found.X, X), (found.y, Y), (found.fit_params["weights"], weights)):
        np.testing.assert_array_equal(array, before)
        assert (array.flags.writeable, array.ctypes.data % 64) == (False, 0)
    assert (found.estimator, found.splits, found.scorer) == ("estimator", [([0], [1])], len)


def test_it_is_used_as_an_estimator() -> None:
    found = search()
    assert found.fit(X, Y) is found
    assert found.score(X, Y) == pytest.approx(found.best_estimator_.score(X, Y))
    assert list(found.classes_) == [0, 1, 2]
    assert found.predict_proba(X).shape == (150, 3)
    assert found.n_features_in_ == 4
    assert found.refit_time_ > 0
    assert not hasattr(found, "transform")


def test_before_fit_it_says_so() -> None:
    found = search()
    assert hasattr(found, "predict")
    with pytest.raises(NotFittedError):
        found.predict(X)


def test_without_a_refit_there_is_a_best_candidate_and_no_prediction() -> None:
    found = search(refit=False).fit(X, Y)
    assert found.best_params_ == found.cv_results_["params"][found.best_index_]
    assert not hasattr(found, "predict")


def test_a_clone_has_the_same_settings_and_is_not_fitted() -> None:
    found = search(space={"n_neighbors": sw.Int(1, 9)}, sampler=sw.sampler("random")).fit(X, Y)
    twin = clone(found)
    assert (twin.space, twin.sampler, hasattr(twin, "cv_results_")) == (found.space, found.sampler, False)
    assert twin.set_params(estimator__p=1, n_trials=3).get_params()["estimator__p"] == 1


def test_it_searches_a_pipeline_and_is_a_step_of_one() -> None:
    steps = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    space = {"scale": [StandardScaler(), MinMaxScaler(), "passthrough"], "model__C": "log_uniform(1e-3, 1e3)"}
    found = Pipeline([("again", StandardScaler()), ("search", search(steps, space, n_trials=4))]).fit(X, Y)
    best = found.named_steps["search"].best_params_
    assert type(best["scale"]) in (StandardScaler, MinMaxScaler, str)
    assert found.predict(X).shape == (150,)


def test_a_parameter_may_be_one_of_a_step_that_is_searched_too() -> None:
    steps = Pipeline([("model", KNeighborsClassifier())])
    found = search(steps, {"model": [LogisticRegression()], "model__C": [0.5]}).fit(X, Y)
    assert (type(found.best_params_["model"]), found.best_estimator_["model"].C) == (LogisticRegression, 0.5)


def test_the_sweep_takes_the_greatest_score_for_the_best() -> None:
    found = search(space=GRID, sampler="grid", n_trials=None).fit(X, Y)
    assert found.result_.best_params == found.best_params_
    assert found.result_.best_value == max(found.cv_results_["mean_test_score"])


def test_objects_and_tuples_reach_the_estimator_as_they_are() -> None:
    values = [(1, 2), len, None]
    found = search(Faulty(), {"value": values}, sampler="grid", n_trials=None).fit(X, Y)
    assert sorted(map(str, found.cv_results_["param_value"])) == sorted(map(str, values))
    assert all(params["value"] in values for params in found.cv_results_["params"])
    assert found.best_estimator_.value in values


def test_distributions_of_scipy_are_taken() -> None:
    from scipy import stats

    space = {
        "alpha": stats.loguniform(1e-3, 1e3),
        "tol": stats.uniform(0.25, 0.5),
        "max_iter": stats.randint(500, 600),
    }
    found = search(Ridge(), space, n_trials=1).fit(X, Y)
    assert found.result_.space == {
        "alpha": sw.Float(1e-3, 1e3, log=True),
        "tol": sw.Float(0.25, 0.75),
        "max_iter": sw.Int(500, 599),
    }


def test_a_condition_leaves_a_parameter_out_and_masks_it() -> None:
    space = {"weights": ["uniform", "distance"], "p": sw.Int(1, 2, when={"weights": "distance"})}
    found = search(space=space, sampler="grid", n_trials=None).fit(X, Y)
    column = found.cv_results_["param_p"]
    assert [bool(mask) for mask in column.mask] == [w == "uniform" for w in found.cv_results_["param_weights"]]


def test_several_scores_are_recorded_and_refit_names_the_one_that_counts() -> None:
    scores = ["accuracy", "f1_macro"]
    found = search(scoring=scores, refit="f1_macro").fit(X, Y)
    assert found.best_score_ == max(found.cv_results_["mean_test_f1_macro"])
    assert set(found.scorer_) == set(scores)
    assert {"rank_test_accuracy", "split1_test_accuracy"} <= set(found.cv_results_)


def test_a_function_may_give_several_scores() -> None:
    def scores(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        return {"good": estimator.score(X, y), "bad": -estimator.score(X, y)}

    found = search(scoring=scores, refit="good").fit(X, Y)
    assert found.best_score_ == max(found.cv_results_["mean_test_good"])
    assert found.score(X, Y) == found.best_estimator_.score(X, Y)
    with pytest.raises(ValueError, match="refit: name the score to maximise; there are good, bad"):
        search(scoring=scores).fit(X, Y)


def test_a_function_may_choose_the_row_to_refit() -> None:
    found = search(refit=lambda results: 1).fit(X, Y)
    assert (found.best_index_, found.best_params_) == (1, found.cv_results_["params"][1])
    assert not hasattr(found, "best_score_")


def test_groups_and_weights_are_split_as_the_data_is() -> None:
    groups = np.arange(150) % 3
    found = search(Faulty(), {"value": [1, 2]}, cv=GroupKFold(3)).fit(X, Y, groups=groups, sample_weight=np.ones(150))
    assert found.n_splits_ == 3
    assert not np.isnan(found.cv_results_["mean_test_score"]).any()


def test_estimators_without_a_target_are_searched_too() -> None:
    from sklearn.neighbors import KernelDensity

    found = search(KernelDensity(), {"bandwidth": [0.5, 1.0]}).fit(X)
    assert found.score_samples(X).shape == (150,)


def test_hopeless_candidates_end_between_folds() -> None:
    found = search(
        Faulty(), {"value": [1, 2]}, pruner={"name": "threshold", "lower": 2.0}, n_trials=1, refit=False, cv=3
    )
    with pytest.raises(sw.TrialError, match="no candidate was evaluated to its end"):
        found.fit(X, Y)


def test_a_pruned_candidate_has_the_last_rank_and_the_scores_of_its_folds() -> None:
    space = {"n_neighbors": [1, 100]}
    pruner = {"name": "threshold", "lower": 0.8}
    found = search(space=space, sampler="grid", n_trials=None, pruner=pruner, cv=3).fit(X, Y)
    rows = {
        params["n_neighbors"]: (state, rank, bool(np.isnan(first)), bool(np.isnan(mean)))
        for params, state, rank, first, mean in zip(
            *(
                found.cv_results_[name]
                for name in ("params", "state", "rank_test_score", "split0_test_score", "mean_test_score")
            ),
            strict=True,
        )
    }
    assert rows == {1: ("COMPLETE", 1, False, False), 100: ("PRUNED", 2, False, True)}


def test_a_failing_fit_is_a_warning_and_has_the_error_score() -> None:
    found = search(Faulty(), {"fails": [False, True]}, sampler="grid", n_trials=None)
    with pytest.warns(FitFailedWarning, match=r"2 fits failed out of a total of 4(.|\n)*ArithmeticError: boom"):
        found.fit(X, Y)
    assert found.best_params_ == {"fails": False}
    by_params = dict(zip(found.cv_results_["param_fails"], found.cv_results_["rank_test_score"], strict=True))
    assert by_params == {False: 1, True: 2}


def test_the_error_score_may_be_a_number() -> None:
    found = search(Faulty(), {"fails": [False, True]}, sampler="grid", n_trials=None, error_score=0.1)
    with pytest.warns(FitFailedWarning, match=r"will be set to 0\.1"):
        found.fit(X, Y)
    assert list(found.cv_results_["mean_test_score"]) == pytest.approx([1 / 3, 0.1])


def test_where_every_fit_fails_the_search_fails() -> None:
    with pytest.raises(ValueError, match=r"All the 4 fits failed(.|\n)*ArithmeticError: boom"):
        search(Faulty(), {"fails": [True], "value": [1, 2]}, sampler="grid").fit(X, Y)


def test_an_error_may_end_the_search() -> None:
    with pytest.raises(sw.TrialError, match=r"a fit failed, and error_score is 'raise': ArithmeticError: boom"):
        search(Faulty(), {"fails": [True]}, error_score="raise").fit(X, Y)


@pytest.mark.deep
def test_a_candidate_that_kills_its_worker_is_a_failed_fit() -> None:
    found = search(Faulty(), {"ends": [False, True]}, executor="process", sampler="grid", n_trials=None)
    with pytest.warns(FitFailedWarning, match=r"2 fits failed out of a total of 4(.|\n)*WorkerLost"):
        found.fit(X, Y)
    assert found.best_params_ == {"ends": False}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"space": {"n_neighbor": [1]}}, "has no parameter 'n_neighbor'.*did you mean 'n_neighbors'"),
        ({"space": [{"p": [1]}, {"p": [2]}]}, "one mapping with `when=`"),
        ({"space": {"p": "unifrom(1, 2)"}}, "did you mean uniform"),
        ({"scoring": ["accuracy", "f1_macro"]}, "name the one to maximise, one of accuracy, f1_macro"),
        ({"scoring": ["accuracy", "f1_macro"], "refit": "acuracy"}, "did you mean 'accuracy'"),
        ({"error_score": "nan"}, "error_score='nan': expected a number or \"raise\""),
        ({"concurrency": 0}, "concurrency=0: expected a whole number from 1"),
        ({"refit": lambda results: 7}, "the function returned 7; expected the number of a row, from 0 to 1"),
        ({"sweep_options": {"seed": 3}}, "sweep_options: 'seed' is set by SweepSearchCV itself"),
        ({"sampler": "tpee"}, "did you mean 'tpe'"),
    ],
    ids=[
        "name",
        "several",
        "text",
        "refit missing",
        "refit wrong",
        "error_score",
        "concurrency",
        "row",
        "options",
        "sampler",
    ],
)
def test_a_wrong_setting_is_refused(options: dict[str, Any], error: str) -> None:
    with pytest.raises(sw.ConfigError, match=error):
        search(**options).fit(X, Y)


def test_a_distribution_that_is_no_domain_is_refused() -> None:
    from scipy import stats

    with pytest.raises(
        sw.ConfigError, match=r"parameter 'p': norm: expected scipy\.stats\.uniform, loguniform or randint"
    ):
        search(space={"p": stats.norm()}).fit(X, Y)


def test_fit_works_where_an_event_loop_runs() -> None:
    async def notebook() -> SweepSearchCV:
        return search().fit(X, Y)

    assert asyncio.run(notebook()).best_params_


@pytest.mark.anyio
async def test_fit_async_leaves_the_loop_free(anyio_backend: str) -> None:
    found = search()
    assert await found.fit_async(X, Y) is found
    assert found.predict(X).shape == (150,)


def test_the_same_seed_gives_the_same_candidates() -> None:
    space = {"n_neighbors": sw.Int(1, 70)}
    first, second = (search(space=space, random_state=7, n_trials=4).fit(X, Y).cv_results_["params"] for _ in range(2))
    assert first == second


# Where every candidate fails or has no score, scikit-learn's searches choose the first one, and fitting it again raises; we raise
# before that, with the errors of all.
EXPECTED = {"check_dtype_object": "no candidate has a score: the error is a ValueError with the TypeErrors in it"}


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "space"),
    [(LogisticRegression(), {"C": [0.1, 1.0]}), (Ridge(), {"alpha": [0.1, 1.0]})],
    ids=["classifier", "regressor"],
)
def test_scikit_learns_own_checks_of_estimators_pass(estimator: Any, space: dict[str, Any]) -> None:
    from sklearn.utils.estimator_checks import check_estimator

    found = check_estimator(search(estimator, space), on_fail=None, on_skip=None, expected_failed_checks=EXPECTED)
    assert len(found) > 50
    assert {one["check_name"] for one in found if one["status"] == "failed"} == set()
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(EXPECTED)
