"""Every point of a grid, once.

Trial k gets point k. A trial with fixed parameters (enqueued by the user) uses no point up, unless it happens to be that
very point; its point is handed out after the last one. So which points are used is known from the trials' numbers and
parameters alone, and resuming needs nothing else. Of a trial that ran when the process died nothing is known until it ends:
its point counts as used until then. No point is ever handed out twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import FinishedTrial, Host, Params, TrialRef
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.samplers import counter
from asyncsweep.samplers.grid_points import GridPoints
from asyncsweep.samplers.permutation import Permutation
from asyncsweep.space import Constant, Domain, Space
from asyncsweep.space.values import same


class GridSampler:
    """Tries the product of all parameters' values, then says that the space is exhausted.

    `Int`, `Categorical` and `Float` with a step take all their values; other `Float`s as many as `points` says, spread
    evenly from end to end (in the logarithm with `log`). Conditional parameters multiply only the points where they are
    active. The first parameter changes slowest.

    Args:
        points: Values for each parameter that has infinitely many; or, by name, for the parameters listed (which thins out
            an `Int`, too).
        shuffle: Go through the grid in an order drawn from the sweep's seed.

    Raises:
        ConfigError: An option is wrong; `open` raises it for a name that the space does not have, and for a parameter with
            infinitely many values that `points` leaves out.
    """

    host: ClassVar[Host] = "inline"

    def __init__(self, points: int | Mapping[str, int] = 10, *, shuffle: bool = False) -> None:
        by_name = points if isinstance(points, Mapping) else {"": points}
        for name, count in by_name.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                where = f"sampler.points[{name!r}]" if name else "sampler.points"
                raise ConfigError(
                    f"{where}: expected a whole number of at least 1, or such numbers by name, got {count!r}"
                )
        if not isinstance(shuffle, bool):
            raise ConfigError(f"sampler.shuffle: expected True or False, got {shuffle!r}")
        self._points = points
        self._shuffle = shuffle

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Count the points."""
        self._space = space
        self._key = counter.key(seed)
        self._values = self._grid_values(space)
        self._grid = GridPoints(space, self._values)
        self._order = Permutation(self._grid.size, seed) if self._shuffle else range(self._grid.size)
        self._next_trial = 0
        self._left: list[int] = []
        self._unknown: dict[int, None] = {}

    def ask(self, trial: TrialRef) -> Params:
        """The trial's point of the grid; with fixed parameters, values of the grid drawn for the others."""
        number = trial.number
        self._advance(number)
        if trial.fixed:
            params = self._space.walk(lambda name, domain: self._drawn(number, name), trial.fixed)
            self._settle(number, params)
            return params
        if number < self._grid.size:
            return self._point(number)
        if self._left:
            return self._point(self._left.pop(0))
        raise SpaceExhausted(f"all {self._grid.size} points of the grid were suggested")

    def tell(self, trial: FinishedTrial) -> None:
        """On resume, see which points are used."""
        if trial.number >= self._next_trial:
            self._advance(trial.number)
            self._settle(trial.number, trial.params)
        elif trial.number in self._unknown:
            del self._unknown[trial.number]
            self._settle(trial.number, trial.params)

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """A grid has no values for parameters outside the space."""
        raise ConfigError(f"sampler: 'grid' cannot suggest {name!r}; it needs every parameter in `space`")

    def _advance(self, number: int) -> None:
        """Go on to a trial; those passed over ran when the process died."""
        for unknown in range(self._next_trial, number):
            self._unknown[unknown] = None
            if unknown >= self._grid.size and self._left:
                self._left.pop(0)
        self._next_trial = max(self._next_trial, number + 1)

    def _settle(self, number: int, params: Params) -> None:
        """See which point the trial with these parameters used."""
        if number < self._grid.size:
            if not self._is_point(number, params):
                self._left.append(number)
            return
        for point in self._left:
            if self._is_point(point, params):
                self._left.remove(point)
                return

    def _is_point(self, number: int, params: Params) -> bool:
        # Parameters outside the space (define-by-run) do not make another point.
        return same(self._point(number), {name: value for name, value in params.items() if name in self._space})

    def _point(self, number: int) -> Params:
        return self._grid.point(self._order[number])

    def _drawn(self, number: int, name: str) -> Any:
        values = self._values[name]
        return values[int(counter.unit(self._key, number, name) * len(values))]

    def _grid_values(self, space: Space) -> dict[str, list[Any]]:
        by_name = self._points if isinstance(self._points, Mapping) else {}
        for name in by_name:
            if name not in space:
                near = did_you_mean(name, space.names)
                raise ConfigError(f"sampler.points: {name!r} is not in the space{near}; it has {listed(space.names)}")
        values: dict[str, list[Any]] = {}
        for name, domain in space.domains.items():
            if isinstance(domain, Constant):
                continue
            count = by_name.get(name) or domain.cardinality or (self._points if isinstance(self._points, int) else 0)
            if not count:
                raise ConfigError(f"sampler.points: {name!r} has infinitely many values; say how many of them to try")
            values[name] = domain.grid(count)
        return values
