"""Whether something is a sampler or pruner of Optuna's (optuna is not imported to find out), and studies made in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def is_sampler(thing: object) -> bool:
    """True for an instance of Optuna's `BaseSampler`."""
    return _is_a(thing, "BaseSampler")


def is_pruner(thing: object) -> bool:
    """True for an instance of Optuna's `BasePruner`."""
    return _is_a(thing, "BasePruner")


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna logs every study that is made. While the context is entered it does not; then its log is as it was."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _is_a(thing: object, root: str) -> bool:
    return any(kind.__name__ == root and kind.__module__.startswith("optuna.") for kind in type(thing).__mro__)
