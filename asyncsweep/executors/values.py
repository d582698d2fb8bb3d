"""What an objective hands to the sweep, checked where it calls."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.space import Domain
from asyncsweep.wire.stream import pack


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


def check_attr(key: str, value: Any) -> None:
    """Refuse a user attribute that the journal cannot hold.

    Raises:
        TypeError: The value is not made of None, bool, int, float, str, bytes, lists and dicts.
    """
    try:
        pack((key, value))
    except (TypeError, OverflowError, ValueError) as error:
        raise TypeError(f"set_user_attr({key!r}): the value cannot be stored: {error}") from None
