"""What `asyncsweep.driver.syncing` does, in virtual time: a sync begins when the loop turns, and returns a little later."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from asyncsweep.core.records import Fsync
from asyncsweep.driver.driver import Driver, Due
from asyncsweep.driver.syncing import SYNC_EVERY_S
from asyncsweep.errors import JournalError
from asyncsweep.journal.writer import Journal
from asyncsweep.testing.simulation.compacting import Compacting
from asyncsweep.testing.simulation.disk import Disk
from asyncsweep.testing.simulation.world import World

_COMPACTED = 0.1


class Syncing:
    """Keeps one journal synced, and short.

    Args:
        world: The world.
        random: Draws when the journal is compacted: there is never as much in it as it takes outside.
        disk: The disk.
        journal: The journal.
        driver: The driver.
        fsync: The policy.
        on_synced: Told the last event of each sync that has returned.
    """

    def __init__(
        self,
        world: World,
        random: Random,
        disk: Disk,
        journal: Journal,
        driver: Driver,
        fsync: Fsync,
        on_synced: Callable[[int], None],
    ) -> None:
        self._world = world
        self._random = random
        self._disk = disk
        self._journal = journal
        self._driver = driver
        self._fsync = fsync
        self._on_synced = on_synced
        self._is_dirty = False
        self._is_busy = False
        self._is_over = False
        self._compacting: Compacting | None = None

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
        if self._compacting is not None:
            self._compacting.end()

    def stop(self) -> None:
        """The sweep is over, and the process closes its journal."""
        if self._compacting is not None:
            self._compacting.give_up()
        self.end()

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
            self._after_sync()
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
        self._after_sync()

    def _after_sync(self) -> None:
        if self._random.random() >= _COMPACTED or self._driver.is_over:
            self._rest()
            return
        try:
            parts = (self._world, self._disk, self._journal, self._driver.machine)
            self._compacting = Compacting(*parts, self._rest)
        except JournalError as error:
            self._driver.break_off(error)

    def _rest(self) -> None:
        self._world.after(0.0 if self._fsync == "always" else SYNC_EVERY_S, self._rest_is_over)

    def _rest_is_over(self) -> None:
        self._compacting = None
        if self._is_dirty:
            self._begin()
        else:
            self._is_busy = False
