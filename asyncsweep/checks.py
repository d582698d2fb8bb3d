"""The public arguments of a sweep, checked: each complaint names the argument, the value and what is accepted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError

DIRECTIONS: tuple[Direction, ...] = ("minimize", "maximize")


def count(name: str, value: Any, *, least: int, none: str | None = None) -> Any:
    """A whole number >= `least`; None too where `none` tells what that means."""
    if value is None and none is not None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ConfigError(f"{name}={value!r}: expected a whole number >= {least}{_or_none(none)}")
    return value.__index__()


def seconds(name: str, value: Any, *, none: str | None = None, zero: bool = False) -> Any:
    """A finite number of seconds > 0 (>= 0 with `zero`); None too where `none` tells what that means."""
    if value is None and none is not None:
        return None
    number = _float(value)
    if number is None or not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise ConfigError(f"{name}={value!r}: expected seconds, {'>= 0' if zero else '> 0'}{_or_none(none)}")
    return number


def number(name: str, value: Any, *, none: str) -> Any:
    """A number but NaN, or None."""
    if value is None:
        return None
    found = _float(value)
    if found is None or math.isnan(found):
        raise ConfigError(f"{name}={value!r}: expected a number{_or_none(none)}")
    return found


def directions(value: Any) -> dict[str, Direction]:
    """Metric name to direction; a text alone is the direction of the metric "value"."""
    if isinstance(value, str):
        value = {"value": value}
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(
            f'direction={value!r}: expected "minimize", "maximize", or a mapping such as {{"loss": "minimize"}}'
        )
    for metric, direction in value.items():
        if not isinstance(metric, str) or not metric:
            raise ConfigError(f"direction: the metric {metric!r} must be named by a text that is not empty")
        if direction not in DIRECTIONS:
            hint = {"max": " (did you mean 'maximize'?)", "min": " (did you mean 'minimize'?)"}.get(
                str(direction)[:3], ""
            )
            raise ConfigError(f'direction={direction!r} of {metric!r}: expected "minimize" or "maximize"{hint}')
    return dict(value)


def directory(value: Any) -> Path | None:
    """A path, or None."""
    if value is None:
        return None
    try:
        path = Path(value)
    except TypeError:
        raise ConfigError(f"directory={value!r}: expected a path, or None for a sweep in memory") from None
    if "\0" in str(path) or not str(value):
        raise ConfigError(f"directory={value!r}: that is no path")
    return path.absolute()


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}: expected True or False")
    return value


def _float(value: Any) -> float | None:
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _or_none(none: str | None) -> str:
    return "" if none is None else f", or None for {none}"
