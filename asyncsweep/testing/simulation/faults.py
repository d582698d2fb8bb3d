"""What goes wrong in a simulation, and how often."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec

# Not every kind strikes in every world: what one kind alone brings to light, another one may hide.
_SHARE_OF_KINDS = 0.6


class ProcessDied(BaseException):
    """The controller's process has ended just here. It is no `Exception`, so that nothing in between makes an error of it."""


class Found(BaseException):
    """What an observer found to be wrong. It is no `Exception`, so that nothing in between takes it for somebody's fault."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """The chance, from 0 to 1, that a fault strikes at an occasion for it. Each simulation has some of the kinds.

    Attributes:
        lost: A message gets lost. Only where `trial_timeout` ends what waits for it.
        doubled: A message arrives twice.
        reordered: A message overtakes others.
        late: A link stalls for up to a minute.
        worker_dies: A worker dies at a step of an attempt.
        idle_worker_dies: It dies while it has nothing to do.
        start_fails: It dies while it starts.
        launch_fails: An executor cannot start an attempt.
        drains: A worker gives back what it has not begun.
        executor_fails: One of several executors cannot go on.
        objective_raises: An attempt raises.
        objective_hangs: An attempt hangs until `trial_timeout`.
        sampler_raises: The sampler raises when it is asked or told.
        host_dies: The sampler's host dies with a question before it.
        process_dies: The controller's process is killed while it shows, launches, answers or writes, at each such moment.
        process_killed: It is killed at some other time; at each second.
        power_fails: The end of a process is one of the whole machine.
        clock_jumps: The wall clock is set by up to a day, at each second.
        disk_is_slow: A sync takes up to a minute.
        disk_is_full: Nothing can be written for some seconds; at each second.
        most: So many faults at most, of all kinds together; then everyone behaves, and the sweep has to end.
    """

    lost: float = 0.05
    doubled: float = 0.1
    reordered: float = 0.1
    late: float = 0.03
    worker_dies: float = 0.06
    idle_worker_dies: float = 0.3
    start_fails: float = 0.1
    launch_fails: float = 0.05
    drains: float = 0.1
    executor_fails: float = 0.3
    objective_raises: float = 0.2
    objective_hangs: float = 0.1
    sampler_raises: float = 0.03
    host_dies: float = 0.1
    process_dies: float = 0.012
    process_killed: float = 0.03
    power_fails: float = 0.4
    clock_jumps: float = 0.1
    disk_is_slow: float = 0.1
    disk_is_full: float = 0.03
    most: int = 10


NO_FAULTS = Faults(**dict.fromkeys((name for name in Faults.__struct_fields__ if name != "most"), 0.0), most=0)


class Planter:
    """Decides at each occasion whether a fault strikes.

    Attributes:
        planted: How many of each kind struck.
    """

    def __init__(self, faults: Faults, random: Random) -> None:
        self._random = random
        kinds = [name for name in faults.__struct_fields__ if name != "most"]
        self._chances = {kind: getattr(faults, kind) if random.random() < _SHARE_OF_KINDS else 0.0 for kind in kinds}
        self._left = faults.most
        self.planted: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        """True when a fault of this kind happens now."""
        chance = self._chances[kind]
        if not chance or self._left <= 0 or self._random.random() >= chance:
            return False
        self._left -= 1
        self.planted[kind] += 1
        return True
