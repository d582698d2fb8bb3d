"""Messages on their way: each arrives after a while, in order, unless a fault strikes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from asyncsweep.testing.simulation.faults import Planter
from asyncsweep.testing.simulation.world import World

_DELAY_S = 0.02
_STALL_S = 60.0


class Link:
    """One direction between the controller and a worker.

    Args:
        world: The world.
        random: Draws the delays.
        planter: Plants faults.
        is_lossy: Whether messages may get lost.
    """

    def __init__(self, world: World, random: Random, planter: Planter, is_lossy: bool) -> None:
        self._world = world
        self._random = random
        self._planter = planter
        self._is_lossy = is_lossy
        self._clear_at = 0.0

    def send(self, deliver: Callable[[], None], *, must_arrive: bool = False) -> None:
        """Have a message arrive, or not; it may arrive twice. One that must arrive does, however late."""
        strikes = self._planter.strikes
        if self._is_lossy and not must_arrive and strikes("lost"):
            return
        arrival = self._world.now + self._random.random() * _DELAY_S
        if strikes("reordered"):
            arrival += self._random.random()
        else:
            if strikes("late"):
                arrival += self._random.random() * _STALL_S
            arrival = self._clear_at = max(arrival, self._clear_at)
        self._world.at(arrival, deliver)
        if strikes("doubled"):
            self._world.at(arrival + self._random.random() * 5.0, deliver)
