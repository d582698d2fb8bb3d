"""Parameters of a space as nevergrad's parameters, and values there and back.

Nevergrad sees the *place* of a value, not the value:

    Float, Int with log          a `Scalar` from 0 to 1, even in the logarithm where `log` is set; what `p.Log` does, with
                                 ends that are met exactly
    Float with a step, Int       an integer `Scalar`: the number of the step
    Categorical                  a `Choice` of the choices' numbers: unordered, so that 1, True and 1.0 stay three choices
    Constant, or one value only  nothing: there is nothing to optimize

Nevergrad knows no conditions: a conditional parameter is always there for it, and left out of a trial where it is inactive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asyncsweep import Categorical, Domain, Float, Int, Space

# Above it, float64 does not hold every whole number, and neighbours make no difference to an optimizer anyway.
_MOST_STEPS = 2**53


class Places:
    """The places of a space's parameters.

    Args:
        space: The space.

    Attributes:
        names: The parameters that nevergrad sees, in the space's order.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._domains: dict[str, Domain] = {
            name: domain
            for name, domain in space.domains.items()
            if isinstance(domain, Float | Int | Categorical) and not domain.single
        }
        self.names = tuple(self._domains)

    def parametrization(self) -> Any:
        """A nevergrad `Dict` with a parameter for each name."""
        import nevergrad

        return nevergrad.p.Dict(**{name: _parameter(domain) for name, domain in self._domains.items()})

    def params(self, places: Mapping[str, Any]) -> dict[str, Any]:
        """The trial's parameters at these places: the active ones, constants included."""
        return self._space.walk(lambda name, domain: _value(domain, places[name]) if name in places else _only(domain))

    def places(self, params: Mapping[str, Any], otherwise: Mapping[str, Any]) -> dict[str, Any]:
        """The places of a trial's parameters; `otherwise` has those of the inactive ones."""
        return {
            name: _place(domain, params[name]) if name in params else otherwise[name]
            for name, domain in self._domains.items()
        }

    def key(self, params: Mapping[str, Any]) -> str:
        """Equal for two trials whose parameters of the space are the same in type and value."""
        return repr([(name, params[name]) for name in self.names if name in params])


def _steps(domain: Float | Int) -> int | None:
    """How many steps there are from low to high; None for a domain that nevergrad sees as a continuous one."""
    if domain.log or domain.step is None:
        return None
    steps = round((domain.high - domain.low) / domain.step)
    return steps if steps <= _MOST_STEPS else None


def _parameter(domain: Domain) -> Any:
    import nevergrad

    if isinstance(domain, Categorical):
        return nevergrad.p.Choice(range(len(domain.choices)))
    assert isinstance(domain, Float | Int)
    steps = _steps(domain)
    if steps is None:
        return nevergrad.p.Scalar(lower=0.0, upper=1.0)
    return nevergrad.p.Scalar(lower=0, upper=steps).set_integer_casting()


def _value(domain: Domain, place: Any) -> Any:
    if isinstance(domain, Categorical):
        return domain.choices[int(place)]
    assert isinstance(domain, Float | Int)
    steps = _steps(domain)
    if steps is None:
        return domain.from_unit(min(max(float(place), 0.0), 1.0))
    assert domain.step is not None
    number = min(max(int(place), 0), steps)
    return domain.high if number == steps else domain.low + number * domain.step


def _place(domain: Domain, value: Any) -> Any:
    if isinstance(domain, Categorical):
        return next(at for at, choice in enumerate(domain.choices) if type(choice) is type(value) and choice == value)
    assert isinstance(domain, Float | Int)
    steps = _steps(domain)
    if steps is not None:
        assert domain.step is not None
        return round((value - domain.low) / domain.step)
    low, high = float(domain.low), float(domain.high)
    if domain.log and isinstance(domain, Int):
        low, high = low - 0.5, high + 0.5  # as `Int.from_unit` does, so that both ends have their full share
    if domain.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _only(domain: Domain) -> Any:
    """The value of a domain that has one."""
    return domain.grid(1)[0]
