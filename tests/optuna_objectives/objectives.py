"""Objectives as Optuna's users write them: nothing in this module knows of asyncsweep.

Workers import it by name. Each objective gives the same for the same parameters, in whatever process or thread it runs.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy
import optuna
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

LOADERS = {"iris": load_iris, "wine": load_wine, "digits": load_digits, "cancer": load_breast_cancer}


@functools.cache
def split(name: str) -> tuple[Any, Any, Any, Any]:
    """Scaled features and labels: of the training set, then of the validation set."""
    data = LOADERS[name]()
    train_x, valid_x, train_y, valid_y = train_test_split(data.data, data.target, test_size=0.3, random_state=0)
    scaler = StandardScaler().fit(train_x)
    return scaler.transform(train_x), train_y, scaler.transform(valid_x), valid_y


def sklearn_simple(trial: optuna.Trial) -> float:
    """The accuracy of nearest neighbours on Iris, with plain parameters of each kind."""
    n_neighbors = trial.suggest_int("n_neighbors", 1, 30)
    weights = trial.suggest_categorical("weights", ["uniform", "distance"])
    p = trial.suggest_float("p", 1.0, 3.0, step=0.25)
    train_x, train_y, _, _ = split("iris")
    model = KNeighborsClassifier(n_neighbors=n_neighbors, weights=weights, p=p)
    return float(cross_val_score(model, train_x, train_y, cv=3).mean())


def sklearn_pruned(trial: optuna.Trial) -> float:
    """The validation error of a linear model on the digits, reported after each epoch."""
    alpha = trial.suggest_float("alpha", 1e-5, 10.0, log=True)
    eta0 = trial.suggest_float("eta0", 1e-4, 10.0, log=True)
    train_x, train_y, valid_x, valid_y = split("digits")
    model = SGDClassifier(alpha=alpha, eta0=eta0, learning_rate="constant", random_state=0)
    error = 1.0
    for epoch in range(12):
        model.partial_fit(train_x[:300], train_y[:300], classes=numpy.arange(10))
        error = 1.0 - model.score(valid_x, valid_y)
        trial.report(error, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return error


def two_classifiers(trial: optuna.Trial) -> float:
    """The validation accuracy on Wine of one of two classifiers, each with parameters of its own."""
    if trial.suggest_categorical("classifier", ["svc", "forest"]) == "svc":
        kernel = trial.suggest_categorical("kernel", ["linear", "rbf"])
        gamma: Any = "scale"
        if kernel == "rbf":
            gamma = trial.suggest_float("gamma", 1e-4, 10.0, log=True)
        model: Any = SVC(C=trial.suggest_float("C", 1e-3, 1e2, log=True), kernel=kernel, gamma=gamma)
    else:
        model = RandomForestClassifier(
            n_estimators=trial.suggest_int("n_estimators", 2, 12, step=5),
            max_depth=trial.suggest_int("max_depth", 1, 16, log=True),
            random_state=0,
        )
    train_x, train_y, valid_x, valid_y = split("wine")
    return float(model.fit(train_x, train_y).score(valid_x, valid_y))


def error_and_size(trial: optuna.Trial) -> tuple[float, float]:
    """The validation error and the number of leaves of a tree: better means larger."""
    model = DecisionTreeClassifier(
        max_depth=trial.suggest_int("max_depth", 1, 10),
        min_samples_leaf=trial.suggest_float("min_samples_leaf", 0.001, 0.3, log=True),
        criterion=trial.suggest_categorical("criterion", ("gini", "entropy")),
        random_state=0,
    )
    train_x, train_y, valid_x, valid_y = split("cancer")
    model.fit(train_x, train_y)
    return 1.0 - model.score(valid_x, valid_y), model.get_n_leaves()


def torch_mlp(trial: optuna.Trial) -> float:
    """The validation accuracy of a small network on the digits, reported after each epoch."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    width = 64
    for depth in range(trial.suggest_int("n_layers", 1, 3)):
        units = trial.suggest_int(f"units_{depth}", 4, 64, log=True)
        layers += [torch.nn.Linear(width, units), torch.nn.ReLU()]
        width = units
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, 10))
    optimizer = getattr(torch.optim, trial.suggest_categorical("optimizer", ["Adam", "SGD"]))(
        model.parameters(), lr=trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    )
    train_x, train_y, valid_x, valid_y = (torch.from_numpy(array) for array in split("digits"))
    accuracy = 0.0
    for epoch in range(6):
        for start in range(0, 512, 64):
            optimizer.zero_grad()
            batch = slice(start, start + 64)
            torch.nn.functional.cross_entropy(model(train_x[batch].float()), train_y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(valid_x.float()).argmax(dim=1) == valid_y).float().mean().item()
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.exceptions.TrialPruned
    return accuracy


def constrained(trial: optuna.Trial) -> float:
    """The least of a bowl whose bottom is not feasible; what is known of the trial goes into its attributes."""
    x = trial.suggest_float("x", -5.0, 5.0)
    y = trial.suggest_float("y", -5.0, 5.0)
    trial.set_constraint("at most -1", x + y + 1.0)
    trial.set_constraint(key="in the circle", value=numpy.float32(x * x + y * y - 16.0))
    trial.set_user_attr("feasible", all(value <= 0 for value in trial.constraints.values()))
    trial.set_user_attr("seen", {"number": trial.number, "params": trial.params})
    trial.set_user_attr("feasible", [trial.user_attrs["feasible"], sorted(trial.distributions)])
    return (x - 1.0) ** 2 + (y - 2.0) ** 2
