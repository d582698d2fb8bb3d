"""The public arguments of a sweep, checked: each complaint names the argument, the value and what is accepted."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from asyncsweep.core.records import Direction, Fsync, Keep, Retry
from asyncsweep.core.retry_rules import MOST_TIMES
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.space.values import shown
from asyncsweep.worker.outcome import METRIC_NAME_LIMIT

FSYNCS = get_args(Fsync)
KEEPS = get_args(Keep)
DIRECTIONS: tuple[Direction, ...] = ("minimize", "maximize")
MOST = 2**62  # what the journal can hold, with room to count on
LONGEST_TEXT = 10_000
MOST_CONCURRENT = 100_000


def count(name: str, value: Any, *, least: int, most: int = MOST, none: str | None = None, others: str = "") -> Any:
    """A whole number from `least` to `most`; None too where `none` tells what that means.

    `others` names, for the error, what else is accepted and was looked for before.
    """
    if value is None and none is not None:
        return None
    try:
        found = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = -1
    if not least <= found <= most:
        limits = f">= {least}" if most == MOST else f"from {least} to {most}"
        raise ConfigError(f"{name}={value!r}: expected {others}a whole number {limits}{_or_none(none)}")
    return found


def retry(value: Any) -> Retry:
    """How a failed attempt is repeated; a number alone says how often."""
    if isinstance(value, Retry):
        return value
    return Retry(count("retries", value, least=0, most=MOST_TIMES, others="a sw.Retry(...), or "))


def one_of(name: str, value: Any, accepted: tuple[str, ...]) -> Any:
    """One of a few words."""
    if not isinstance(value, str) or value not in accepted:
        hint = did_you_mean(value, accepted) if isinstance(value, str) else ""
        raise ConfigError(f"{name}={value!r}: expected {listed(accepted)}{hint}")
    return value


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
        if not isinstance(metric, str) or not metric or not _is_storable(metric):
            raise ConfigError(f"direction: the metric {metric!r} must be named by a text that is not empty")
        if len(metric) > METRIC_NAME_LIMIT:
            raise ConfigError(
                f"direction: the metric {metric[:60]!r}... has a name of {len(metric)} characters; "
                f"at most {METRIC_NAME_LIMIT} are allowed"
            )
        if not isinstance(direction, str) or direction not in DIRECTIONS:
            start = str(direction)[:3].lower()
            hint = {"max": " (did you mean 'maximize'?)", "min": " (did you mean 'minimize'?)"}.get(start, "")
            raise ConfigError(f'direction={direction!r} of {metric!r}: expected "minimize" or "maximize"{hint}')
    return dict(value)


def directory(value: Any) -> Path | None:
    """A path, or None."""
    if value is None:
        return None
    try:
        path = Path(value)
    except TypeError:
        raise ConfigError(f"directory={shown(value)}: expected a path, or None for a sweep in memory") from None
    try:
        whole = path.absolute()
    except OSError as error:
        raise ConfigError(
            f"directory={shown(value)} cannot be found: {error.strerror}; give an absolute path"
        ) from error
    if "\0" in str(path) or not str(value) or not _is_storable(str(whole)):
        raise ConfigError(f"directory={shown(value)}: that is no path")
    return whole


def needs(value: Any) -> dict[str, Any]:
    """What each trial needs: numbers by name, "host" as text, "labels" as a mapping of texts."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f'needs={value!r}: expected a mapping such as {{"gpus": 1}}')
    found: dict[str, Any] = {}
    for name, needed in value.items():
        if not isinstance(name, str) or not name or not _is_storable(name):
            raise ConfigError(f"needs: the resource {name!r} must be named by a text that is not empty")
        if name == "host":
            found[name] = text("needs['host']", needed)
        elif name == "labels":
            if not isinstance(needed, Mapping) or not all(
                isinstance(word, str) for pair in needed.items() for word in pair
            ):
                raise ConfigError(f"needs['labels']={needed!r}: expected texts by name")
            found[name] = dict(needed)
        else:
            amount = _float(needed)
            if amount is None or not math.isfinite(amount) or amount <= 0:
                raise ConfigError(f"needs[{name!r}]={needed!r}: expected a number > 0")
            found[name] = amount
    return found


def hook(name: str, value: Any) -> Any:
    """A plain function, or None."""
    is_async = inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None))  # noqa: B004
    if value is not None and (not callable(value) or is_async):
        raise ConfigError(f"{name}={value!r}: expected a plain function of the SweepRun (no `async def`), or None")
    return value


def sequence(name: str, value: Any) -> tuple[Any, ...]:
    """The items of a list or tuple."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{name}={value!r}: expected a list or tuple")
    return tuple(value)


def text(name: str, value: Any) -> str:
    """A text that can be written down, and read in a list of sweeps."""
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r}: expected a text")
    if len(value) > LONGEST_TEXT:
        raise ConfigError(f"{name}: {len(value)} characters; expected a text of at most {LONGEST_TEXT}")
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


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


def _is_storable(value: str) -> bool:
    return value == value.encode("utf-8", "replace").decode("utf-8")


def _or_none(none: str | None) -> str:
    return "" if none is None else f", or None for {none}"
