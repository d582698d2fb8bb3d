"""A space: parameters by name, in the order in which they are suggested, some of them under a condition.

A condition looks back: `when={"opt": "sgd"}` may name earlier parameters only, so one pass in declared order decides what
is active. A parameter is active when every parameter that its condition names is active and has an allowed value.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.domains import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.optuna_distributions import from_optuna
from asyncsweep.space.structs import replace, stored_bytes
from asyncsweep.space.values import plain, same, shown

# Half of what a record of the journal may have.
SIZE_LIMIT_BYTES = 8 * 2**20


class Space:
    """The search space of a sweep.

    Args:
        mapping: Parameter name -> domain, Optuna distribution, or plain value (None, bool, int, float, str, bytes, list
            or dict), which is passed to every trial as it is. May be empty.

    Raises:
        ConfigError: A name, domain, constant or condition is wrong (the message names the parameter), or all of them
            together take more than 8 MiB.
    """

    __slots__ = ("_conditional", "_drawn", "_places", "_template", "_values_at", "domains", "names")

    domains: dict[str, Domain]
    """The domains by name, in declared order; not to be changed."""
    names: tuple[str, ...]
    """The names in declared order, constants included."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        if not isinstance(mapping, Mapping):
            raise ConfigError(
                f"space={shown(mapping)} is of type {type(mapping).__name__}; "
                'give a dict such as {"lr": Float(1e-5, 1e-1, log=True)}'
            )
        domains: dict[str, Domain] = {}
        for given, value in mapping.items():
            name = _parameter_name(given)
            domain = _domain(name, value)
            domains[name] = _with_conditions(name, domain, domains, mapping)
        _check_size("space", domains)
        self.domains = domains
        self.names = tuple(domains)
        self._conditional = any(domain.when is not None for domain in domains.values())
        # `walk` is called for every trial: without conditions it fills a copy of this dict, which has the order of the
        # names and the constants.
        self._template = {
            name: domain.value if isinstance(domain, Constant) else None for name, domain in domains.items()
        }
        self._drawn = tuple((name, domain) for name, domain in domains.items() if not isinstance(domain, Constant))
        self._values_at = tuple((name, domain.unit_map()) for name, domain in self._drawn)
        self._places = {name: place for place, (name, _) in enumerate(self._drawn)}

    @classmethod
    def from_spec(cls, domains: Mapping[str, Domain]) -> Space:
        """The space of a `SweepSpec`, whose domains are all `Domain`s."""
        return cls(domains)

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Domain]], Space], tuple[dict[str, Domain]]]:
        return Space.from_spec, (self.domains,)

    def __len__(self) -> int:
        return len(self.domains)

    def __contains__(self, name: object) -> bool:
        return name in self.domains

    def __eq__(self, other: object) -> bool:
        """Whether the other space has the same parameters in the same order."""
        if not isinstance(other, Space):
            return NotImplemented
        return self.names == other.names and self.domains == other.domains

    def __repr__(self) -> str:
        return f"Space({self.domains!r})"

    def walk(self, draw: Callable[[str, Domain], Any], fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The parameters of one trial, in declared order: each active one by its name.

        Args:
            draw: Called in order with the name and domain of every active parameter that is neither constant nor fixed.
            fixed: Values to take instead of drawing, as `check` returned them; those of inactive parameters and
                constants are passed over.
        """
        if not self._conditional and not fixed:
            params = self._template.copy()
            for name, drawn in self._drawn:
                params[name] = draw(name, drawn)
            return params
        params = {}
        for name, domain in self.domains.items():
            if domain.when is not None and not _holds(domain.when, params):
                continue
            if isinstance(domain, Constant):
                params[name] = domain.value
            elif fixed and name in fixed:
                params[name] = fixed[name]
            else:
                params[name] = draw(name, domain)
        return params

    @property
    def dimensions(self) -> int:
        """How many parameters are no constants."""
        return len(self._drawn)

    def at(self, point: Sequence[float], fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The parameters at a point of the unit cube, as `walk` gives them.

        Args:
            point: For each parameter that is no constant, in declared order, where in [0, 1) it is; further numbers do not count.
            fixed: As for `walk`.
        """
        if not self._conditional and not fixed:
            params = self._template.copy()
            for (name, value_at), u in zip(self._values_at, point, strict=False):
                params[name] = value_at(u)
            return params
        places = self._places
        return self.walk(lambda name, domain: domain.from_unit(point[places[name]]), fixed)

    def is_active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a trial with these parameters has the parameter; a condition on one that is missing does not hold.

        Args:
            name: A parameter of the space.
            params: Values of at least the parameters that it depends on, directly or not; constants may be left out.

        Raises:
            ConfigError: The space has no such parameter.
        """
        domain = self.domains.get(name)
        if domain is None:
            raise ConfigError(_unknown("parameter", name, self.names))
        if domain.when is None:
            return True
        for parent, allowed in domain.when.items():
            above = self.domains[parent]
            value = above.value if isinstance(above, Constant) else params.get(parent, _MISSING)
            if not any(same(value, one) for one in allowed) or not self.is_active(parent, params):
                return False
        return True

    def wanted(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters, all or some, that the user wants tried. An empty space takes any: the objective may ask for them.

        Raises:
            ConfigError: See `check`, or a value that cannot be stored.
        """
        if self.domains or not isinstance(params, Mapping):
            return self.check(params)
        for name in params:
            if not isinstance(name, str) or not name:
                raise ConfigError(f"parameter {shown(name)}: a name is a text that is not empty")
        found = {name: plain(value, f"parameter {name!r}") for name, value in params.items()}
        _check_size("parameters", found)
        return found

    def check(self, params: Mapping[str, Any], *, partial: bool = True) -> dict[str, Any]:
        """The user's parameters, checked, normalised (an int for a `Float` becomes a float) and in declared order.

        Args:
            params: Values by name. A constant may be repeated, not changed.
            partial: Parameters may be missing; a condition on a missing one is taken as open. Otherwise every active
                parameter must be there, and the constants are filled in.

        Raises:
            ConfigError: A name is unknown, a value outside its domain, a parameter inactive or missing.
        """
        if not isinstance(params, Mapping):
            raise ConfigError(f"params={shown(params)} is of type {type(params).__name__}; give a dict by name")
        for name in params:
            if name not in self.domains:
                raise ConfigError(_unknown("parameter", name, self.names))
        known: dict[str, Any] = {}
        closed: dict[str, str] = {}
        for name, domain in self.domains.items():
            reason = None if domain.when is None else _closed(domain.when, known, closed)
            if reason is not None:
                closed[name] = reason
                if name in params:
                    raise ConfigError(f"parameter {name!r}: {shown(params[name])} is given, but {reason}; leave it out")
            elif name in params:
                try:
                    known[name] = domain.normalise(params[name])
                except ConfigError as error:
                    raise ConfigError(f"parameter {name!r}: {error}") from error
            elif isinstance(domain, Constant):
                known[name] = domain.value
            elif not partial:
                raise ConfigError(f"parameter {name!r} is missing; give {domain.expected}")
        return {name: value for name, value in known.items() if not partial or name in params}


_MISSING = object()


def _check_size(what: str, values: Mapping[str, Any]) -> None:
    size = stored_bytes(values)
    if size > SIZE_LIMIT_BYTES:
        raise ConfigError(
            f"{what}: it takes {size} bytes, and at most {SIZE_LIMIT_BYTES} are kept; write long values to files and give "
            "their paths"
        )


def _holds(when: Mapping[str, tuple[Any, ...]], params: Mapping[str, Any]) -> bool:
    for parent, allowed in when.items():
        value = params.get(parent, _MISSING)
        if not any(same(value, one) for one in allowed):
            return False
    return True


def _parameter_name(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"space: the parameter name {shown(name)} is of type {type(name).__name__}; give a str")
    if not name:
        raise ConfigError("space: a parameter name is empty; give it a name")
    return str(plain(name, "space: a parameter name"))


def _domain(name: str, value: object) -> Domain:
    if isinstance(value, type) and value in (Float, Int, Categorical, Constant):
        raise ConfigError(f"parameter {name!r}: {value.__name__} is the class; call it, as in {value.__name__}(...)")
    if isinstance(value, tuple):
        raise ConfigError(
            f"parameter {name!r}: the tuple {shown(value)} may mean several things; give Float(low, high) or "
            "Int(low, high) for a range, Categorical([...]) for choices, a list for a constant"
        )
    domain = value if isinstance(value, Domain) else from_optuna(value) or Constant(value)
    return domain.checked(f"parameter {name!r}")


def _with_conditions(name: str, domain: Domain, earlier: Mapping[str, Domain], mapping: Mapping[str, Any]) -> Domain:
    """The domain, its condition checked against the earlier parameters and normalised as their values are."""
    if domain.when is None:
        return domain
    when = {}
    for parent, allowed in domain.when.items():
        above = earlier.get(parent)
        if above is None:
            if parent == name:
                raise ConfigError(f"parameter {name!r}: when names the parameter itself; name an earlier one")
            if parent in mapping:
                raise ConfigError(f"parameter {name!r}: when names {parent!r}, which comes later; declare it first")
            raise ConfigError(f"parameter {name!r}: {_unknown('when: parameter', parent, earlier)}")
        try:
            when[parent] = tuple(above.normalise(value) for value in allowed)
        except ConfigError as error:
            raise ConfigError(f"parameter {name!r}: when[{parent!r}] can never hold: {error}") from error
    return replace(domain, when=when)


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{what} {shown(name)} is unknown; {hint}there are: {', '.join(map(repr, names)) or 'none'}"


def _closed(when: Mapping[str, tuple[Any, ...]], known: Mapping[str, Any], closed: Mapping[str, str]) -> str | None:
    """Why the condition cannot hold; None when it holds or, with a parameter still to be drawn, may."""
    for parent, allowed in when.items():
        if parent in closed:
            return f"it depends on {parent!r}, and {closed[parent]}"
        if parent in known and not any(same(known[parent], one) for one in allowed):
            accepted = " or ".join(shown(value) for value in allowed)
            return f"it exists only when {parent!r} is {accepted}, not {shown(known[parent])}"
    return None
