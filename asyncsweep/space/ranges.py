"""Domains of numbers: `Float` and `Int`.

Both ends belong to the range, and no arithmetic leaves it: what rounding pushes over an end is that end.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.checks import (
    check_float_step,
    check_grid_size,
    check_int_step,
    check_log,
    check_order,
    conditions,
    finite,
    is_whole,
    refusal,
    spread,
    whole,
)
from asyncsweep.space.structs import Struct
from asyncsweep.space.values import equal, fingerprint, unwrapped


# msgspec decides by class which fields are keyword-only; these bases hold the positional ones.
class _FloatBounds(Struct, frozen=True):
    low: float
    high: float


class _IntBounds(Struct, frozen=True):
    low: int
    high: int


class Float(_FloatBounds, frozen=True, kw_only=True, tag="float"):
    """Real numbers from `low` to `high`, both included.

    Attributes:
        low: The least value.
        high: The greatest value.
        log: Uniform in the logarithm; `low` must be positive.
        step: Only low, low + step, ..., high. It must divide high - low (up to float rounding) and excludes `log`.
        when: The parameter exists only when each of these earlier parameters has (one of) the given value(s).
    """

    log: bool = False
    step: float | None = None
    when: Mapping[str, Any] | None = None

    __eq__ = equal
    __hash__ = fingerprint

    def checked(self, what: str) -> Float:
        """The domain, its fields normalised.

        Args:
            what: What to call it in the error, such as "parameter 'lr'".

        Raises:
            ConfigError: The bounds, `log`, `step` or `when` make no domain.
        """
        what = f"{what}: Float"
        low, high = finite(self.low, what, "low"), finite(self.high, what, "high")
        step = None if self.step is None else finite(self.step, what, "step")
        check_order(what, low, high)
        check_log(what, self.log)
        if math.isinf(high - low):
            raise ConfigError(f"{what}: high - low overflows for low={low!r}, high={high!r}; narrow the range")
        if self.log and low <= 0.0:
            raise ConfigError(
                f"{what}: log=True needs low > 0, but low={low!r}; raise `low` above 0 or leave out `log`"
            )
        if step is not None:
            if self.log:
                raise ConfigError(f"{what}: log=True and step={step!r} exclude each other; leave one out")
            check_float_step(what, low, high, step)
        return Float(low, high, log=self.log, step=step, when=conditions(what, self.when))

    @property
    def cardinality(self) -> int | None:
        """How many values there are; None for infinitely many."""
        if self.low == self.high:
            return 1
        return None if self.step is None else self._steps(self.step) + 1

    @property
    def single(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        step = "" if self.step is None else f" in steps of {self.step!r}"
        return f"a number from {self.low!r} to {self.high!r}{step}"

    def contains(self, value: object) -> bool:
        """Whether the value is a number in range and on a step (with the tolerance of float rounding). Never a bool."""
        number = value if type(value) is float else unwrapped(value)
        if isinstance(number, bool) or not isinstance(number, Real):
            return False
        if not self.low <= number <= self.high:  # type: ignore[operator]  # typeshed's Real has no order with float
            return False
        return self.step is None or is_whole((float(number) - self.low) / self.step, self.low, self.high, self.step)

    def normalise(self, value: object) -> float:
        """The value as a float.

        Raises:
            ConfigError: The domain does not contain it.
        """
        if not self.contains(value):
            raise ConfigError(refusal(value, self.expected))
        return float(value)  # type: ignore[arg-type]  # contains() saw that it is a Real

    def from_unit(self, u: float) -> float:
        """The value at `u` in [0, 1): `low` at 0, uniform in value, in the logarithm, or over the points."""
        return self.unit_map()(u)

    def unit_map(self) -> Callable[[float], float]:
        """`from_unit` as a function that has worked out what does not depend on `u`: for who draws again and again."""
        low, high, step = self.low, self.high, self.step
        if step is not None:
            steps = self._steps(step)
            return lambda u: self._point(int(u * (steps + 1)), steps, step)
        return _along_logarithm(low, high) if self.log else _along_line(low, high)

    def grid(self, n: int) -> list[float]:
        """At most `n` values spread evenly (in the logarithm with `log`), both ends among them when n > 1."""
        check_grid_size(n)
        if self.single:
            return [self.low]
        if self.step is not None:
            steps = self._steps(self.step)
            return [self._point(index, steps, self.step) for index in spread(steps + 1, n)]
        if n == 1:
            return [self.from_unit(0.5)]
        return [*(self.from_unit(index / (n - 1)) for index in range(n - 1)), self.high]

    def _steps(self, step: float) -> int:
        return round((self.high - self.low) / step)

    def _point(self, index: int, steps: int, step: float) -> float:
        # The last point is `high` itself, whatever rounding makes of low + steps * step.
        return self.high if index >= steps else self.low + index * step


def _along_line(low: float, high: float) -> Callable[[float], float]:
    width = high - low

    def at(u: float) -> float:
        value = low + u * width
        return low if value < low else high if value > high else value

    return at


def _along_logarithm(low: float, high: float) -> Callable[[float], float]:
    start, end = math.log(low), math.log(high)
    span, exp = end - start, math.exp

    def at(u: float) -> float:
        if u == 0.0:
            return low
        exponent = start + u * span
        # Rounding may push the exponent over `end`, where exp could overflow.
        value = exp(exponent) if exponent < end else high
        return low if value < low else high if value > high else value

    return at


class Int(_IntBounds, frozen=True, kw_only=True, tag="int"):
    """Integers from `low` to `high`, both included, within 64 bits.

    Attributes:
        low: The least value.
        high: The greatest value.
        log: Uniform in the logarithm; `low` must be at least 1. See `from_unit` for the rounding.
        step: Only low, low + step, ..., high. It must divide high - low; other than 1 it excludes `log`.
        when: The parameter exists only when each of these earlier parameters has (one of) the given value(s).
    """

    log: bool = False
    step: int = 1
    when: Mapping[str, Any] | None = None

    __eq__ = equal
    __hash__ = fingerprint

    def checked(self, what: str) -> Int:
        """The domain, its fields normalised.

        Args:
            what: What to call it in the error, such as "parameter 'lr'".

        Raises:
            ConfigError: The bounds, `log`, `step` or `when` make no domain.
        """
        what = f"{what}: Int"
        low, high = whole(self.low, what, "low"), whole(self.high, what, "high")
        step = whole(self.step, what, "step")
        check_order(what, low, high)
        check_log(what, self.log)
        if self.log and low < 1:
            raise ConfigError(f"{what}: log=True needs low >= 1, but low={low}; raise `low` to 1 or leave out `log`")
        if self.log and step != 1:
            raise ConfigError(f"{what}: log=True and step={step} exclude each other; leave one out")
        check_int_step(what, low, high, step)
        return Int(low, high, log=self.log, step=step, when=conditions(what, self.when))

    @property
    def cardinality(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    @property
    def single(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        step = "" if self.step == 1 else f" in steps of {self.step}"
        return f"an integer from {self.low} to {self.high}{step}"

    def contains(self, value: object) -> bool:
        """Whether the value is an integer in range and on a step. Neither a bool nor a float such as 3.0 is one."""
        if isinstance(value, bool):
            return False
        try:
            number = operator.index(value)  # type: ignore[arg-type]  # the TypeError is the answer
        except TypeError:
            return False
        return self.low <= number <= self.high and (number - self.low) % self.step == 0

    def normalise(self, value: object) -> int:
        """The value as an int.

        Raises:
            ConfigError: The domain does not contain it.
        """
        if not self.contains(value):
            raise ConfigError(refusal(value, self.expected))
        return operator.index(value)  # type: ignore[arg-type]  # contains() saw that it is an integer

    def from_unit(self, u: float) -> int:
        """The value at `u` in [0, 1): each integer has the same share.

        With `log`, u is uniform in the logarithm of [low - 0.5, high + 0.5] and the result is rounded to the nearest
        integer (the rule of Optuna's random sampler), so that `low` and `high` have their full share.
        """
        return self.unit_map()(u)

    def unit_map(self) -> Callable[[float], int]:
        """`from_unit` as a function that has worked out what does not depend on `u`: for who draws again and again."""
        low, high, step = self.low, self.high, self.step
        if not self.log:
            count = (high - low) // step + 1

            def at(u: float) -> int:
                value = low + int(u * count) * step
                return high if value > high else value

            return at
        start, end = math.log(low - 0.5), math.log(high + 0.5)
        span, exp = end - start, math.exp

        def at_log(u: float) -> int:
            value = round(exp(start + u * span))
            return low if value < low else high if value > high else value

        return at_log

    def grid(self, n: int) -> list[int]:
        """All values when there are at most `n`, else at most `n` spread evenly, both ends among them when n > 1.

        With `log` they are spread in the logarithm; where rounding makes two of them one, there are fewer than `n`.
        """
        check_grid_size(n)
        if not self.log or self.cardinality <= n:
            return [self.low + index * self.step for index in spread(self.cardinality, n)]
        start, end = math.log(self.low), math.log(self.high)
        if n == 1:
            return [round(math.exp((start + end) / 2))]
        inner = (round(math.exp(start + index * (end - start) / (n - 1))) for index in range(1, n - 1))
        return list(dict.fromkeys([self.low, *(min(max(value, self.low), self.high) for value in inner), self.high]))
