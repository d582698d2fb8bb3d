"""Domains of plain values: `Categorical` and `Constant`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.checks import check_grid_size, conditions, refusal, spread
from asyncsweep.space.structs import Struct
from asyncsweep.space.values import equal, fingerprint, identity, plain, same, shown


# msgspec decides by class which fields are keyword-only; this base holds the positional one.
class _Choices(Struct, frozen=True):
    choices: tuple[Any, ...]


class Categorical(_Choices, frozen=True, kw_only=True, tag="categorical"):
    """One of several values without an order.

    1, True and 1.0 are three different choices. Tuples inside choices become lists.

    Attributes:
        choices: The values: None, bool, int, float, str, bytes, or lists and dicts (with text keys) of these.
        when: The parameter exists only when each of these earlier parameters has (one of) the given value(s).
    """

    when: Mapping[str, Any] | None = None

    if TYPE_CHECKING:
        # Any sized collection is taken, though what is kept is a tuple.
        def __init__(self, choices: Collection[Any], *, when: Mapping[str, Any] | None = None) -> None: ...

    __eq__ = equal
    __hash__ = fingerprint

    def checked(self, what: str) -> Categorical:
        """The domain, its fields normalised.

        Args:
            what: What to call it in the error, such as "parameter 'lr'".

        Raises:
            ConfigError: There is no choice, one occurs twice or cannot be stored, or `when` is wrong.
        """
        what = f"{what}: Categorical"
        choices = tuple(
            plain(choice, f"{what}: choice {index}") for index, choice in enumerate(_listed(self.choices, what))
        )
        if not choices:
            raise ConfigError(f"{what}: choices={shown(self.choices)} is empty; give at least one value")
        seen: dict[Any, int] = {}
        for index, choice in enumerate(choices):
            first = seen.setdefault(identity(choice), index)
            if first != index:
                raise ConfigError(f"{what}: choices {first} and {index} are both {shown(choice)}; leave one out")
        return Categorical(choices, when=conditions(what, self.when))

    @property
    def cardinality(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    @property
    def single(self) -> bool:
        """Whether there is one choice only."""
        return len(self.choices) == 1

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return f"one of {shown(list(self.choices), 300)}"

    def contains(self, value: object) -> bool:
        """Whether the value is one of the choices, in type and value."""
        return any(same(choice, value) for choice in self.choices)

    def normalise(self, value: object) -> Any:
        """The choice that the value stands for; tuples and NumPy scalars are taken for the plain value.

        Raises:
            ConfigError: It is none of the choices.
        """
        value = plain(value, "value")
        if not self.contains(value):
            raise ConfigError(refusal(value, self.expected))
        return value

    def from_unit(self, u: float) -> Any:
        """The choice at `u` in [0, 1): each has the same share."""
        return self.unit_map()(u)

    def unit_map(self) -> Callable[[float], Any]:
        """`from_unit` as a function that has worked out what does not depend on `u`: for who draws again and again."""
        choices, count = self.choices, len(self.choices)

        def at(u: float) -> Any:
            index = int(u * count)
            return choices[index] if index < count else choices[-1]

        return at

    def grid(self, n: int) -> list[Any]:
        """All choices when there are at most `n`, else `n` of them spread over the list."""
        check_grid_size(n)
        return [self.choices[index] for index in spread(len(self.choices), n)]


def _listed(choices: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(choices, (str, bytes, Mapping, set, frozenset)):
        with suppress(TypeError):  # it is no collection, or (an iterator) has no length and can be read only once
            len(choices)
            return tuple(choices)
    why = ", which has no order" if isinstance(choices, (set, frozenset)) else ""
    raise ConfigError(f"{what}: choices={shown(choices)} is of type {type(choices).__name__}{why}; give a list")


class Constant(Struct, frozen=True, tag="constant"):
    """One fixed value, passed to every trial.

    Attributes:
        value: None, bool, int, float, str, bytes, or lists and dicts (with text keys) of these.
        when: The parameter exists only when each of these earlier parameters has (one of) the given value(s).
    """

    value: Any
    when: Mapping[str, Any] | None = None

    __eq__ = equal
    __hash__ = fingerprint

    def checked(self, what: str) -> Constant:
        """The domain, its fields normalised.

        Args:
            what: What to call it in the error, such as "parameter 'lr'".

        Raises:
            ConfigError: The value cannot be stored, or `when` is wrong.
        """
        what = f"{what}: Constant"
        return Constant(plain(self.value, what), conditions(what, self.when))

    @property
    def cardinality(self) -> int:
        """Always 1."""
        return 1

    @property
    def single(self) -> bool:
        """Always True."""
        return True

    @property
    def expected(self) -> str:
        """What is accepted, in words."""
        return f"the constant {shown(self.value)}"

    def contains(self, value: object) -> bool:
        """Whether the value is the constant, in type and value."""
        return same(self.value, value)

    def normalise(self, value: object) -> Any:
        """The constant.

        Raises:
            ConfigError: The value is another one.
        """
        if not same(self.value, plain(value, "value")):
            raise ConfigError(refusal(value, self.expected))
        return self.value

    def from_unit(self, u: float) -> Any:
        """The constant, whatever `u` is."""
        return self.value

    def grid(self, n: int) -> list[Any]:
        """The constant alone."""
        check_grid_size(n)
        return [self.value]
