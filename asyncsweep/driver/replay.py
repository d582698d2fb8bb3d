"""From a journal's events back to the machine. Effects are discarded: what they asked for is in the events that follow."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence

from asyncsweep.core.effects import Effect
from asyncsweep.core.events import Event
from asyncsweep.core.machine import Machine
from asyncsweep.errors import InvalidTransition, JournalError


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
