"""A name that a plugin offers, and how it becomes an object.

Nothing behind the name is imported before `load`, so that a host application that names a sampler which runs in another
process need not import it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.contracts import Executor, Exporter, Pruner, Sampler
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.hooks.specs import Target

Kind = Literal["sampler", "pruner", "executor", "exporter"]

CONTRACTS: dict[Kind, type] = {"sampler": Sampler, "pruner": Pruner, "executor": Executor, "exporter": Exporter}


class Source(NamedTuple):
    """Whose code it is: the name of the entry point and its distribution ("" as version where none is known)."""

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        owner = f"{self.distribution} {self.version}".strip()
        return owner if self.name == self.distribution else f"{self.name} ({owner})"


@dataclass(frozen=True)
class Offer:
    """One class under one name.

    Attributes:
        kind: What it is.
        name: The name that settings use.
        source: Who offers it.
        target: The class, or "package.module:Class".
    """

    kind: Kind
    name: str
    source: Source
    target: Target

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.source}"

    @property
    def path(self) -> str:
        """Where the class is: "package.module:Class"; known without importing it."""
        target: object = self.target
        if isinstance(target, str):
            return target
        return f"{target.__module__}:{target.__qualname__}" if isinstance(target, type) else repr(target)

    def load(self) -> type:
        """The class.

        Raises:
            PluginError: Its module cannot be imported, or what the plugin offers is not a class.
        """
        found = _import(self, self.target) if isinstance(self.target, str) else self.target
        if not isinstance(found, type):
            raise PluginError(f"{self}: {found!r} is not a class; a name stands for a class or 'package.module:Class'")
        return found

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Hold options against the constructor's signature, without calling it.

        A constructor that takes `**options` decides itself, and so does one whose signature Python cannot tell.

        Raises:
            ConfigError: An option is unknown, or one that is needed is missing.
            PluginError: See `load`.
        """
        _check_options(self, self.load(), options)

    def build(self, options: Mapping[str, Any]) -> Any:
        """An object of the kind's contract.

        Raises:
            ConfigError: See `check_options`, or the constructor refused a value.
            PluginError: See `load`, or the constructor raised, or its object does not keep the contract.
        """
        cls = self.load()
        _check_options(self, cls, options)
        try:
            made = cls(**options)
        except ConfigError:
            raise
        except Exception as error:
            raise PluginError(f"{self} could not be built: {told(error)}") from error
        missing = [name for name in _methods(CONTRACTS[self.kind]) if not callable(getattr(made, name, None))]
        if missing:
            raise PluginError(f"{self} is no {self.kind}: {cls.__name__} lacks {listed(missing)}")
        return made


def told(error: BaseException) -> str:
    """An exception in one line: its type and its message."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _import(offer: Offer, path: str) -> object:
    module, colon, qualified_name = path.partition(":")
    if not (module and colon and qualified_name):
        raise PluginError(f"{offer}: {path!r} is not of the form 'package.module:Class'")
    try:
        found: object = importlib.import_module(module)
        for part in qualified_name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise PluginError(f"{offer}: {path} cannot be imported: {told(error)}") from error
    return found


def _check_options(offer: Offer, cls: type, options: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):  # a class written in C without a signature: its constructor answers
        return
    accepted = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for option in options:
        if not isinstance(option, str):
            raise ConfigError(f"{offer.kind}: the name of an option is a string, got {option!r}")
        if option not in accepted and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            raise ConfigError(
                f"{offer.kind}.{option}: the {offer.kind} {offer.name!r} has no such option"
                f"{did_you_mean(option, accepted)}; accepted: {listed(accepted)}"
            )
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and name not in options:
            raise ConfigError(f"{offer.kind}.{name}: the {offer.kind} {offer.name!r} needs this option")


def _methods(contract: type) -> list[str]:
    entering = ("__aenter__", "__aexit__")
    return [name for name in vars(contract) if name in entering or (name[0] != "_" and callable(vars(contract)[name]))]
