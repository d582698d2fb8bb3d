"""The sampler `nevergrad`.

It runs in the sampler host (`host = "process"`) and imports nevergrad in `open` and later alone, so that the application never
does. Rules:

- A trial's parameters are what the optimizer answers to `ask`, but for three kinds of trials, which are drawn at random: those
  with fixed parameters, those beyond the one that a sequential optimizer can have open, and parameters that the objective
  asks for while it runs. The optimizer is told of the first two as of points that it did not ask for.
- A resumed sweep lives its life again: an equal optimizer with an equal seed is asked, and answers what it answered then, as
  long as it is told the same in the same order. Where the answers part (trials had run side by side), the rest is told as
  points that it did not ask for, and the optimizer's random numbers begin anew, so that none of its first draws come again.
- Nevergrad minimizes. What is to be maximized changes its sign; a trial without a finite value counts as the worst so far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, ClassVar

from asyncsweep import ConfigError, Domain, FinishedTrial, Space, SpaceExhausted, TrialRef
from asyncsweep_nevergrad.optimizers import create
from asyncsweep_nevergrad.places import Places

_DRAWN = "drawn"


class NevergradSampler:
    """One of nevergrad's optimizers.

    Args:
        optimizer: Its name in `nevergrad.optimizers.registry`, such as "NGOpt", "CMA", "TwoPointsDE" or "PSO".
        budget: How many trials the optimizer plans for: give it the sweep's `n_trials`. Most go on beyond it; those that
            spread a fixed number of points (`LHSSearch`, `ScrHammersleySearch`) end the sweep there.
        num_workers: How many trials run at a time: give it the sweep's `concurrency`. With 1, and with optimizers that can do
            no other, a trial that is asked for while another one is open is drawn at random. None: 1 for those, 2 for all
            others, which do not count them.

    Raises:
        ConfigError: An option has the wrong type or is out of range; `open` raises it for an optimizer that is unknown, lacks a
            package, or refuses the other options.
    """

    host: ClassVar[str] = "process"

    def __init__(self, optimizer: str = "NGOpt", budget: int = 100, num_workers: int | None = None) -> None:
        if not isinstance(optimizer, str):
            raise ConfigError(f"sampler.optimizer: expected the name of an optimizer, got {optimizer!r}")
        for option, value in (("budget", budget), ("num_workers", 1 if num_workers is None else num_workers)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"sampler.{option}: expected a whole number of at least 1, got {value!r}")
        self._name = optimizer
        self._budget = budget
        self._num_workers = num_workers

    def open(self, space: Space, directions: Mapping[str, str], seed: int) -> None:
        """Build the optimizer."""
        self._space = space
        self._seed = seed
        self._signs = {name: -1.0 if direction == "maximize" else 1.0 for name, direction in directions.items()}
        self._places = Places(space)
        self._optimizer, self._is_sequential = create(self._name, self._places, self._budget, self._num_workers)
        self._asked: dict[int, Any] = {}
        self._drawn: set[int] = set()
        self._history: list[tuple[FinishedTrial, bool]] = []
        self._has_begun = False
        self._worst: list[float] = []
        self._unrated: list[Any] = []
        self._spare: Any = None
        if self._optimizer is not None:
            self._reseed(-1)
            self._optimizer.num_objectives = len(directions)

    def ask(self, trial: TrialRef) -> dict[str, Any]:
        """What the optimizer suggests.

        Raises:
            SpaceExhausted: The optimizer has given all points that its `budget` holds.
        """
        if self._optimizer is None:
            return self._space.walk(lambda name, domain: domain.grid(1)[0])
        self._begin(trial.number)
        if trial.fixed or self._must_wait():
            self._drawn.add(trial.number)
            return self._space.walk(lambda name, domain: self._draw(trial.number, name, domain), trial.fixed)
        candidate = self._asked[trial.number] = self._candidate()
        return self._places.params(candidate.value)

    def attrs(self, trial: int) -> dict[str, Any]:
        """Whether the trial was drawn at random, which its later self has to know."""
        return {_DRAWN: True} if trial in self._drawn else {}

    def pending(self, trial: FinishedTrial) -> None:
        """A trial of a resumed sweep still runs."""
        self._history.append((trial, False))

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from a final trial, or keep it until the first `ask` of a resumed sweep."""
        if self._optimizer is None:
            return
        if trial.number >= 0 and not self._has_begun:
            self._history.append((trial, True))
            return
        self._drawn.discard(trial.number)
        self._learn(self._asked.pop(trial.number, None), trial)

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """A random value: the optimizer has to know its parameters before it begins."""
        return self._draw(trial.number, name, domain)

    def _begin(self, number: int) -> None:
        """Live through the history of a resumed sweep again."""
        if self._has_begun:
            return
        self._has_begun = True
        history = sorted(self._history, key=lambda entry: entry[0].number)
        self._history = []
        has_parted = False
        for trial, is_final in history:
            candidate = None
            if not has_parted and not (trial.sampler_attrs or {}).get(_DRAWN):
                if self._must_wait():
                    has_parted = True
                else:
                    candidate = self._candidate()
                    there = self._places.key(self._places.params(candidate.value))
                    has_parted = there != self._places.key(trial.params)
            if has_parted and candidate is not None:
                if self._is_sequential:
                    self._spare = candidate  # it gives no other before it is told of this one
                candidate = None
            if is_final:
                self._learn(candidate, trial)
            elif candidate is not None:
                self._asked[trial.number] = candidate
        if has_parted:
            self._reseed(number)

    def _must_wait(self) -> bool:
        """Whether the optimizer would not answer before it is told of what it suggested last."""
        return self._is_sequential and bool(self._asked or self._unrated)

    def _candidate(self) -> Any:
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        try:
            return self._optimizer.ask()
        except AssertionError as error:
            if self._optimizer.num_ask < self._budget:
                raise
            raise SpaceExhausted(
                f"{self._name} has given its {self._budget} points; give it a larger `budget`"
            ) from error

    def _learn(self, candidate: Any, trial: FinishedTrial) -> None:
        """Tell the optimizer how a trial ended; without a candidate, of a point that it did not ask for."""
        if candidate is None:
            known = self._optimizer.parametrization
            params = {name: value for name, value in trial.params.items() if name in self._space}
            candidate = known.spawn_child(new_value=self._places.places(params, known.value))
        losses = [sign * trial.metrics.get(name, math.nan) for name, sign in self._signs.items()]
        if not all(map(math.isfinite, losses)):
            if not self._worst:
                self._unrated.append(candidate)
                return
            losses = self._worst
        self._worst = list(map(max, losses, self._worst or losses))
        self._tell(candidate, losses, trial)
        while self._unrated:
            self._tell(self._unrated.pop(0), self._worst, None)

    def _tell(self, candidate: Any, losses: list[float], trial: FinishedTrial | None) -> None:
        from nevergrad.common.errors import TellNotAskedNotSupportedError

        constraints = None if trial is None or not trial.constraints else list(trial.constraints.values())
        loss = losses[0] if len(losses) == 1 else losses
        try:
            self._optimizer.tell(candidate, loss, constraints)
        except TellNotAskedNotSupportedError:
            return  # some optimizers learn from their own points alone

    def _draw(self, number: int, name: str, domain: Domain) -> Any:
        return domain.from_unit((_hashed(self._seed, number, name) >> 11) / 2**53)

    def _reseed(self, number: int) -> None:
        self._optimizer.parametrization.random_state.seed(_hashed(self._seed, number, "") % 2**32)


def _hashed(seed: int, number: int, name: str) -> int:
    """64 bits that depend on the arguments alone, so that no draw changes another one."""
    return int.from_bytes(blake2b(f"{seed}/{number}/{name}".encode(), digest_size=8).digest(), "little")
