"""The checks that a domain makes of its settings, each a `ConfigError` with the value and the mend.

Each message begins with `what`, which names the parameter and the kind of domain: "parameter 'lr': Float".
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Mapping
from numbers import Real
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.values import plain, shown

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


def finite(value: object, what: str, field: str) -> float:
    """The setting as a finite float; NumPy's scalars are taken, a bool is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConfigError(f"{what}: {field}={shown(value)} is of type {type(value).__name__}; give a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ConfigError(f"{what}: {field}={shown(value)} does not fit in a float; give a smaller number") from error
    if not math.isfinite(number):
        raise ConfigError(f"{what}: {field}={number!r} is not finite; give a finite number")
    return number


def whole(value: object, what: str, field: str) -> int:
    """The setting as an int within 64 bits; NumPy's integers are taken, a bool or a float is not."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # caught below
    except TypeError:
        number = None
    if number is None:
        mend = "give an int, or use Float" if isinstance(value, Real) and not isinstance(value, bool) else "give an int"
        raise ConfigError(f"{what}: {field}={shown(value)} is of type {type(value).__name__}; {mend}")
    if not INT64_MIN <= number <= INT64_MAX:
        raise ConfigError(f"{what}: {field}={shown(number)} is beyond 64 bits; stay within {INT64_MIN} and {INT64_MAX}")
    return number


def check_order(what: str, low: float, high: float) -> None:
    """`low` is not above `high`."""
    if low > high:
        raise ConfigError(f"{what}: low={low!r} is greater than high={high!r}; swap them")


def check_log(what: str, log: object) -> None:
    """`log` is a bool."""
    if not isinstance(log, bool):
        raise ConfigError(f"{what}: log={shown(log)} is of type {type(log).__name__}; give True or False")


def is_whole(ratio: float, low: float, high: float, step: float) -> bool:
    """Whether `ratio`, computed as (value - low) / step, is a whole number but for rounding."""
    return abs(ratio - round(ratio)) <= 1e-8 + _rounding(low, high, step)


def _rounding(low: float, high: float, step: float) -> float:
    """How far, in steps, float rounding may carry a point of the range from where it should be."""
    return 8 * sys.float_info.epsilon * (max(abs(low), abs(high)) / step)


def check_float_step(what: str, low: float, high: float, step: float) -> None:
    """`step` is positive, is told apart from float rounding, and divides high - low."""
    if step <= 0.0:
        raise ConfigError(f"{what}: step={step!r} is not positive; give a step above 0 or leave it out")
    if _rounding(low, high, step) > 1e-3:
        raise ConfigError(
            f"{what}: step={step!r} drowns in float rounding between low={low!r} and high={high!r}; leave `step` out"
        )
    ratio = (high - low) / step
    if not is_whole(ratio, low, high, step):
        raise ConfigError(
            f"{what}: step={step!r} does not divide high - low (low={low!r}, high={high!r}); "
            f"the nearest `high` that fits is {_nearest_float_high(low, step, max(1, round(ratio)))}"
        )


def _nearest_float_high(low: float, step: float, steps: int) -> str:
    high = low + steps * step
    for digits in (6, 9, 12, 15):
        text = f"{high:.{digits}g}"
        ratio = (float(text) - low) / step
        if round(ratio) == steps and is_whole(ratio, low, high, step):
            return repr(float(text))
    return repr(high)


def check_int_step(what: str, low: int, high: int, step: int) -> None:
    """`step` is positive and divides high - low."""
    if step <= 0:
        raise ConfigError(f"{what}: step={step} is not positive; give a step of at least 1")
    rest = (high - low) % step
    if rest:
        below, above = high - rest, high - rest + step
        # With only `low` below, the domain would shrink to one value: the next step is what was meant.
        nearest = above if (below == low or above - high < rest) and above <= INT64_MAX else below
        raise ConfigError(
            f"{what}: step={step} does not divide high - low (low={low}, high={high}); "
            f"the nearest `high` that fits is {nearest}"
        )


def conditions(what: str, when: object) -> dict[str, tuple[Any, ...]] | None:
    """`when` as the allowed values by parameter; a single value stands for a tuple of one. None for no condition."""
    if when is None:
        return None
    if not isinstance(when, Mapping):
        raise ConfigError(
            f'{what}: when={shown(when)} is of type {type(when).__name__}; give a dict such as {{"optimizer": "sgd"}}'
        )
    result: dict[str, tuple[Any, ...]] = {}
    for name, allowed in when.items():
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{what}: when has the key {shown(name)}; give the name of an earlier parameter")
        values = plain(allowed, f"{what}: when[{name!r}]")
        if values == []:
            raise ConfigError(f"{what}: when[{name!r}] allows no value; give at least one")
        result[plain(name, f"{what}: when")] = tuple(values) if isinstance(values, list) else (values,)
    return result or None


def refusal(value: object, expected: str) -> str:
    """The message for a value outside its domain."""
    return f"{shown(value)} ({type(value).__name__}) is not accepted; give {expected}"


def check_grid_size(n: object) -> None:
    """`n` is a positive int."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ConfigError(f"grid: n={shown(n)} is not a positive int; give at least 1 point")


def spread(count: int, n: int) -> list[int]:
    """At most `n` indices of `count`, evenly spread, in order; all when they are enough, the middle one for n = 1."""
    if count <= n:
        return list(range(count))
    if n == 1:
        return [(count - 1) // 2]
    return [(2 * index * (count - 1) + n - 1) // (2 * (n - 1)) for index in range(n)]
