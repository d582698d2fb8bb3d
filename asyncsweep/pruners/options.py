"""Options of the pruners that ship, checked: a complaint names the option, what is accepted and what was given."""

from __future__ import annotations

import math

from asyncsweep.errors import ConfigError


def check_count(option: str, value: object, least: int) -> None:
    """Refuse anything but a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"pruner.{option}: expected a whole number of at least {least}, got {value!r}")


def check_resource(option: str, value: object) -> None:
    """Refuse anything but "auto" and a whole number of at least 1."""
    if value != "auto" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(f'pruner.{option}: expected "auto" or a whole number of at least 1, got {value!r}')


def check_number(option: str, value: object, least: float, most: float = math.inf) -> None:
    """Refuse anything but a number from `least` to `most`, and NaN."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # type: ignore[operator]  # a number
        limits = ""
        if least > -math.inf:
            limits = f" of at least {least:g}" if most == math.inf else f" from {least:g} to {most:g}"
        raise ConfigError(f"pruner.{option}: expected a number{limits}, got {value!r}")
