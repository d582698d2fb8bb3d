"""The disk of a simulation: it keeps what a killed process wrote, loses power, is slow, or full for a while."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

from asyncsweep.testing.files import Fault, MemoryFiles, Operation
from asyncsweep.testing.simulation.faults import Planter, ProcessDied
from asyncsweep.testing.simulation.world import World

DIRECTORY = Path("/sweep")
_SYNC_S = 0.1
_SNAPSHOT_S = 3.0
_SLOW_S = 60.0
_FULL_S = 20.0


class Disk:
    """One disk, over all processes of a sweep.

    Attributes:
        files: What the current process sees.
    """

    def __init__(self, world: World, random: Random, planter: Planter) -> None:
        self._world = world
        self._random = random
        self._planter = planter
        self.files = MemoryFiles()
        self._watch()

    def process_died(self) -> None:
        """A process was killed: what it wrote is there."""
        self._replace(self.files.kill())

    def power_failed(self) -> None:
        """The machine was off: what was not synced may be there, in part or not at all."""
        self._replace(self.files.crash(self._random))

    def sync_s(self) -> float:
        """How long the next sync takes."""
        slow = self._planter.strikes("disk_is_slow")
        return self._random.random() * (_SLOW_S if slow else _SYNC_S)

    def snapshot_s(self) -> float:
        """How long writing a snapshot takes."""
        return self._random.random() * _SNAPSHOT_S

    def fill(self) -> None:
        """For a while nothing can be written."""
        self.files.fault = Fault(
            len(self.files.operations), errno.ENOSPC, lasts=True, is_short=self._random.random() < 0.5
        )
        self._world.after(self._random.random() * _FULL_S, self._empty)

    def _empty(self) -> None:
        self.files.fault = None

    def _replace(self, files: MemoryFiles) -> None:
        """From now on there are these files; what still holds the former ones touches nothing any more."""
        self.files.on_step = None
        self.files = files
        self._watch()

    def _watch(self) -> None:
        self.files.on_step = self._step

    def _step(self, operation: Operation) -> None:
        if self._planter.strikes("process_dies"):
            raise ProcessDied(f"at {operation.kind}")
