"""An objective written for Optuna, unmodified: first under Optuna itself, then in two worker processes.

    python examples/optuna_style.py

The objective asks for its parameters while it runs, reports, says what it may not exceed, and raises Optuna's own exception
to end as pruned.
"""

from __future__ import annotations

import asyncio

import optuna

import asyncsweep as sw


def objective(trial):
    kind = trial.suggest_categorical("kind", ["bowl", "valley"])
    x = trial.suggest_float("x", -5.0, 5.0)
    scale = 1.0 if kind == "bowl" else trial.suggest_float("scale", 0.01, 1.0, log=True)
    n_steps = trial.suggest_int("n_steps", 5, 20)
    trial.set_constraint("left of 2", x - 2.0)
    loss = 0.0
    for step in range(n_steps):
        loss = scale * (x - 1.0) ** 2 + 1.0 / (step + 1)
        trial.report(loss, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return loss


def with_optuna() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1), pruner=optuna.pruners.MedianPruner())
    study.optimize(objective, n_trials=30)
    return study


async def with_asyncsweep() -> sw.Result:
    return await sw.Sweep(objective, space={}, sampler="tpe", pruner="median", seed=1, n_trials=30, concurrency=2).run()


if __name__ == "__main__":
    study = with_optuna()
    print(f"Optuna:     {study.best_value:.4f} with {study.best_params}")
    best = asyncio.run(with_asyncsweep()).best
    print(f"asyncsweep: {best.value:.4f} with {best.params}")
