"""The disk of a simulation: it keeps what a killed process wrote, loses power, is slow, or full for a while."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

from asyncsweep.driver.syncing import SYNC_EVERY_S
from asyncsweep.errors import JournalError
from asyncsweep.journal.journal import Journal
from asyncsweep.testing.files import Fault, MemoryFiles, Operation
from asyncsweep.testing.simulation.faults import Planter, ProcessDied
from asyncsweep.testing.simulation.world import World

DIRECTORY = Path("/sweep")
_SYNC_S = 0.01
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
        self.files = self.files.kill()
        self._watch()

    def power_failed(self) -> None:
        """The machine was off: what was not synced may be there, in part or not at all."""
        self.files = self.files.crash(self._random)
        self._watch()

    def sync_s(self) -> float:
        """How long the next sync takes."""
        slow = self._planter.strikes("disk_is_slow")
        return self._random.random() * (_SLOW_S if slow else _SYNC_S)

    def fill(self) -> None:
        """For a while nothing can be written."""
        self.files.fault = Fault(
            len(self.files.operations), errno.ENOSPC, lasts=True, is_short=self._random.random() < 0.5
        )
        self._world.after(self._random.random() * _FULL_S, self._empty)

    def _empty(self) -> None:
        self.files.fault = None

    def _watch(self) -> None:
        self.files.on_step = self._step

    def _step(self, operation: Operation) -> None:
        if self._planter.strikes("process_dies"):
            raise ProcessDied(f"at {operation.kind}")


class Syncing:
    """What `Driver.sync` does: commits when the loop turns, and has what was committed survive a power loss a little later.

    Args:
        world: The world.
        disk: The disk.
        journal: The journal.
        written: Gives the last event that was handled.
        on_synced: Told the last event of each sync that has returned.
        on_fault: Told what went wrong.
    """

    def __init__(
        self,
        world: World,
        disk: Disk,
        journal: Journal,
        written: Callable[[], int],
        on_synced: Callable[[int], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._world = world
        self._disk = disk
        self._journal = journal
        self._written = written
        self._on_synced = on_synced
        self._on_fault = on_fault
        self._is_dirty = False
        self._is_busy = False
        self._is_over = False

    def dirty(self) -> None:
        """Something was handled."""
        if not self._is_dirty:
            self._is_dirty = True
            if not self._is_busy:
                self._is_busy = True
                self._world.after(0.0, self._begin)

    def end(self) -> None:
        """The process has ended."""
        self._is_over = True

    def _begin(self) -> None:
        if self._is_over:
            return
        self._is_dirty = False
        try:
            self._journal.commit()
        except JournalError as error:
            self._on_fault(error)
            return
        seq = self._written()
        self._world.after(self._disk.sync_s(), lambda: self._sync(seq))

    def _sync(self, seq: int) -> None:
        if self._is_over:
            return
        try:
            self._journal.sync()
        except JournalError as error:
            self._on_fault(error)
            return
        self._on_synced(seq)
        self._world.after(SYNC_EVERY_S, self._rest_is_over)

    def _rest_is_over(self) -> None:
        if self._is_dirty:
            self._begin()
        else:
            self._is_busy = False
