"""Nevergrad's optimizers by name."""

from __future__ import annotations

import difflib
import warnings
from typing import Any

from asyncsweep import ConfigError
from asyncsweep_nevergrad.places import Places


def create(name: str, places: Places, budget: int, num_workers: int | None) -> tuple[Any, bool]:
    """An optimizer, and whether it is a sequential one; None in its place where there is nothing to optimize.

    A sequential optimizer has one point open at a time: asked for a second one it would wait for ever.

    Raises:
        ConfigError: There is no such optimizer, a package that it needs is missing, or it refuses the options.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that nevergrad could use and that are not there
        import nevergrad
    registry = nevergrad.optimizers.registry
    if name not in registry:
        by_lower_case = {known.lower(): known for known in registry}
        near = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
        hint = f"; did you mean {by_lower_case[near[0]]!r}?" if near else ""
        raise ConfigError(
            f"sampler.optimizer: nevergrad has no optimizer {name!r}{hint} "
            f"It has {len(registry)}, which sorted(nevergrad.optimizers.registry) lists"
        )
    if not places.names:
        return None, False
    kind = registry[name]
    if num_workers is None:
        num_workers = 1 if kind.no_parallelization else 2
    try:
        made = kind(places.parametrization(), budget=budget, num_workers=num_workers)
    except ImportError as error:
        raise ConfigError(
            f"sampler.optimizer: {name!r} needs the package {error.name!r}, which is not installed"
        ) from error
    except (AssertionError, TypeError, ValueError) as error:
        raise ConfigError(
            f"sampler: nevergrad's {name!r} refuses budget={budget} and num_workers={num_workers}: {error}"
        ) from error
    return made, num_workers == 1
