"""A journal on its way into a machine of our own: the state that a viewer of a directory sees, and the updates it is told of.

What a file holds that somebody else made is judged here: an event that cannot be, or with which the machine breaks, is damage.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import anyio.lowlevel

from asyncsweep.core.effects import Update, updates_of
from asyncsweep.core.events import Event
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.driver.updates import Watchers
from asyncsweep.errors import InvalidTransition
from asyncsweep.journal.growing import Growing

# How long the loop belongs to the events of a journal at a time.
SLICE_S = 0.002


class Replayed:
    """A journal and what was read of it.

    Args:
        directory: The sweep's.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: The journal cannot be opened.

    Attributes:
        journal: The journal.
        machine: What its events have made.
        watchers: Those who are told of the updates.
    """

    def __init__(self, directory: Path) -> None:
        self.journal = Growing(directory)
        self.machine = Machine()
        self.watchers = Watchers()

    @property
    def has_begun(self) -> bool:
        """Whether there are settings; before that there is nothing to be seen."""
        return self.machine.phase is not Phase.NEW

    def load(self, is_wanted: Flag) -> None:
        """Take in all that is there, without a word to anybody; for a thread, and until it is not wanted any more.

        Raises:
            JournalError: It is no journal, or of a newer format.
            OSError: It cannot be read.
        """
        collecting = gc.isenabled()
        gc.disable()  # everything that is made here stays
        try:
            offset = -1
            while offset < self.journal.offset and is_wanted.is_set():
                offset = self.journal.offset
                for event in self._events(self.journal.piece()):
                    self._take(event)
                    if not is_wanted.is_set():
                        return
            self.journal.examine()
        finally:
            if collecting:
                gc.enable()

    async def take(self, data: bytes) -> bool:
        """Take in a piece, and tell the watchers; others have the loop in between. Whether there was anything in it.

        Raises:
            JournalError: It is no journal, or of a newer format.
        """
        before = self.journal.offset
        updates: list[Update] = []
        until = time.perf_counter() + SLICE_S
        try:
            for event in self._events(data):
                updates += self._take(event)
                if time.perf_counter() > until:
                    self.watchers.put(updates)
                    updates = []
                    await anyio.lowlevel.checkpoint()
                    until = time.perf_counter() + SLICE_S
        finally:
            if updates:
                self.watchers.put(updates)
        return self.journal.offset > before

    def _events(self, data: bytes) -> Iterator[Event]:
        try:
            yield from self.journal.events(data)
        except (RecursionError, MemoryError, UnicodeError) as error:  # of values that are nested too deep, say
            self.journal.spoil(f"the record at byte {self.journal.offset} cannot be read ({type(error).__name__})")

    def _take(self, event: Event) -> list[Update]:
        machine = self.machine
        try:
            machine.check(event)
            return [update for effect in machine.handle(event) for update in updates_of(effect)]
        except InvalidTransition as error:
            what = str(error).partition("\n")[0]
            self.journal.spoil(f"event {event.seq} cannot follow those before it: {what}")
        except Exception as error:
            self.journal.spoil(f"event {event.seq} ({type(event).__name__}) cannot be taken in: {error!r}")
        return []
