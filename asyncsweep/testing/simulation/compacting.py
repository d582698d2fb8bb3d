"""What `asyncsweep.journal.compaction.compact` does, in virtual time: each of its steps takes a while, and others go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from asyncsweep.core.machine import Machine
from asyncsweep.core.snapshot import freeze
from asyncsweep.journal.compaction import _Copy  # its steps; what calls them needs an event loop
from asyncsweep.journal.writer import Journal
from asyncsweep.testing.simulation.disk import Disk
from asyncsweep.testing.simulation.world import World


class Compacting:
    """One compaction, from now on.

    Args:
        world: The world.
        disk: The disk.
        journal: The journal.
        machine: What the snapshot is of.
        then: Called when it is done, or was given up because the disk refused.

    Raises:
        JournalError: The journal could not be written before anything was begun.
    """

    def __init__(self, world: World, disk: Disk, journal: Journal, machine: Machine, then: Callable[[], None]) -> None:
        self._world = world
        self._disk = disk
        self._journal = journal
        self._then = then
        self._is_over = False
        self._is_replaced = False
        frozen = freeze(machine)
        journal.start_collecting()
        self._copy = copy = _Copy(journal)
        self._soon(lambda: copy.write_snapshot(frozen), self._written)

    def give_up(self) -> None:
        """It is too late, or the disk refuses: the journal stays as it is. A process that died gives nothing up, it is no more."""
        if not self._is_over:
            self._is_over = True
            if self._is_replaced:
                self._copy.close_old()
            else:
                self._copy.abandon()
                self._journal.stop_collecting()

    def end(self) -> None:
        """The process has ended."""
        self._is_over = True

    def _soon(self, step: Callable[[], None], then: Callable[[], None]) -> None:
        self._world.after(self._disk.snapshot_s(), lambda: self._do(step, then))

    def _do(self, step: Callable[[], None], then: Callable[[], None]) -> None:
        if self._is_over:
            return
        try:
            step()
        except OSError:
            self.give_up()
            self._then()
            return
        then()

    def _written(self) -> None:
        collected = self._journal.collected()
        self._soon(lambda: self._copy.append(collected), self._caught_up)

    def _caught_up(self) -> None:
        self._do(lambda: self._copy.replace(self._journal.collected()), self._replaced)

    def _replaced(self) -> None:
        self._is_replaced = True
        self._journal.stop_collecting()
        self._soon(self._copy.close_old, self._done)

    def _done(self) -> None:
        self._is_over = True
        self._then()
