"""The same eight mixed parameters, as a space of ours, as Optuna's distributions and as its suggest calls."""

from __future__ import annotations

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from asyncsweep import Categorical, Float, Int

OPTIMIZERS = ("sgd", "adam", "lion")
FLAGS = (True, False)

SPACE = {
    "momentum": Float(0.0, 1.0),
    "lr": Float(1e-5, 1e-1, log=True),
    "dropout": Float(0.0, 1.0, step=0.1),
    "depth": Int(1, 100),
    "width": Int(1, 1024, log=True),
    "optimizer": Categorical(OPTIMIZERS),
    "nesterov": Categorical(FLAGS),
    "bias": Float(-5.0, 5.0),
}

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "momentum": FloatDistribution(0.0, 1.0),
    "lr": FloatDistribution(1e-5, 1e-1, log=True),
    "dropout": FloatDistribution(0.0, 1.0, step=0.1),
    "depth": IntDistribution(1, 100),
    "width": IntDistribution(1, 1024, log=True),
    "optimizer": CategoricalDistribution(OPTIMIZERS),
    "nesterov": CategoricalDistribution(FLAGS),
    "bias": FloatDistribution(-5.0, 5.0),
}


def suggest_all(trial: Trial) -> float:
    """The no-op objective for `study.optimize`: asks for all eight, as an Optuna objective does."""
    momentum = trial.suggest_float("momentum", 0.0, 1.0)
    trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    trial.suggest_float("dropout", 0.0, 1.0, step=0.1)
    trial.suggest_int("depth", 1, 100)
    trial.suggest_int("width", 1, 1024, log=True)
    trial.suggest_categorical("optimizer", OPTIMIZERS)
    trial.suggest_categorical("nesterov", FLAGS)
    trial.suggest_float("bias", -5.0, 5.0)
    return momentum
