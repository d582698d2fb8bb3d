"""Points with several coordinates, each the less the better: which of them are best, and how much they dominate.

The hypervolume is exact. Two and three coordinates are swept: points come in order of one coordinate, and a staircase holds
those that count in the others (Fonseca, Paquete and Lopez-Ibanez 2006, "An improved dimension-sweep algorithm for the
hypervolume indicator"). With more, points come in order of the last coordinate and each adds what it dominates alone, which
is a hypervolume with one coordinate less (While, Bradstreet and Barone 2012, "A fast way of calculating exact hypervolumes").
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence

Point = tuple[float, ...]


class _Staircase:
    """Points of a plane, none of them below another in both coordinates: x rises, y falls.

    Args:
        corner: The upper right end of the area that is measured.
    """

    def __init__(self, corner: tuple[float, float] = (math.inf, math.inf)) -> None:
        self._right, self._top = corner
        self._x: list[float] = []
        self._y: list[float] = []

    def covers(self, x: float, y: float) -> bool:
        """Whether a point of the staircase is at or below (x, y) in both coordinates."""
        place = bisect_right(self._x, x)
        return place > 0 and self._y[place - 1] <= y

    def add(self, x: float, y: float) -> float:
        """Take a point in that is not covered, and drop those that it covers; gives the area that is newly covered."""
        first = last = bisect_left(self._x, x)
        top = self._y[first - 1] if first else self._top
        left, area = x, 0.0
        while last < len(self._x) and self._y[last] >= y:
            area += (self._x[last] - left) * (top - y)
            left, top = self._x[last], self._y[last]
            last += 1
        area += ((self._x[last] if last < len(self._x) else self._right) - left) * (top - y)
        self._x[first:last], self._y[first:last] = [x], [y]
        return area


def front(points: Collection[Point]) -> set[Point]:
    """The points that no other is at or below in every coordinate. All have as many coordinates, and no NaN.

    O(n log n) for up to three coordinates, then O(n times the size of the front).
    """
    kept: list[Point] = []
    stairs = _Staircase()
    # In lexicographic order a point can only be dominated by one before it, and the first coordinate needs no look.
    for point in sorted(set(points)):
        if len(point) <= 3:
            y, x = ((*point, 0.0, 0.0) if len(point) == 1 else (*point, 0.0))[1:3]
            if not stairs.covers(x, y):
                stairs.add(x, y)
                kept.append(point)
        elif not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in kept):
            kept.append(point)
    return set(kept)


def hypervolume(points: Collection[Point], reference: Point) -> float:
    """The volume that the points dominate up to the reference point; a point that is not below it everywhere adds nothing.

    Infinite when a point that adds something, or the reference, is infinitely far away. O(n log n) for up to three
    coordinates; each further one may cost a factor n.
    """
    inside = [point for point in set(points) if all(a < b for a, b in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if not all(map(math.isfinite, (*reference, *(value for point in inside for value in point)))):
        return math.inf
    found = _volume(inside, reference)
    return found if math.isfinite(found) else math.inf  # the difference of two volumes beyond all floats is NaN


def _volume(points: Sequence[Point], reference: Point) -> float:
    """The same for finite points below the reference."""
    if len(reference) == 1:
        return reference[0] - min(points)[0]
    if len(reference) == 2:
        return _swept([(*point, 0.0) for point in points], (*reference, 1.0))
    if len(reference) == 3:
        return _swept(points, reference)
    total = 0.0
    above: list[Point] = []  # the other coordinates of the points so far, which are all below in the last one
    for point in sorted(points, key=lambda point: point[-1]):
        *others, last = point
        head, limit = tuple(others), reference[:-1]
        if any(all(a <= b for a, b in zip(other, head, strict=True)) for other in above):
            continue
        own = math.prod(b - a for a, b in zip(head, limit, strict=True))
        shared = front([tuple(map(max, head, other)) for other in above])
        total += (reference[-1] - last) * (own - (_volume(list(shared), limit) if shared else 0.0))
        above.append(head)
    return total


def _swept(points: Sequence[Point], reference: Point) -> float:
    """Three coordinates: slices between one point's last coordinate and the next one's."""
    right, top, end = reference
    stairs = _Staircase((right, top))
    volume = area = 0.0
    level = 0.0
    for x, y, z in sorted(points, key=lambda point: (point[2], point[0])):
        if not stairs.covers(x, y):
            volume += area * (z - level)
            level = z
            area += stairs.add(x, y)
    return volume + area * (end - level)
