"""A sweep at the top of a module: made wherever that is imported."""

import asyncsweep as sw


def objective(x):
    return x


SWEEP = sw.Sweep(objective, {"x": sw.Float(0.0, 1.0)}, n_trials=1)
