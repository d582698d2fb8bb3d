"""The journal of a sweep that never ran: a snapshot of where it would be if it had.

The snapshot is written beside an empty journal, synced, and put in its place by one rename, as a compaction does it. Whatever
stops that in between leaves a journal that never began, which the next sweep in the directory replaces.
"""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.to_thread

from asyncsweep.core.events import SweepOpened
from asyncsweep.core.machine import Machine
from asyncsweep.core.snapshot import freeze
from asyncsweep.errors import ConfigError
from asyncsweep.importing.search import Search
from asyncsweep.journal import journal as journals
from asyncsweep.journal.compaction import compact


def write(search: Search, directory: Path, reason: str) -> None:
    """Make the directory of a sweep that has ended.

    Args:
        search: What is in it.
        directory: A new folder, or one without a sweep.
        reason: Why the sweep ended, in words.

    Raises:
        ConfigError: The directory holds a sweep already or cannot be written, or a trial is too large; nothing is left there.
        JournalError: Another process is at work in it, or the system refuses.
    """
    machine = _ended(search, reason)
    journal = journals.create(directory)
    try:
        journal.seq = machine.seq  # the number that the snapshot stands for
        fault = anyio.run(compact, journal, freeze(machine))
        if fault is not None:
            raise ConfigError(f"directory={str(directory)!r}: its journal cannot be written: {fault}") from fault
        journal.sync()
    except BaseException:
        journal.discard()
        raise
    journal.close()


def _ended(search: Search, reason: str) -> Machine:
    """The machine of the sweep, all of whose trials are final."""
    machine = Machine()
    machine.handle(SweepOpened(search.spec, seq=1, at=time.time()))
    life, course = machine.life, machine.course
    life.history += search.history
    life.enqueued.extend(search.enqueued)
    for trial in search.trials:
        if trial.domains is not None:
            trial.domains = life.shared_domains(trial.domains)
        life.trials.append(trial)
        life.counts[trial.state] += 1
        course.rules.see(trial)
    if life.order.window:
        life.order.settled = len(life.trials)
    course.stop_reason = reason
    course.finish()
    return machine
