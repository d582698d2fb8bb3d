"""A space beside its objective: the host that imports it has no msgspec."""

import asyncsweep as sw

SPACE = {
    "x": sw.Float(0.0, 1.0),
    "n": sw.Int(1, 8, log=True),
    "opt": sw.Categorical(["sgd", "adam"]),
    "momentum": sw.Float(0.0, 1.0, when={"opt": "sgd"}),
}
NAMES = sw.Space(SPACE).names


def objective(trial):
    trial.set_user_attr("names", NAMES)
    return float(SPACE["x"].contains(trial.params["x"]))
