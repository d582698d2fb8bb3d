"""The demo's objective: a linear classifier on the Iris flowers, trained in 100 steps that are reported one by one."""

from __future__ import annotations

from typing import Any

from asyncsweep.errors import TrialPruned

N_STEPS = 100


def objective(trial: Any) -> float:
    """The share of wrong answers on flowers that were held back."""
    # Imported by the workers alone: the process that runs the sweep needs no scikit-learn.
    from sklearn.datasets import load_iris
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import train_test_split

    iris = load_iris()
    train_x, test_x, train_y, test_y = train_test_split(iris.data, iris.target, test_size=0.25, random_state=0)
    classifier = SGDClassifier(alpha=trial.params["alpha"], random_state=0)
    error = 1.0
    for step in range(N_STEPS):
        classifier.partial_fit(train_x, train_y, classes=[0, 1, 2])
        error = 1.0 - float(classifier.score(test_x, test_y))
        trial.report(error, step)
        if trial.should_prune():
            raise TrialPruned
    return error
