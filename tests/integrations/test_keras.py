"""The callback for Keras, with Keras on torch."""

from __future__ import annotations

from typing import Any

import pytest

import asyncsweep as sw
from tests.integrations.trials import HOPELESS, course, noted, two_trials, warned

pytestmark = [pytest.mark.filterwarnings("ignore:::keras"), pytest.mark.filterwarnings("ignore:::torch")]


@pytest.fixture(autouse=True)
def torch_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")


def fit(*callbacks: Any, scale: float = 1.0, validates: bool = True, **options: Any) -> Any:
    """Train a model of two numbers for three epochs, on a target of about `scale`."""
    import keras
    import numpy as np

    x = np.linspace(0, 1, 8).reshape(-1, 1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    validation = (x, x * scale) if validates else None
    return model.fit(
        x, x, epochs=3, batch_size=8, validation_data=validation, callbacks=list(callbacks), verbose=0, **options
    )


def callback(*arguments: Any, **options: Any) -> Any:
    from asyncsweep.integrations.keras import ReportCallback

    return ReportCallback(*arguments, **options)


def test_each_epoch_is_reported_and_a_hopeless_training_ends() -> None:
    def objective(trial: sw.Trial) -> float:
        history = fit(callback("val_loss"), scale=1e6 if trial.params[HOPELESS] else 1.0)
        return float(history.history["val_loss"][-1])

    result = two_trials(objective)
    assert course(result) == [("COMPLETE", [0, 1, 2]), ("PRUNED", [0, 1])]
    assert result.trials[0].last_report == (2, result.trials[0].value)


@pytest.mark.deep
def test_a_pruned_fit_raises() -> None:
    trial, notes = noted(stop_at=1)
    with pytest.raises(sw.TrialPruned, match="pruned at step 1"):
        fit(callback("loss", trial))
    assert notes.steps == [0, 1]


@pytest.mark.deep
def test_an_epoch_without_validation_reports_nothing() -> None:
    trial, notes = noted()
    fit(callback("val_loss", trial), validation_freq=2)
    assert notes.steps == [1]


@pytest.mark.deep
def test_a_training_without_validation_says_what_is_missing() -> None:
    trial, _ = noted()
    with pytest.raises(sw.TrialError, match="monitor='val_loss': nothing was validated; give `validation_data` to fit"):
        fit(callback("val_loss", trial), validates=False)


@pytest.mark.deep
def test_a_metric_that_is_not_logged_is_answered_with_those_that_are() -> None:
    trial, _ = noted()
    with pytest.raises(sw.TrialError, match="there is no such metric; there are 'loss', 'val_loss'"):
        fit(callback("accuracy", trial))


@pytest.mark.deep
def test_a_training_by_hand_is_not_disturbed() -> None:
    with warned() as texts:
        assert len(fit(callback("no such")).epoch) == 3
    assert texts == ["no asyncsweep trial runs here: this training reports to nobody"]
