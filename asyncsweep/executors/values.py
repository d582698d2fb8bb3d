"""What an objective hands to the sweep, checked where it calls."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.space import Domain
from asyncsweep.space.values import plain
from asyncsweep.worker.values import check_attr


def domain_of(name: str, domain: dict[str, Any]) -> Domain:
    """The domain of a `suggest_*` call, checked.

    Raises:
        TrialError: It is no domain: bounds the wrong way round, no choices, and the like.
    """
    what = f"suggest {name!r}"
    try:
        found: Domain = msgspec.convert(domain, Domain)
        return found.checked(what)
    except msgspec.ValidationError as error:
        raise TrialError(f"{what}: {error}") from None
    except ConfigError as error:
        raise TrialError(str(error)) from None


def attr_of(key: str, value: Any) -> Any:
    """A user attribute, checked, as a copy that the objective cannot change any more.

    Raises:
        TypeError: The value is not made of None, bool, int, float, str, bytes, lists and dicts with text keys.
        ValueError: It is larger than 1 MiB, nested too deep, or has a text that is no valid Unicode.
    """
    return plain(check_attr(key, value), key)


def own(value: Any) -> Any:
    """The value, its lists and dicts copied at every depth: an objective of this process may change what it is given."""
    kind = type(value)
    if kind is list:
        return [own(item) if type(item) in _CONTAINERS else item for item in value]
    if kind is dict:
        return {key: own(item) if type(item) in _CONTAINERS else item for key, item in value.items()}
    return value


def own_values(values: dict[str, Any]) -> dict[str, Any]:
    """The same dict, where its values are no lists or dicts; else `own`."""
    if _CONTAINERS.isdisjoint(map(type, values.values())):
        return values
    return {key: own(item) for key, item in values.items()}


_CONTAINERS = frozenset((list, dict))
