"""What a journal holds, looked at without changing it and without its lock: also while a sweep writes it.

A `Reading` gives the events from the header on, one by one, as long as each can follow those before it. It ends at the end of
the file, at a torn tail (writes that never ended, or have not ended yet), or at damage: a broken record that was whole once, or
an event that cannot be where it is. What tells the two apart is in `format`. A header is damaged, too, and its file still a journal, when a sweep's first record
is found near its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asyncsweep.core.effects import Finish
from asyncsweep.core.events import Event, Kept
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.core.records import State
from asyncsweep.errors import ConfigError, InvalidTransition, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, OsFiles
from asyncsweep.journal.writer import NAME

_HEADER_SIZE = len(layout.header())
# A header may have lost or gained bytes; a damaged disk block takes the first record with it.
_FIRST_RECORD_WITHIN_BYTES = 4096


class Damage(NamedTuple):
    """Why a journal cannot be read on.

    Attributes:
        offset: The byte at which it begins.
        reason: What is wrong there.
    """

    offset: int
    reason: str


class Gap(NamedTuple):
    """Broken bytes behind which the journal goes on, with nothing missing.

    Attributes:
        damage: Where they begin.
        end: Where they end.
    """

    damage: Damage
    end: int


class Report(NamedTuple):
    """What `check` found.

    Attributes:
        path: The journal.
        size: Its bytes.
        n_events: The events before the damage, or all.
        last_seq: The number of the last of them: more than `n_events` when the journal begins with a snapshot; 0 for none.
        trials: How many trials are in each state after them.
        first_at: When the first of them was, in seconds since the epoch; None for none.
        last_at: When the last of them was; None for none.
        finish: How the sweep ended; None while it runs, or when it was interrupted.
        torn: The bytes of a torn tail: nothing is lost by it, and it is cut off when the sweep is resumed.
        damage: None when the journal is fine.
        n_after: How many whole records stand from the damage on.
    """

    path: Path
    size: int
    n_events: int
    last_seq: int
    trials: dict[State, int]
    first_at: float | None
    last_at: float | None
    finish: Finish | None
    torn: int
    damage: Damage | None
    n_after: int


class Reading:
    """The events of a journal in their order: go through it once, then see how it ended.

    Args:
        data: The journal.
        path: Its name for errors.
        machine: A new machine, which takes each event and finds those that cannot be where they are; None: no replay.
        over_gaps: Go on behind broken bytes when the record that follows them is the very next one: then they are foreign to
            the journal, and nothing is missing.

    Attributes:
        offset: The end of the last event that was given.
        torn: The bytes of a torn tail.
        damage: What ended it; None for the end of the file or a torn tail.
        gaps: With `over_gaps`, what was gone over.
    """

    def __init__(self, data: bytes, path: str, *, machine: Machine | None = None, over_gaps: bool = False) -> None:
        self._data = data
        self._view = memoryview(data)
        self._path = path
        self._machine = machine
        self._over_gaps = over_gaps
        self._before: Event | None = None
        self._may_be_torn = False
        self.offset = 0
        self.torn = 0
        self.damage: Damage | None = None
        self.gaps: list[Gap] = []

    def __iter__(self) -> Iterator[tuple[layout.Record, Event]]:
        """Each record with its event.

        Raises:
            JournalError: It is no journal, or of a newer format.
        """
        if not self._enter():
            return
        size = len(self._view)
        while True:
            self.offset, self._may_be_torn = layout.after_marks(self._view, self.offset, self._may_be_torn)
            if self.offset == size:
                break
            record = layout.record_at(self._view, self.offset) or self._behind_gap()
            if record is None:
                break
            event = record.event
            reason = self._refusal(event) or self._taken(event)
            if event is None or reason:
                self.damage = Damage(record.offset, reason)
                return
            self.offset = record.end
            yield record, event
        if isinstance(self._before, Kept) and self.damage is None:  # one is synced before it becomes the journal
            self.damage = Damage(self.offset, "the snapshot that the journal begins with is cut off")
            self.torn = 0

    def rest(self) -> Iterator[layout.Record]:
        """The whole records from `offset` on, whatever stands between them."""
        record = layout.next_record(self._view, self.offset)
        while record is not None:
            yield record
            record = layout.next_record(self._view, record.end)

    def _enter(self) -> bool:
        """Go to the first record; False when there is none to go to."""
        data = self._data
        if len(data) < _HEADER_SIZE or not data.strip(b"\0"):
            self.torn = layout.decode(data, self._path).torn
            return False
        fault = _fault(data[:_HEADER_SIZE], self._path)
        if fault is None:
            self.offset = _HEADER_SIZE
            return True
        newer = _fault(layout.MAGIC + data[len(layout.MAGIC) : _HEADER_SIZE], self._path)
        if newer is not None and newer.offset:  # also where the first bytes are damaged
            raise newer
        near = (layout.record_at(self._view, offset) for offset in range(min(len(data), _FIRST_RECORD_WITHIN_BYTES)))
        first = next((record for record in near if record is not None and not self._refusal(record.event)), None)
        if first is None:
            raise fault
        damage = Damage(0, "its header is damaged")
        if not self._over_gaps:
            self.damage = damage
            return False
        self.gaps.append(Gap(damage, first.offset))
        self.offset = first.offset
        return True

    def _behind_gap(self) -> layout.Record | None:
        """The record behind broken bytes, if it is the next event; None when the reading ends here."""
        if not layout.is_damage(self._view, self.offset, self._may_be_torn):
            self.torn = len(self._view) - self.offset
            return None
        damage = Damage(self.offset, "the record there is broken, and it was whole once")
        if self._over_gaps:
            following = layout.next_record(self._view, self.offset + 1)
            if following is not None and not self._refusal(following.event):
                self.gaps.append(Gap(damage, following.offset))
                return following
        self.damage = damage
        return None

    def _refusal(self, event: Event | None) -> str:
        """Why the event cannot be the next one; "" when it can."""
        if event is None:
            return "the record there is whole but is no event"
        before = self._before
        if not layout.follows(event, before):
            last = "nothing" if before is None else f"event {before.seq}"
            return f"event {event.seq} ({type(event).__name__}) is out of order: it follows {last}"
        if self._machine is not None:
            try:
                self._machine.check(event)
            except InvalidTransition as error:
                return f"event {event.seq} cannot follow those before it: {str(error).splitlines()[0]}"
        return ""

    def _taken(self, event: Event | None) -> str:
        """Let the machine have the event; why it could not, or ""."""
        if event is not None and self._machine is not None:
            try:
                self._machine.handle(event)
            except Exception as error:  # a file that somebody else made may hold events that no sweep of ours writes
                return f"event {event.seq} ({type(event).__name__}) cannot be taken in: {error!r}"
        self._before = event
        return ""


def check(directory: Path, files: Files | None = None) -> Report:
    """Read and replay the journal in a directory; nothing is changed.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: The journal cannot be read at all: no journal, of a newer format, or the system refuses.
    """
    path = directory / NAME
    data = content(directory, files)
    machine = Machine()
    reading = Reading(data, str(path), machine=machine)
    n_events, first_at = 0, None
    for _, event in reading:
        n_events += 1
        first_at = event.at if first_at is None else first_at
    trials = dict.fromkeys(State, 0)
    for trial in machine.trials:
        trials[trial.state] += 1
    return Report(
        path,
        len(data),
        n_events,
        machine.seq,
        trials,
        first_at,
        None if first_at is None else machine.at,
        ending(machine),
        reading.torn,
        reading.damage,
        0 if reading.damage is None else sum(1 for _ in reading.rest()),
    )


def content(directory: Path, files: Files | None = None) -> bytes:
    """The bytes of the journal in a directory.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: The system refuses to read it.
    """
    path = directory / NAME
    try:
        file = (files or OsFiles()).open(path, writing=False)
        try:
            return file.read()
        finally:
            file.close()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"directory={str(directory)!r} holds no sweep ({NAME} is not there)") from None
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error}", path=str(path)) from error


def ending(machine: Machine) -> Finish | None:
    """How a sweep ended that was replayed, from a snapshot too; None when it did not."""
    if machine.phase is not Phase.FINISHED:
        return None
    return Finish(machine.course.stop_reason, machine.course.error)


def _fault(head: bytes, path: str) -> JournalError | None:
    """What is wrong with a header; the error has the offset 0 for damage, another one for a newer format."""
    try:
        if not layout.decode(head, path).torn:
            return None
    except JournalError as error:
        return error
    return JournalError(f"{path} is no asyncsweep journal", path=path, offset=0)  # zeros
