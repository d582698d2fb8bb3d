"""The callbacks for XGBoost and LightGBM, with the libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asyncsweep as sw
from tests.integrations.trials import HOPELESS, course, noted, two_trials

N_ROUNDS = 4


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    """60 rows of two columns, and classes that they tell; the wrong ones are far from them."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    return x, (x[:, 0] > 0).astype(int)


class Xgboost:
    """Training by XGBoost with one callback."""

    def __init__(self) -> None:
        import xgboost

        self.library = xgboost

    def train(
        self, data: Any, name: str = "valid-rmse", scale: float = 1.0, callbacks: Any = (), **options: Any
    ) -> Any:
        from asyncsweep.integrations.xgboost import ReportCallback

        x, y = data
        train, valid = self.library.DMatrix(x, y), self.library.DMatrix(x, y * scale)
        callback = ReportCallback(name, **options)
        return self.library.train(
            {"nthread": 1},
            train,
            N_ROUNDS,
            evals=[(valid, "valid")],
            callbacks=[callback, *callbacks],
            verbose_eval=False,
        )

    def cross_validate(self, data: Any, **options: Any) -> Any:
        from asyncsweep.integrations.xgboost import ReportCallback

        callback = ReportCallback("test-rmse", **options)
        found = self.library.cv(
            {"nthread": 1}, self.library.DMatrix(*data), N_ROUNDS, nfold=3, callbacks=[callback], verbose_eval=False
        )
        return list(found["test-rmse-mean"])


class Lightgbm:
    """Training by LightGBM with one callback."""

    def __init__(self) -> None:
        import lightgbm

        self.library = lightgbm

    def train(
        self, data: Any, name: str = "valid rmse", scale: float = 1.0, callbacks: Any = (), **options: Any
    ) -> Any:
        from asyncsweep.integrations.lightgbm import report_callback

        x, y = data
        train, valid = self.library.Dataset(x, y), self.library.Dataset(x, y * scale)
        callback = report_callback(*name.split(), **options)
        return self.library.train(
            self._params(), train, N_ROUNDS, valid_sets=[valid], valid_names=["valid"], callbacks=[callback, *callbacks]
        )

    def cross_validate(self, data: Any, **options: Any) -> Any:
        from asyncsweep.integrations.lightgbm import report_callback

        callback = report_callback("valid", "rmse", **options)
        found = self.library.cv(
            self._params(), self.library.Dataset(*data), N_ROUNDS, nfold=3, stratified=False, callbacks=[callback]
        )
        return found["valid rmse-mean"]

    def _params(self) -> dict[str, Any]:
        return {"objective": "regression", "metric": "rmse", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 2}


@pytest.fixture(params=[Xgboost, Lightgbm], ids=["xgboost", "lightgbm"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_each_iteration_is_reported_and_a_hopeless_training_ends(library: Any, data: Any) -> None:
    def objective(trial: sw.Trial) -> float:
        library.train(data, scale=1e6 if trial.params[HOPELESS] else 1.0)
        return 1.0

    assert course(two_trials(objective)) == [("COMPLETE", [0, 1, 2, 3]), ("PRUNED", [0, 1])]


def test_a_pruned_training_raises_at_its_caller(library: Any, data: Any) -> None:
    trial, _ = noted(stop_at=1)
    with pytest.raises(sw.TrialPruned, match="pruned at step 1"):
        library.train(data, trial=trial)


def test_every_second_iteration_is_reported_when_every_is_two(library: Any, data: Any) -> None:
    trial, notes = noted()
    library.train(data, trial=trial, every=2)
    assert notes.steps == [1, 3]


def test_cross_validation_reports_the_mean_over_the_folds(library: Any, data: Any) -> None:
    trial, notes = noted()
    means = library.cross_validate(data, trial=trial)
    assert [value for _, value in notes.reports] == pytest.approx(means)


def test_a_wrong_name_is_answered_with_the_names_there_are(library: Any, data: Any) -> None:
    trial, _ = noted()
    with pytest.raises(sw.TrialError, match=r"did you mean 'valid.rmse'\?"):
        library.train(data, name="valid-rms" if isinstance(library, Xgboost) else "valid rms", trial=trial)


def test_a_training_by_hand_is_not_disturbed(library: Any, data: Any) -> None:
    with pytest.warns(UserWarning, match="no asyncsweep trial runs here"):
        assert library.train(data, name="no such") is not None


def test_the_iteration_at_which_early_stopping_ends_is_reported(library: Any, data: Any) -> None:
    trial, notes = noted()
    if isinstance(library, Xgboost):
        stopping = library.library.callback.EarlyStopping(rounds=1, min_delta=1e3)
    else:
        stopping = library.library.early_stopping(1, min_delta=1e3, verbose=False)
    library.train(data, callbacks=[stopping], trial=trial)
    assert notes.steps == [0, 1]


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")  # older versions have nothing else
def test_the_estimators_of_both_libraries_take_the_callbacks(library: Any, data: Any) -> None:
    x, y = data
    trial, notes = noted()
    if isinstance(library, Xgboost):
        from asyncsweep.integrations.xgboost import ReportCallback

        callback = ReportCallback("validation_0-logloss", trial)
        library.library.XGBClassifier(n_estimators=N_ROUNDS, n_jobs=1, callbacks=[callback]).fit(
            x, y, eval_set=[(x, y)], verbose=False
        )
    else:
        from asyncsweep.integrations.lightgbm import report_callback

        estimator = library.library.LGBMClassifier(n_estimators=N_ROUNDS, n_jobs=1, verbose=-1)
        estimator.fit(
            x, y, eval_set=[(x[:30], y[:30])], callbacks=[report_callback("valid_0", "binary_logloss", trial)]
        )
    assert notes.steps == [0, 1, 2, 3]
