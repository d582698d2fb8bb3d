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

# What the plain types of an annotation mean for a value; options of any other type are Optuna's to judge.
_PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "None": (type(None),),
}


class Kind(NamedTuple):
    """One of Optuna's samplers.

    Attributes:
        sampler: The name of the class in `optuna.samplers`.
        packages: What it imports beyond optuna's own requirements.
        one_direction: True when it takes single-objective sweeps only.
        finite: True when every parameter must have finitely many values.
    """

    sampler: str
    packages: tuple[str, ...] = ()
    one_direction: bool = False
    finite: bool = False


KINDS = {
    "tpe": Kind("TPESampler"),
    "cmaes": Kind("CmaEsSampler", ("cmaes",), one_direction=True),
    "gp": Kind("GPSampler", ("torch", "scipy")),
    "nsgaii": Kind("NSGAIISampler"),
    "nsgaiii": Kind("NSGAIIISampler"),
    "qmc": Kind("QMCSampler", ("scipy",)),
    "bruteforce": Kind("BruteForceSampler", finite=True),
    "random": Kind("RandomSampler"),
}


class Recipe(NamedTuple):
    """How to build one of Optuna's samplers.

    Attributes:
        name: What the user calls it; one of `KINDS`.
        options: Keyword arguments of the class.
        path: Where the user wrote it, for errors.
    """

    name: str
    options: Mapping[str, Any]
    path: str = "sampler"

    def ready(self, space: Space, directions: Mapping[str, Direction]) -> Recipe:
        """The recipe, once it is seen that the sampler can work on this sweep.

        Raises:
            ConfigError: A package is missing, an option is unknown or of a wrong type, or the space or the directions do
                not fit.
        """
        kind = KINDS[self.name]
        missing = [package for package in kind.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ConfigError(
                f"{self.path}: {self.name!r} needs {' and '.join(missing)}, which is not installed; "
                f"pip install {' '.join(missing)}"
            )
        self._check_options()
        if kind.one_direction and len(directions) > 1:
            raise ConfigError(
                f"{self.path}: {self.name!r} takes one direction, got {', '.join(directions)}; try 'nsgaii'"
            )
        if kind.finite:
            for name, domain in space.domains.items():
                if domain.cardinality is None:
                    raise ConfigError(
                        f"{self.path}: {self.name!r} needs finitely many values of {name!r}; give it a `step`"
                    )
        return self

    def build(self, seed: int, *, again: bool = False) -> BaseSampler:
        """The sampler, seeded unless its options hold a seed.

        A deprecated option of the user's causes a warning; that an option is experimental is known to who looked it up.

        Args:
            seed: The seed.
            again: It was built before: do not warn a second time.

        Raises:
            ConfigError: The sampler refuses an option's value.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                built = self._built({"seed": seed % _SEEDS, **self.options})
            except Exception as error:  # whatever the constructor does with a value
                raise self._refusal(error) from error
        for warning in () if again else caught:
            if issubclass(warning.category, FutureWarning | DeprecationWarning):
                warnings.warn(f"{self.path}: {self.name!r}: {warning.message}", FutureWarning, stacklevel=2)
        return built

    def _built(self, options: Mapping[str, Any]) -> BaseSampler:
        from optuna import samplers

        if self.name == "tpe":
            from asyncsweep.samplers.optuna_hurry import HurriedTPESampler

            return HurriedTPESampler(**options)
        sampler: BaseSampler = getattr(samplers, KINDS[self.name].sampler)(**options)
        return sampler

    def _check_options(self) -> None:
        from optuna import samplers

        accepted = inspect.signature(getattr(samplers, KINDS[self.name].sampler)).parameters
        for option, value in self.options.items():
            if option not in accepted:
                raise ConfigError(
                    f"{self.path}.{option}: the sampler {self.name!r} has no such option"
                    f"{did_you_mean(option, accepted)}; accepted: {listed(accepted)}"
                )
            expected = str(accepted[option].annotation)
            if not _fits(value, expected):
                raise ConfigError(f"{self.path}.{option}: expected {expected.replace(' | ', ' or ')}, got {value!r}")

    def _refusal(self, error: Exception) -> ConfigError:
        """The error that names the option; all of them where it takes several to be refused."""
        alone = [option for option in self.options if self._refuses(option)]
        cause = str(error) or type(error).__name__
        if len(alone) == 1:
            return ConfigError(f"{self.path}.{alone[0]}: {self.name!r} refuses {self.options[alone[0]]!r}: {cause}")
        return ConfigError(f"{self.path}: {self.name!r} refuses its options {dict(self.options)!r}: {cause}")

    def _refuses(self, option: str) -> bool:
        try:
            self._built({option: self.options[option]})
        except Exception:  # the same that refused it among the others
            return True
        return False


def _fits(value: Any, expected: str) -> bool:
    """Whether the value has one of the types of an annotation, as far as all of these are plain."""
    types = [part.strip() for part in expected.split("|")]
    if any(part not in _PLAIN for part in types):
        return True
    if isinstance(value, bool):
        return "bool" in types
    return isinstance(value, tuple(kind for part in types for kind in _PLAIN[part]))
