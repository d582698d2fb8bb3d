"""Train a linear classifier on the Iris flowers.

    asyncsweep run iris_train.py --alpha "log_uniform(1e-5, 1e-1)" --trials 20 --parallel 2 --pruner median \\
        --preload sklearn.datasets --preload sklearn.linear_model --preload sklearn.model_selection

It is Optuna's example of pruning, as a script. What is preloaded is imported once, for all trials.
"""

import argparse

from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import asyncsweep

parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float, required=True)
args = parser.parse_args()

data, target = load_iris(return_X_y=True)
train_x, valid_x, train_y, valid_y = train_test_split(data, target, test_size=0.25, random_state=0)
classifier = SGDClassifier(alpha=args.alpha, random_state=0)
for step in range(100):
    classifier.partial_fit(train_x, train_y, classes=[0, 1, 2])
    asyncsweep.report(error=1.0 - classifier.score(valid_x, valid_y), step=step)
