"""Whether something is a sampler or pruner of Optuna's; optuna is not imported to find out."""

from __future__ import annotations


def is_sampler(thing: object) -> bool:
    """True for an instance of Optuna's `BaseSampler`."""
    return _is_a(thing, "BaseSampler")


def is_pruner(thing: object) -> bool:
    """True for an instance of Optuna's `BasePruner`."""
    return _is_a(thing, "BasePruner")


def _is_a(thing: object, root: str) -> bool:
    return any(kind.__name__ == root and kind.__module__.startswith("optuna.") for kind in type(thing).__mro__)
