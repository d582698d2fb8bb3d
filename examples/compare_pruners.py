"""Which pruner is worth its while? Hours of training, tried on known learning curves within a second.

    python examples/compare_pruners.py

Where results of an earlier search are at hand, a new sampler, pruner or number of workers need not be tried on the machines:
`asyncsweep.testing.simulate` runs the real sweep on a table of learning curves, in virtual time. Here the curves are made up:
an error that falls in 81 epochs of a minute each, towards a floor that depends on the learning rate and the width.
"""

from __future__ import annotations

import math

import asyncsweep as sw
from asyncsweep.testing import Curve, simulate

EPOCHS = 81
SPACE = {"lr": sw.Float(1e-4, 1.0, log=True), "width": sw.Int(16, 256, log=True)}


def training(params):
    """The error after each epoch: large steps get fast to where small ones get later, and no further."""
    off = math.log10(params["lr"]) + 2.0
    floor = 0.05 + 0.02 * off**2 + 2.0 / params["width"]
    speed = 0.02 * 10 ** (0.4 * off)
    return Curve([floor + 0.9 * math.exp(-speed * (epoch + 1)) for epoch in range(EPOCHS)], step_s=60.0)


def main():
    for pruner in (None, "median", "asha", "hyperband"):
        found = simulate(SPACE, training, sampler="tpe", pruner=pruner, n_trials=60, concurrency=8, seed=0)
        hours, busy = found.duration_s / 3600, found.busy_s / 3600
        print(
            f"{pruner or 'none':9} {hours:5.1f} h, {busy:5.1f} h on 8 workers, best error {found.result.best_value:.3f}"
        )


if __name__ == "__main__":
    main()
