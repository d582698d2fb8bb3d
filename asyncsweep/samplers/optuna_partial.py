"""Optuna's sampler that fixes some parameters and leaves the others to another sampler, by name and options."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.samplers import optunas
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.samplers.optuna_recipe import KINDS, Recipe
from asyncsweep.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_NAME = "partial-fixed"
_OPTIONS = ("fixed_params", "base_sampler")


class PartialFixedRecipe(NamedTuple):
    """How to build Optuna's `PartialFixedSampler`.

    Attributes:
        base: The sampler of the other parameters, or how to build it.
        fixed: The fixed parameters, as the user gave them.
        told: The same as Optuna calls them; known once it is `ready`.
    """

    base: Recipe | BaseSampler
    fixed: Mapping[str, Any]
    told: Mapping[str, Any] = {}

    def ready(self, space: Space, directions: Mapping[str, Direction]) -> PartialFixedRecipe:
        """The recipe, checked; in a space without parameters the fixed ones are the objective's to ask for.

        Raises:
            ConfigError: A fixed parameter is not in the space, its value is not in its domain, or the other sampler refuses.
        """
        base = self.base.ready(space, directions) if isinstance(self.base, Recipe) else self.base
        told = dict(self.fixed)
        if len(space):
            try:
                values = space.check(self.fixed)
            except ConfigError as error:
                raise ConfigError(f"sampler.fixed_params: {error}") from error
            told = {name: OptunaDomain(space.domains[name]).told(value) for name, value in values.items()}
        return self._replace(base=base, told=told)

    def build(self, seed: int, *, again: bool = False) -> BaseSampler:
        """The sampler; see `Recipe.build`."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler

        base = self.base.build(seed, again=again) if isinstance(self.base, Recipe) else self.base
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return PartialFixedSampler(dict(self.told), base)


def partial_fixed(options: Mapping[str, Any]) -> PartialFixedRecipe:
    """The recipe for the options that a user gave.

    Raises:
        ConfigError: An option is unknown or missing, or no sampler of Optuna's.
    """
    for option in options:
        if option not in _OPTIONS:
            raise ConfigError(
                f"sampler.{option}: the sampler {_NAME!r} has no such option{did_you_mean(option, _OPTIONS)}; "
                f"accepted: {listed(_OPTIONS)}"
            )
    fixed = options.get("fixed_params")
    if not isinstance(fixed, Mapping):
        raise ConfigError(f"sampler.fixed_params: expected values by the names of parameters, got {fixed!r}")
    return PartialFixedRecipe(_base(options.get("base_sampler")), fixed)


def _base(given: Any) -> Recipe | BaseSampler:
    if optunas.is_sampler(given):
        sampler: BaseSampler = given
        return sampler
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(
            f"sampler.base_sampler: expected a name, a mapping with a name, or an Optuna sampler, got {given!r}; "
            f"names: {listed(KINDS)}"
        )
    if name not in KINDS:
        raise ConfigError(
            f"sampler.base_sampler: Optuna has no sampler {name!r}{did_you_mean(name, KINDS)}; names: {listed(KINDS)}"
        )
    return Recipe(name, options, "sampler.base_sampler")
