"""The settings of a search, checked before its first trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space import Space

# What a search says to its sweep; the rest of a sweep's settings may be in `sweep_options`.
_OWN = (
    "objective",
    "space",
    "direction",
    "sampler",
    "pruner",
    "executor",
    "n_trials",
    "concurrency",
    "timeout",
    "seed",
)


def check_names(estimator: Any, space: Space) -> None:
    """Refuse parameters that the estimator does not have; those of a step that is searched too show only when it is set.

    Raises:
        ConfigError: There is one.
    """
    known = estimator.get_params(deep=True)
    for name in space.names:
        parts = name.split("__")
        parents = {"__".join(parts[:end]) for end in range(1, len(parts))}
        if name not in known and not parents & set(space.names):
            raise ConfigError(
                f"space: the estimator {type(estimator).__name__} has no parameter {name!r}{did_you_mean(name, list(known))}"
            )


def check_choices(error_score: Any, concurrency: Any, sweep_options: Any) -> None:
    """Refuse wrong values.

    Raises:
        ConfigError: There is one.
    """
    if isinstance(error_score, str) and error_score != "raise":
        raise ConfigError(f'error_score={error_score!r}: expected a number or "raise"')
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigError(f"concurrency={concurrency!r}: expected a whole number from 1")
    for name in sweep_options or {}:
        if name in _OWN:
            raise ConfigError(f"sweep_options: {name!r} is set by SweepSearchCV itself")


def scorers_of(estimator: Any, scoring: Any) -> Any:
    """The scorer; or scorers by name, where several are given."""
    if isinstance(scoring, Mapping):
        return {name: check_scoring(estimator, one) for name, one in scoring.items()}
    if isinstance(scoring, list | tuple | set | frozenset):
        return {name: check_scoring(estimator, name) for name in scoring}
    return check_scoring(estimator, scoring)


def metric_of(refit: Any, scorers: Any) -> str:
    """The name of the score to maximise; "" for the only one.

    Raises:
        ConfigError: There are several, and `refit` names none of them.
    """
    if not isinstance(scorers, dict):
        return refit if isinstance(refit, str) else ""
    if isinstance(refit, str):
        if refit not in scorers:
            hint = did_you_mean(refit, list(scorers))
            raise ConfigError(f"refit={refit!r}: there is no such score; there are {', '.join(scorers)}{hint}")
        return refit
    if refit and not callable(refit):
        raise ConfigError(f"refit={refit!r}: with several scores name the one to maximise, one of {', '.join(scorers)}")
    return str(next(iter(scorers)))


def seed_of(random_state: Any) -> int | None:
    """The sweep's seed."""
    if random_state is None:
        return None
    if isinstance(random_state, int | numpy.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def row_of(given: Any, n_rows: int) -> int:
    """What a `refit` function returned.

    Raises:
        ConfigError: It is no row of `cv_results_`.
    """
    if isinstance(given, bool) or not isinstance(given, int | numpy.integer) or not 0 <= given < n_rows:
        raise ConfigError(
            f"refit: the function returned {given!r}; expected the number of a row, from 0 to {n_rows - 1}"
        )
    return int(given)
