"""A sweep's directory as a source: of a sweep that has ended, was interrupted, or runs in another process.

Its journal is read into a machine of our own, first as a whole in a thread, then as it grows; `Publish`ed updates go to the watchers,
as in the process that runs the sweep. Nothing of the sweep is executed, locked or changed.

We look at the file a few times a second, and do not ask the system to tell us (inotify, kqueue). Looking works the same on every
system and on disks that other machines write to; a sweep that is busy writes more often than anybody wants to be told; that a process
has died, and with it its lock, is no change of a file at all; and a look costs less than a tenth of a millisecond.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import anyio

from asyncsweep import logs
from asyncsweep.core.machine import Phase
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver.updates import Watcher
from asyncsweep.errors import AsyncSweepError, ConfigError, JournalError
from asyncsweep.journal import lock
from asyncsweep.journal.files import reason
from asyncsweep.journal.growing import Mark
from asyncsweep.journal.inspection import ending
from asyncsweep.logs import Log
from asyncsweep.steering import runtime
from asyncsweep.viewer.elsewhere import Elsewhere, in_thread
from asyncsweep.viewer.replaying import Replayed
from asyncsweep.viewer.source import Stand

# How long until the next look: while something happens; when nothing has for a while; and where no process has the sweep open.
SOON_S = 0.1
LATER_S = 0.5
RARELY_S = 1.0
_A_WHILE_S = 5.0
# How long a sweep that a process has open may take to write its first event.
_BEGINS_WITHIN_S = 5.0
# A journal that is replaced again and again is read so much less than the whole time.
_REREAD_PAUSES = 10


class _Look(NamedTuple):
    """What a look found.

    Attributes:
        pid: The process that has the sweep open, 0 where it is not known which; None when none has.
        has_control: Whether the sweep says where it can be steered.
        mark: The journal; None when there is none any more.
        is_same: Whether it is the one that was read.
        data: What it has more.
    """

    pid: int | None
    has_control: bool
    mark: Mark | None
    is_same: bool
    data: bytes


class JournalSource:
    """A sweep's directory; see `Source`. Made by `open`; what happens later is seen while `follow` runs."""

    has_logs = True
    is_here = False

    def __init__(self, directory: Path, name: str, replayed: Replayed, pid: int | None) -> None:
        self._directory = directory
        self._replayed = replayed
        self._elsewhere = Elsewhere(directory)
        self._pid = pid
        self._has_control = (directory / runtime.CONTROL).exists()
        self._read: Mark | None = replayed.journal.mark()
        self._reread_at = 0.0
        self.name = name or directory.resolve().name or "sweep"
        self.generation = 0
        self.problem = replayed.journal.damage

    @classmethod
    async def open(cls, directory: str | os.PathLike[str], name: str = "") -> JournalSource:
        """Read the journal in a directory, in a thread. A damaged one is shown up to the damage, of which `problem` tells.

        Args:
            directory: The sweep's.
            name: What it is called; "" for the name of the directory.

        Raises:
            ConfigError: There is no sweep in the directory, or it never began.
            JournalError: The journal cannot be read at all.
        """
        path = _absolute(directory)
        give_up = anyio.current_time() + _BEGINS_WITHIN_S
        while True:
            pid = await in_thread(_holder, path)
            replayed = await _loaded(path)
            if replayed.has_begun:
                return await in_thread(cls, path, name, replayed, pid)
            replayed.journal.close()
            if replayed.journal.damage:
                raise JournalError(replayed.journal.damage, path=str(replayed.journal.path))
            if pid is None or anyio.current_time() > give_up:
                raise ConfigError(f"directory={str(directory)!r}: that sweep never began")
            await anyio.sleep(SOON_S)

    @property
    def is_live(self) -> bool:
        """Whether a process runs the sweep now. Another one may resume it."""
        return self.stand.state not in ("ENDED", "INTERRUPTED")

    @property
    def commands(self) -> Elsewhere | None:
        return self._elsewhere if self._has_control and self.is_live else None

    @property
    def spec(self) -> SweepSpec:
        return self._replayed.machine.spec

    @property
    def trials(self) -> Sequence[TrialRecord]:
        return self._replayed.machine.trials

    @property
    def best(self) -> TrialRecord | None:
        return self._replayed.machine.best

    @property
    def counts(self) -> Mapping[State, int]:
        return self._replayed.machine.life.counts

    @property
    def n_enqueued(self) -> int:
        return len(self._replayed.machine.life.enqueued)

    @property
    def stand(self) -> Stand:
        machine = self._replayed.machine
        finish = ending(machine)
        if finish is not None:
            return Stand("ENDED", finish.reason, "" if finish.error is None else str(finish.error))
        if self._pid is None:
            return Stand("INTERRUPTED")
        if machine.phase is Phase.STOPPING:
            return Stand("STOPPING", machine.course.stop_reason)
        return Stand("PAUSED" if machine.paused else "RUNNING")

    def watch(self, buffered: int) -> Watcher:
        return self._replayed.watchers.add(buffered)

    async def log(self, number: int, attempt: int | None, offset: int, limit_bytes: int) -> Log:
        trials = self._replayed.machine.trials
        if not 0 <= number < len(trials):
            raise ConfigError(f"there is no trial {number!r}; the sweep has {len(trials)}")
        logs.check_offset(offset)
        trial = trials[number]
        if attempt is None:
            attempt = trial.attempt
        elif not 1 <= attempt <= trial.attempt:
            raise ConfigError(f"attempt={attempt}: trial {number} has had {trial.attempt}")
        return await self._elsewhere.log(trial, attempt, offset, limit_bytes, is_live=self.is_live)

    def close(self) -> None:
        """Close the journal; `follow` must have ended."""
        self._replayed.journal.close()

    async def follow(self) -> None:
        """See what happens to the sweep, until cancelled."""
        quiet_since = anyio.current_time()
        while True:
            if await self.look():
                quiet_since = anyio.current_time()
            if anyio.current_time() - quiet_since < _A_WHILE_S:
                pause = SOON_S
            else:
                pause = RARELY_S if self._pid is None else LATER_S
            await anyio.sleep(pause)

    async def look(self) -> bool:
        """Look once, as `follow` does again and again, and take in all that is new; gives whether there was anything."""
        journal = self._replayed.journal
        before = (self._pid, self._has_control, self.problem, self.generation, journal.offset)
        try:
            look = await in_thread(self._looked)
            if look.mark is None:
                self.problem = f"{journal.path} is not there any more: the sweep was deleted or moved"
            elif not look.is_same or journal.damage:
                await self._reread(look.mark, is_same=look.is_same)
            else:
                await self._take(look.data)
        except AsyncSweepError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"{journal.path} cannot be read: {reason(error)}"
        else:
            self._pid, self._has_control = look.pid, look.has_control  # not before its last events are taken in
        return before != (self._pid, self._has_control, self.problem, self.generation, self._replayed.journal.offset)

    def _looked(self) -> _Look:
        """In a thread: a disk that is slow to answer holds nobody up."""
        journal = self._replayed.journal
        pid = _holder(self._directory)  # before the last events are read: it may end meanwhile
        has_control = (self._directory / runtime.CONTROL).exists()
        mark = journal.mark()
        is_same = mark is not None and journal.is_in(mark)
        return _Look(pid, has_control, mark, is_same, journal.piece() if is_same and not journal.damage else b"")

    async def _take(self, data: bytes) -> None:
        journal = self._replayed.journal
        while data and await self._replayed.take(data):
            data = await in_thread(journal.piece)
        if data and not journal.damage:
            await in_thread(journal.examine)
        self.problem = journal.damage

    async def _reread(self, mark: Mark, *, is_same: bool) -> None:
        """Read the journal anew: it was replaced by another one, cut off, or is damaged and was changed since.

        What cannot be read leaves what is shown as it is.
        """
        if mark == self._read or anyio.current_time() < self._reread_at:
            return
        self._read = mark
        began = anyio.current_time()
        try:
            replayed = await _loaded(self._directory)
        finally:
            now = anyio.current_time()
            self._reread_at = now + _REREAD_PAUSES * (now - began)
        damage = replayed.journal.damage
        if not replayed.has_begun or (damage and is_same):
            replayed.journal.close()
            self.problem = damage or f"{replayed.journal.path} was replaced by one of a sweep that has not begun"
            return
        old, self._replayed = self._replayed, replayed
        self.problem = damage
        self.generation += 1
        old.watchers.close()
        old.journal.close()


async def _loaded(directory: Path) -> Replayed:
    """The journal in a directory, taken in as far as it can be.

    Raises:
        ConfigError: There is no sweep.
        JournalError: It cannot be read at all.
        OSError: The same.
    """
    wanted = threading.Event()
    wanted.set()

    def load() -> Replayed:
        replayed = Replayed(directory)
        replayed.load(wanted)
        return replayed

    try:
        return await in_thread(load)
    finally:
        wanted.clear()


def _absolute(directory: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(directory))


def _holder(directory: Path) -> int | None:
    """The process that has a sweep open, 0 where it is not known which; None when none has."""
    try:
        return lock.holder(directory)
    except OSError:  # a symbolic link, or not ours to read: no sweep of ours has it
        return None
