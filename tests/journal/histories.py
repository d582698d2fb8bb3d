"""What happens to a journal, as a test wants it, and what must be found there afterwards."""

from __future__ import annotations

from pathlib import Path
from random import Random

from asyncsweep.core.events import Enqueued, Event, Kept, Snapshot, SweepOpened
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal as journals
from asyncsweep.journal.compaction import compact
from asyncsweep.journal.writer import Journal
from asyncsweep.testing.events import spec
from asyncsweep.testing.files import MemoryFiles
from tests.journal import small

SWEEP = Path("/new/sweep")


class Writer:
    """A process that writes a sweep's journal, and knows what it was promised.

    Args:
        files: Where it is; what an earlier writer left behind, for one.
        random: Makes events of different lengths.
        before: What the earlier writers wrote, as far as it must be there or may be.

    Attributes:
        journal: Open.
        added: Every event that was added, oldest first; the n-th has the number n.
        committed: The number of the last event that a kill cannot take.
        synced: The number of the last event that a power loss cannot take.
        errors: Why compactions were not done.
    """

    def __init__(self, files: MemoryFiles, random: Random, before: Writer | None = None) -> None:
        self.files = files
        self.errors: list[Exception] = []
        self._random = random
        self.added: list[Event] = [] if before is None else before.added
        self.committed = self.synced = 0
        self.journal, found = opened(files)
        self.added = self.added[: last(found)]
        self.committed = self.synced = len(self.added)

    def add(self) -> None:
        seq = len(self.added) + 1
        word = "x" * self._random.choice([0, 5, 30, 700])
        event = Enqueued({"x": self._random.random(), "word": word}, seq=seq) if seq > 1 else opening()
        self.added.append(event)
        self.journal.add(event)

    def commit(self) -> None:
        n_added = len(self.added)
        self.journal.commit()
        self.committed = n_added

    def sync(self) -> None:
        committed = self.committed
        self.journal.sync()
        self.synced = committed

    async def compact(self) -> None:
        if self.added:
            snapshot = small.snapshot(len(self.added), n_kept=2)
            n_added = len(self.added)
            error = await compact(self.journal, snapshot)
            self.committed = max(self.committed, n_added)
            if error is not None:
                self.errors.append(error)


def opening() -> Event:
    return SweepOpened(spec(), seq=1)


def opened(files: MemoryFiles) -> tuple[Journal, list[Event]]:
    """The journal of a new sweep, or of the one that is there."""
    try:
        return journals.create(SWEEP, files), []
    except ConfigError as error:
        if "holds a sweep already" not in str(error):
            raise
    return journals.resume(SWEEP, files)


def last(found: list[Event]) -> int:
    """The number of the last event that a journal holds or stands for."""
    return found[-1].seq if found else 0


def is_kept(found: list[Event], added: list[Event], at_least: int) -> bool:
    """Whether a journal holds the first events that were added, `at_least` so many, or stands for some and holds the rest."""
    tail = [event for event in found if not isinstance(event, Kept | Snapshot)]
    stands_for = last(found) - len(tail)
    is_whole = stands_for == 0 or isinstance(found[0], Kept | Snapshot)
    return at_least <= last(found) and is_whole and tail == added[stands_for : last(found)]
