"""What `Retry` accepts, and how it keeps it: numbers as they are, exceptions by the names of their classes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from asyncsweep.errors import ConfigError

if TYPE_CHECKING:
    from asyncsweep.core.records import Retry

MOST_TIMES = 1_000_000

_EVERY = Exception.__name__


def check(retry: Retry) -> None:
    """Check a new `Retry`, and keep its values in their own form.

    Raises:
        ConfigError: A value is wrong.
    """
    times: Any = retry.times
    if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= MOST_TIMES:
        raise ConfigError(f"Retry.times={times!r}: it must be a whole number from 0 to {MOST_TIMES:,}")
    msgspec.structs.force_setattr(retry, "on", _names(retry.on))
    msgspec.structs.force_setattr(retry, "backoff_s", _seconds(retry.backoff_s))
    limit: Any = retry.quarantine
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ConfigError(f"Retry.quarantine={limit!r}: it must be a whole number >= 1, or None for no quarantine")
    if retry.interrupted not in ("retry", "fail"):
        raise ConfigError(f"Retry.interrupted={retry.interrupted!r}: expected 'retry' or 'fail'")


def _names(on: Any) -> tuple[str, ...]:
    """The names of exceptions that were given as classes or names, one or several."""
    several = (on,) if isinstance(on, (str, type)) else on
    if not isinstance(several, Iterable):
        raise ConfigError(f"Retry.on={on!r}: expected exceptions, such as (OSError, 'OutOfMemoryError')")
    names = tuple(map(_name, several))
    return () if _EVERY in names else names


def _name(error: Any) -> str:
    if isinstance(error, type) and issubclass(error, Exception):
        return error.__name__
    if isinstance(error, str) and error.strip():
        return error.strip().rpartition(".")[2]
    raise ConfigError(f"Retry.on: {error!r} is no exception: give its class, or the name of one as text")


def _seconds(backoff_s: Any) -> tuple[float, float]:
    pair = (backoff_s, backoff_s) if isinstance(backoff_s, (int, float)) else backoff_s
    try:
        least, most = (float(value) for value in pair)
        fits = 0 <= least <= most and math.isfinite(most) and not any(isinstance(value, bool) for value in pair)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigError(
            f"Retry.backoff_s={backoff_s!r}: expected seconds (least, most) with 0 <= least <= most, such as (1, 30)"
        )
    return least, most
