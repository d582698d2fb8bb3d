"""Tune a linear classifier on the Iris flowers: 20 trials in two processes, hopeless ones ended early.

    pip install "asyncsweep[demo]"
    python examples/iris_sgd.py

`alpha`, the strength of the regularisation, is searched on a logarithmic scale. Each trial trains in 100 steps and reports
its error after each; the median pruner ends it when it is worse than half of the trials were at that step.
"""

from __future__ import annotations

import asyncio

import sklearn.datasets
import sklearn.linear_model
import sklearn.model_selection

import asyncsweep as sw


def objective(trial):
    iris = sklearn.datasets.load_iris()
    train_x, valid_x, train_y, valid_y = sklearn.model_selection.train_test_split(
        iris.data, iris.target, test_size=0.25, random_state=0
    )
    classifier = sklearn.linear_model.SGDClassifier(alpha=trial.params["alpha"], random_state=0)
    for step in range(100):
        classifier.partial_fit(train_x, train_y, classes=[0, 1, 2])
        error = 1.0 - classifier.score(valid_x, valid_y)
        trial.report(error, step)
        if trial.should_prune():
            raise sw.TrialPruned
    return error


async def main() -> sw.Result:
    sweep = sw.Sweep(
        objective,
        space={"alpha": sw.Float(1e-5, 1e-1, log=True)},
        sampler="tpe",
        pruner="median",
        executor="process",
        n_trials=20,
        concurrency=2,
        seed=0,
    )
    return await sweep.run(progress=True)


if __name__ == "__main__":
    best = asyncio.run(main()).best
    print(f"The best error is {best.value:.4f}, with {best.params}")
