"""From a journal's events back to the machine. Effects are discarded: what they asked for is in the events that follow."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from asyncsweep.core.effects import Effect
from asyncsweep.core.events import Event, Kept, Snapshot
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine
from asyncsweep.errors import InvalidTransition, JournalError
from asyncsweep.journal import journal as journals
from asyncsweep.journal.journal import Journal

# The journal's lock keeps processes apart, and threads only one after another.
_opening = threading.Lock()

log = logging.getLogger("asyncsweep")


class Reopening:
    """The journal of an earlier sweep on its way to be opened, in a thread: reading and replaying can take seconds."""

    def __init__(self, directory: Path, watch: Watch | None) -> None:
        self._directory = directory
        self._watch = watch
        self._handing_over = threading.Lock()
        self._is_wanted = True
        self._opened: tuple[Journal, Machine] | None = None

    async def opened(self) -> tuple[Journal, Machine]:
        """The journal and the machine; when waiting is cancelled the journal is closed again.

        Raises:
            ConfigError: There is no sweep in the directory.
            JournalError: Another process is at work in it, or it is damaged.
        """
        try:
            # A thread of its own: others may have taken all that the loop's limit allows.
            await anyio.to_thread.run_sync(self._open, limiter=anyio.CapacityLimiter(1))
        except BaseException:  # asyncio's own cancellation, for one, which leaves the thread to itself
            with self._handing_over:
                self._is_wanted = False
                if self._opened is not None:
                    self._opened[0].close()
            raise
        assert self._opened is not None
        return self._opened

    def _open(self) -> None:
        with _opening:
            journal, events = journals.resume(self._directory)
        try:
            if journal.torn:
                log.warning("%s: %d bytes of a write that never ended were cut off", journal.path, journal.torn)
            machine = self._replay(events, str(journal.path))
        except BaseException:
            journal.close()
            raise
        with self._handing_over:
            if self._is_wanted:
                self._opened = journal, machine
            else:
                journal.close()

    def _replay(self, events: Sequence[Event], path: str) -> Machine:
        if self._watch is None or (events and isinstance(events[0], Kept | Snapshot)):
            return replay(events, path)
        for event, effects in zip(events, steps(self._watch.machine, events, path), strict=True):
            self._watch.see(event, effects)
        return self._watch.machine


def replay(events: Sequence[Event], path: str) -> Machine:
    """The machine after all events.

    Raises:
        JournalError: An event cannot follow those before it.
    """
    machine = Machine()
    collecting = gc.isenabled()
    gc.disable()  # everything that is made here stays
    try:
        for _ in steps(machine, events, path):
            pass
    finally:
        if collecting:
            gc.enable()
    return machine


def steps(machine: Machine, events: Iterable[Event], path: str) -> Iterable[list[Effect]]:
    """The effects of each event in turn, as the live sweep had them.

    Raises:
        JournalError: An event cannot follow those before it.
    """
    for event in events:
        try:
            machine.check(event)
        except InvalidTransition as error:
            raise JournalError(
                f"{path}: event {event.seq} cannot follow those before it: {error}", path=path
            ) from error
        yield machine.handle(event)
