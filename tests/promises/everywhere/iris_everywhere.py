"""The tutorial's classifier of Iris flowers, for hosts and clusters: it needs scikit-learn, and nothing of ours."""

from __future__ import annotations

from typing import Any


def objective(trial: Any) -> float:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import train_test_split

    iris = load_iris()
    train_x, valid_x, train_y, valid_y = train_test_split(iris.data, iris.target, test_size=0.25, random_state=0)
    classifier = SGDClassifier(alpha=trial.params["alpha"], random_state=0)
    error = 1.0
    for step in range(10):
        classifier.partial_fit(train_x, train_y, classes=[0, 1, 2])
        error = 1.0 - classifier.score(valid_x, valid_y)
        trial.report_or_prune(error, step)
    return error
