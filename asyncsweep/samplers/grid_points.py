"""The points of a grid by number, without listing them.

A point is found by mixed radix: each parameter takes a digit of the number, the first parameter the most significant. Under
conditions the radix of the rest depends on the values before it, so for every place in the space the number of points that
can still follow is counted first: once for each combination of those earlier values that later conditions look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asyncsweep.space import Constant, Space

_INACTIVE = -1

# The digits of the earlier parameters that conditions from here on depend on, in the order of `_Place.watched`.
_Context = tuple[int, ...]


class _Place:
    """One parameter: its values, and which earlier digits matter for it and all after it."""

    __slots__ = ("carried", "counts", "name", "values", "watched")

    def __init__(
        self, name: str, values: Sequence[Any], watched: tuple[str, ...], watched_next: tuple[str, ...]
    ) -> None:
        self.name = name
        self.values = values
        self.watched = watched
        # For each digit of the next place's context: its position in this one's, or -1 for this parameter's own digit.
        self.carried = tuple(-1 if below == name else watched.index(below) for below in watched_next)
        self.counts: dict[_Context, int] = {}

    @property
    def branches(self) -> bool:
        """Whether later conditions look at this parameter."""
        return -1 in self.carried

    def following(self, context: _Context, digit: int) -> _Context:
        return tuple(digit if position == -1 else context[position] for position in self.carried)


class GridPoints:
    """All distinct points of a grid over a space.

    Args:
        space: The space, conditions included.
        values: For every parameter that is not constant, the values it takes.

    Attributes:
        size: The number of points; an empty space has one.
    """

    def __init__(self, space: Space, values: Mapping[str, Sequence[Any]]) -> None:
        self._space = space
        ancestors = _ancestors(space)
        watched: list[tuple[str, ...]] = [()]
        needed: dict[str, None] = {}
        for name in reversed(list(values)):
            # What this parameter's or a later one's condition depends on, as far as it comes before this one.
            needed |= dict.fromkeys(ancestors[name])
            needed.pop(name, None)
            watched.insert(0, tuple(above for above in values if above in needed))
        self._places = [
            _Place(name, values[name], here, below)
            for name, here, below in zip(values, watched, watched[1:], strict=False)
        ]
        self._values = values
        # Where a place's digit leads: the counts of the next place, and after the last one a single point.
        self._below: list[dict[_Context, int]] = []
        self.size = self._count()

    def point(self, number: int) -> dict[str, Any]:
        """The parameters of a point (0 <= number < size), constants included, in the space's order."""
        digits: dict[str, int] = {}
        context: _Context = ()
        for place, counts in zip(self._places, self._below, strict=True):
            digit = _INACTIVE
            if self._active(place, context):
                if place.branches:
                    digit = 0
                    while number >= (block := counts[place.following(context, digit)]):
                        number -= block
                        digit += 1
                else:
                    digit, number = divmod(number, counts[place.following(context, digit)])
                digits[place.name] = digit
            context = place.following(context, digit)
        chosen = {name: self._values[name][digit] for name, digit in digits.items()}
        return self._space.walk(lambda name, domain: chosen[name])

    def _count(self) -> int:
        contexts: dict[_Context, None] = {(): None}
        for place in self._places:
            place.counts = dict.fromkeys(contexts, 0)
            contexts = {place.following(context, d): None for context in contexts for d in self._digits(place, context)}
        end: dict[_Context, int] = {(): 1}
        self._below = [place.counts for place in self._places[1:]] + [end] * bool(self._places)
        for place, below in zip(reversed(self._places), reversed(self._below), strict=True):
            for context in place.counts:
                total = sum(below[place.following(context, digit)] for digit in self._digits(place, context))
                repeats = 1 if place.branches or not self._active(place, context) else len(place.values)
                place.counts[context] = total * repeats
        return self._places[0].counts[()] if self._places else 1

    def _digits(self, place: _Place, context: _Context) -> Sequence[int]:
        """The digits that lead to different contexts."""
        if not self._active(place, context):
            return (_INACTIVE,)
        return range(len(place.values)) if place.branches else (0,)

    def _active(self, place: _Place, context: _Context) -> bool:
        if self._space.domains[place.name].when is None:
            return True
        known = zip(place.watched, context, strict=True)
        return self._space.is_active(
            place.name, {name: self._values[name][digit] for name, digit in known if digit != _INACTIVE}
        )


def _ancestors(space: Space) -> dict[str, tuple[str, ...]]:
    """For each parameter those, constants left out, that decide whether it is active, directly or not."""
    found: dict[str, tuple[str, ...]] = {}
    for name, domain in space.domains.items():
        above = dict.fromkeys(parent for direct in domain.when or () for parent in (*found[direct], direct))
        found[name] = tuple(parent for parent in above if not isinstance(space.domains[parent], Constant))
    return found
