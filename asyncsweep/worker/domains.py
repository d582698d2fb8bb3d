"""The domains that an objective asks for while it runs, as they travel: dicts of plain values.

Here they are only brought to one form, as Optuna does it: numbers become Python's, and the upper end of a range with a step
becomes the last point of it. Whether a domain makes sense is checked by the executor, for every worker alike.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from asyncsweep.errors import TrialError
from asyncsweep.worker.values import plain, shown

_INT_MIN = -(2**63)
_INT_MAX = 2**63 - 1

_SHOWN = 200

# Stands for a value that is none of the choices; None may be a choice.
NOWHERE = -1


class FloatDistribution(NamedTuple):
    """What `suggest_float` was asked for."""

    low: float
    high: float
    log: bool
    step: float | None

    def single(self) -> bool:
        """True when there is one value only."""
        return self.low == self.high


class IntDistribution(NamedTuple):
    """What `suggest_int` was asked for."""

    low: int
    high: int
    log: bool
    step: int

    def single(self) -> bool:
        """True when there is one value only."""
        return self.low == self.high


class CategoricalDistribution(NamedTuple):
    """What `suggest_categorical` was asked for."""

    choices: tuple[Any, ...]

    def single(self) -> bool:
        """True when there is one choice only."""
        return len(self.choices) == 1


Distribution = FloatDistribution | IntDistribution | CategoricalDistribution


def float_domain(name: str, low: Any, high: Any, step: Any, log: Any) -> dict[str, Any]:
    """The domain of a `suggest_float`.

    Raises:
        TrialError: A bound or the step is no number.
    """
    low, high = _float(low, name, "low"), _float(high, name, "high")
    if step is not None:
        step = _float(step, name, "step")
        # With `log` there is no step: the executor says so, and it would not do to warn of that step first.
        if not log and low < high and 0 < step < math.inf and math.isfinite(high - low):
            high = _last_point(name, low, high, step)
    return {"type": "float", "low": low, "high": high, "step": step, "log": bool(log)}


def int_domain(name: str, low: Any, high: Any, step: Any, log: Any) -> dict[str, Any]:
    """The domain of a `suggest_int`.

    Raises:
        TrialError: A bound or the step is no number, or beyond 64 bits.
    """
    low, high, step = _int(low, name, "low"), _int(high, name, "high"), _int(step, name, "step")
    if not log and low < high and step > 0:
        high = _last_whole_point(name, low, high, step)
    return {"type": "int", "low": low, "high": high, "step": step, "log": bool(log)}


def choice_domain(name: str, choices: Sequence[Any]) -> dict[str, Any]:
    """The domain of a `suggest_categorical`.

    Raises:
        TrialError: A choice cannot be stored.
    """
    stored = []
    for place, choice in enumerate(choices):
        try:
            stored.append(plain(choice))
        except (TypeError, ValueError):
            raise TrialError(
                f"suggest {name!r}: choice {place}, {shown(choice)} ({type(choice).__name__}), cannot be stored: give a name "
                f"for it, and look it up in the objective"
            ) from None
    return {"type": "categorical", "choices": stored}


def distribution_of(domain: dict[str, Any]) -> Distribution:
    """The domain with the attributes of Optuna's class for it."""
    if domain["type"] == "categorical":
        return CategoricalDistribution(tuple(domain["choices"]))
    kind = FloatDistribution if domain["type"] == "float" else IntDistribution
    return kind(domain["low"], domain["high"], domain["log"], domain["step"])


def described(domain: dict[str, Any]) -> str:
    """The domain for a message, as the call that makes it: "Float(0.0, 1.0, log=True)". Long ones are shortened."""
    if domain["type"] == "categorical":
        return f"Categorical({_shortened(repr(domain['choices']))})"
    options = ", log=True" if domain["log"] else ""
    if domain["step"] is not None and (domain["type"], domain["step"]) != ("int", 1):
        options += f", step={domain['step']!r}"
    return f"{domain['type'].capitalize()}({domain['low']!r}, {domain['high']!r}{options})"


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True when two domains agree; 1, True and 1.0 are three choices, and NaN is one."""
    return repr(one) == repr(other)


def has(domain: dict[str, Any], value: Any) -> bool:
    """Whether a value may come from a domain; steps and scales are left to who gave it."""
    if domain["type"] == "categorical":
        return place_of(domain, value) != NOWHERE
    try:
        return bool(domain["low"] <= value <= domain["high"] and (domain["type"] == "float" or value == int(value)))
    except (TypeError, ValueError):
        return False  # no number


def place_of(domain: dict[str, Any], value: Any) -> int:
    """Which of the choices a value is: the same in type and value, else one that is equal; else `NOWHERE`."""
    value = plain(value)
    choices = domain["choices"]
    texts = [repr(choice) for choice in choices]
    if repr(value) in texts:
        return texts.index(repr(value))
    return choices.index(value) if value in choices else NOWHERE


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _float(value: Any, name: str, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TrialError(_no_number(value, name, what, "a number")) from None


def _int(value: Any, name: str, what: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise TrialError(_no_number(value, name, what, "a whole number")) from None
    if not _INT_MIN <= number <= _INT_MAX:
        raise TrialError(f"suggest {name!r}: {what}={number} is beyond 64 bits")
    return number


def _no_number(value: Any, name: str, what: str, wanted: str) -> str:
    return f"suggest {name!r}: {what} must be {wanted}, not {shown(value)} ({type(value).__name__})"


def _last_point(name: str, low: float, high: float, step: float) -> float:
    """The highest of low, low + step, ... that is not above `high`, in decimal arithmetic: 0.1 + 2 * 0.1 is 0.3."""
    from decimal import Decimal  # for the few that give a step

    start, width = Decimal(str(low)), Decimal(str(step))
    points, rest = divmod(Decimal(str(high)) - start, width)
    if not rest:
        return high
    last = float(start + points * width)
    _warn_of_step(name, low, high, step, last)
    return last


def _last_whole_point(name: str, low: int, high: int, step: int) -> int:
    rest = (high - low) % step
    if rest:
        _warn_of_step(name, low, high, step, high - rest)
    return high - rest


def _warn_of_step(name: str, low: float, high: float, step: float, last: float) -> None:
    warnings.warn(
        f"suggest {name!r}: step={step} does not divide the range from {low} to {high}; it ends at {last}", stacklevel=5
    )
