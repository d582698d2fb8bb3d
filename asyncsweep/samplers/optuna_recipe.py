"""An Optuna sampler by name and options, to be built where optuna may be imported: in the sampler host."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_SEEDS = 2**32  # numpy's generators take no greater seed


class Recipe(NamedTuple):
    """How to build one of Optuna's samplers.

    Attributes:
        name: What the user calls it.
        sampler: The name of the class in `optuna.samplers`.
        options: Keyword arguments of the class.
        packages: What it imports beyond optuna's own requirements.
        one_direction: True when it takes single-objective sweeps only.
        finite: True when every parameter must have finitely many values.
    """

    name: str
    sampler: str
    options: Mapping[str, Any]
    packages: tuple[str, ...] = ()
    one_direction: bool = False
    finite: bool = False

    def check(self, space: Space, directions: Mapping[str, Direction]) -> None:
        """See that the sampler can work on this sweep.

        Raises:
            ConfigError: A package is missing, an option is unknown, or the space or the directions do not fit.
        """
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ConfigError(
                f"sampler: {self.name!r} needs {' and '.join(missing)}, which is not installed; "
                f"pip install {' '.join(missing)}"
            )
        accepted = self._accepted()
        for option in self.options:
            if option not in accepted:
                raise ConfigError(
                    f"sampler.{option}: the sampler {self.name!r} has no such option{did_you_mean(option, accepted)}; "
                    f"accepted: {listed(accepted)}"
                )
        if self.one_direction and len(directions) > 1:
            raise ConfigError(f"sampler: {self.name!r} takes one direction, got {', '.join(directions)}; try 'nsgaii'")
        if self.finite:
            for name, domain in space.domains.items():
                if domain.cardinality is None:
                    raise ConfigError(
                        f"sampler: {self.name!r} needs finitely many values of {name!r}; give it a `step`"
                    )

    def build(self, seed: int) -> BaseSampler:
        """The sampler, seeded unless its options hold a seed.

        Raises:
            ConfigError: The sampler refuses an option's value.
        """
        from optuna import samplers
        from optuna.exceptions import ExperimentalWarning

        options = {"seed": seed % _SEEDS, **self.options}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                built: BaseSampler = getattr(samplers, self.sampler)(**options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"sampler: {self.name!r} refuses its options {dict(self.options)!r}: {error}") from error
        return built

    def _accepted(self) -> list[str]:
        from optuna import samplers

        return list(inspect.signature(getattr(samplers, self.sampler)).parameters)
