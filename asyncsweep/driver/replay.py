"""From a journal's events back to the machine. Effects are discarded: what they asked for is in the events that follow."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread

from asyncsweep.core.effects import Effect
from asyncsweep.core.events import Event
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine
from asyncsweep.errors import InvalidTransition, JournalError
from asyncsweep.journal import journal as journals
from asyncsweep.journal.journal import Journal

# The journal's lock keeps processes apart, and threads only one after another.
_opening = threading.Lock()

log = logging.getLogger("asyncsweep")


class Opening:
    """A journal on its way to be opened, in a thread: a new one is synced, and replaying a long one can take seconds.

    Args:
        open_it: Gives the journal and the machine; called in the thread, one at a time.
    """

    def __init__(self, open_it: Callable[[], tuple[Journal, Machine]]) -> None:
        self._open_it = open_it
        self._handing_over = threading.Lock()
        self._is_wanted = True
        self._opened: tuple[Journal, Machine] | None = None

    async def opened(self) -> tuple[Journal, Machine]:
        """The journal and the machine; when waiting is cancelled the journal is closed again.

        Raises:
            ConfigError: There is no sweep in the directory, or there is one already.
            JournalError: Another process is at work in it, or it is damaged.
        """
        try:
            # A thread of its own: others may have taken all that the loop's limit allows.
            await anyio.to_thread.run_sync(self._open, limiter=anyio.CapacityLimiter(1))
        except BaseException:  # asyncio's own cancellation, for one, which leaves the thread to itself
            with self._handing_over:
                self._is_wanted = False
                if self._opened is not None:
                    _let_go(*self._opened)
            raise
        assert self._opened is not None
        return self._opened

    def _open(self) -> None:
        with _opening:
            journal, machine = self._open_it()
        with self._handing_over:
            if self._is_wanted:
                self._opened = journal, machine
            else:
                _let_go(journal, machine)


def new_one(directory: Path, machine: Machine) -> Opening:
    """The journal of a new sweep."""
    return Opening(lambda: (journals.create(directory), machine))


def earlier_one(directory: Path, watch: Watch | None) -> Opening:
    """The journal of an earlier sweep, and a machine that is where it ends."""
    return Opening(lambda: _resumed(directory, watch))


def _resumed(directory: Path, watch: Watch | None) -> tuple[Journal, Machine]:
    replaying = Replaying(str(directory / journals.NAME), watch)
    journal, _ = journals.resume(directory, take=replaying.take)
    if journal.torn:
        log.warning("%s: %d bytes of a write that never ended were cut off", journal.path, journal.torn)
    return journal, replaying.machine


def _let_go(journal: Journal, machine: Machine) -> None:
    """Nobody waits for it any more; a new one never was."""
    if machine.seq:
        journal.close()
    else:
        journal.discard()


class Replaying:
    """A machine to which the events of a journal are given one by one.

    Attributes:
        machine: The machine.
    """

    def __init__(self, path: str, watch: Watch | None = None) -> None:
        self.machine = Machine() if watch is None else watch.machine
        self._path = path
        self._watch = watch

    def take(self, event: Event) -> list[Effect]:
        """Handle the next event; gives its effects, as the live sweep had them.

        Raises:
            JournalError: It cannot follow those before it.
        """
        machine = self.machine
        try:
            machine.check(event)
        except InvalidTransition as error:
            raise JournalError(
                f"{self._path}: event {event.seq} cannot follow those before it: {error}", path=self._path
            ) from error
        effects = machine.handle(event)
        if self._watch is not None:
            self._watch.see(event, effects)
        return effects


def replay(events: Iterable[Event], path: str) -> Machine:
    """The machine after all events.

    Raises:
        JournalError: An event cannot follow those before it.
    """
    replaying = Replaying(path)
    collecting = gc.isenabled()
    gc.disable()  # everything that is made here stays
    try:
        for event in events:
            replaying.take(event)
    finally:
        if collecting:
            gc.enable()
    return replaying.machine


def steps(machine: Machine, events: Iterable[Event], path: str) -> Iterator[list[Effect]]:
    """The effects of each event in turn, as the live sweep had them.

    Raises:
        JournalError: An event cannot follow those before it.
    """
    replaying = Replaying(path)
    replaying.machine = machine
    yield from map(replaying.take, events)
