"""Independent uniform draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.hooks.contracts import FinishedTrial, Host, Params, TrialRef
from asyncsweep.samplers import counter
from asyncsweep.samplers.counter import SCALE
from asyncsweep.space import Domain, Space


class RandomSampler:
    """Draws every parameter uniformly from its domain. It takes no options.

    A draw depends on the sweep's seed, the trial's number and the parameter's place in the space (or, for one that the
    objective asked for while it ran, its name) alone: concurrency, timing, fixed parameters and resuming change nothing.
    """

    host: ClassVar[Host] = "inline"
    by_number: ClassVar[bool] = True

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Get ready to draw from the space."""
        self._space = space
        self._key = counter.key(seed)

    def ask(self, trial: TrialRef) -> Params:
        """One value for every active parameter."""
        words = counter.words(self._key, trial.number, self._space.dimensions)
        return self._space.at([(word >> 11) * SCALE for word in words], trial.fixed)

    def tell(self, trial: FinishedTrial) -> None:
        """Nothing to learn."""

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """A value for a parameter that the objective asked for while it runs."""
        return domain.from_unit(counter.unit(self._key, trial.number, name))
