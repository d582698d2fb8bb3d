"""The disk of a simulation: it keeps what a killed process wrote, loses power, is slow, or full for a while."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

from asyncsweep.core.records import Fsync
from asyncsweep.driver.driver import Driver, Due
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
    """What `asyncsweep.driver.syncing` does, in virtual time: a sync begins when the loop turns, and returns a little later.

    Args:
        world: The world.
        disk: The disk.
        journal: The journal.
        driver: The driver.
        fsync: The policy.
        on_synced: Told the last event of each sync that has returned.
    """

    def __init__(
        self,
        world: World,
        disk: Disk,
        journal: Journal,
        driver: Driver,
        fsync: Fsync,
        on_synced: Callable[[int], None],
    ) -> None:
        self._world = world
        self._disk = disk
        self._journal = journal
        self._driver = driver
        self._fsync = fsync
        self._on_synced = on_synced
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
        due = self._driver.due() if self._fsync == "always" else None
        try:
            self._journal.commit()
        except JournalError as error:
            self._driver.break_off(error)
            return
        seq = self._driver.machine.seq
        if self._fsync == "never":
            self._world.after(SYNC_EVERY_S, self._rest_is_over)
        else:
            self._world.after(self._disk.sync_s(), lambda: self._sync(seq, due))

    def _sync(self, seq: int, due: Due | None) -> None:
        if self._is_over:
            return
        try:
            self._journal.sync()
        except JournalError as error:
            self._driver.break_off(error)
            return
        self._on_synced(seq)
        if due is not None:
            self._driver.let_out(due)
        self._world.after(0.0 if self._fsync == "always" else SYNC_EVERY_S, self._rest_is_over)

    def _rest_is_over(self) -> None:
        if self._is_dirty:
            self._begin()
        else:
            self._is_busy = False
