"""A journal that another process may be writing, read as it grows: nothing is read twice, locked or changed.

What is at its end and no whole record is a write under way, or one that a killed process left behind: it is waited for, and is
read when it is whole, or when the process that resumed the sweep has cut it off. A broken record that was whole once is damage, and
nothing after it is believed; `format` has the rule that tells the two apart. Behind a long piece of the file that is no
record the rule is not looked for further: no write leaves more than one record unended.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asyncsweep.core.events import Event, Kept
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import OsFiles, reason
from asyncsweep.journal.writer import NAME

# Read at a time; handling the events in it takes a few hundredths of a second.
PIECE_BYTES = 256 * 2**10
# How far behind a broken record a sign is looked for that it was whole once.
EXAMINED_BYTES = 2**20

_HEADER_SIZE = len(layout.header())
_PREFIX_SIZE = 8


class Mark(NamedTuple):
    """What tells one content of the journal's file from another, as far as its status can."""

    device: int
    inode: int
    size: int
    changed_ns: int


class Growing:
    """The journal of a directory, open, and how far it was read.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: The journal cannot be opened.

    Attributes:
        path: The journal.
        offset: The end of the last event that was given.
        damage: Why it cannot be read on; "" where it can.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        try:
            self._file = OsFiles().open(self.path, writing=False)
        except (FileNotFoundError, NotADirectoryError):
            what = f"holds no sweep ({NAME} is not there)" if directory.is_dir() else "is no folder"
            raise ConfigError(f"directory={str(directory)!r} {what}") from None
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise JournalError(f"{self.path} cannot be opened: {why}", path=str(self.path)) from error
        # As long as it is open, no other file gets its inode.
        self.close = weakref.finalize(self, self._file.close)
        self.offset = 0
        self.damage = ""
        self._before: Event | None = None
        self._may_be_torn = False
        self._examined: tuple[int, int] | None = None

    def mark(self) -> Mark | None:
        """The file that has the journal's name now; None when there is none.

        Raises:
            OSError: The system does not tell.
        """
        try:
            return _mark(os.lstat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_in(self, mark: Mark) -> bool:
        """Whether this is still the file that has the journal's name, with all that was read of it."""
        own = _mark(self._file.status())
        return (own.device, own.inode) == (mark.device, mark.inode) and own.size >= self.offset

    def piece(self) -> bytes:
        """Some of what was not given yet, from `offset` on: at least a whole record, if there is one.

        Raises:
            OSError: It cannot be read.
        """
        data = self._file.part(self.offset, PIECE_BYTES)
        if len(data) == PIECE_BYTES:
            length = int.from_bytes(data[:4], "little")
            if PIECE_BYTES - _PREFIX_SIZE < length <= layout.RECORD_LIMIT_BYTES:
                data = self._file.part(self.offset, _PREFIX_SIZE + length)
        return data

    def events(self, data: bytes) -> Iterator[Event]:
        """The events of a piece, one by one; `offset` goes along.

        Raises:
            JournalError: It is no journal, or of a newer format.
        """
        view, base, at = memoryview(data), self.offset, 0
        if not base:
            at = layout.decode(data[:_HEADER_SIZE], str(self.path)).size
            if not at:
                return
        while not self.damage:
            at, self._may_be_torn = layout.after_marks(view, at, self._may_be_torn)
            self.offset = base + at
            record = layout.record_at(view, at)
            if record is None:
                return
            event = record.event
            if event is None or not layout.follows(event, self._before):
                what = "is no event" if event is None else f"event {event.seq} ({type(event).__name__}) is out of order"
                self.spoil(f"the record at byte {self.offset} is whole, but {what}")
                return
            self._before = event
            yield event
            at = record.end
            self.offset = base + at

    def examine(self) -> None:
        """See whether what no event begins with was whole once; call it where a piece gave none. It can take half a second.

        Raises:
            OSError: It cannot be read.
        """
        here = (self.offset, self._file.size())
        if self.damage or here == self._examined:
            return
        self._examined = here
        if self.offset == here[1] and isinstance(self._before, Kept):
            self.spoil(f"the snapshot that it begins with is cut off at byte {self.offset}")
        if not self.offset or self.offset >= here[1]:
            return
        tail = memoryview(self._file.part(self.offset, EXAMINED_BYTES))
        if here[1] - self.offset > layout.RECORD_LIMIT_BYTES + 2**20 or layout.is_damage(tail, 0, self._may_be_torn):
            self.spoil(f"the record at byte {self.offset} is broken, and it was whole once")

    def spoil(self, why: str) -> None:
        """Read no further."""
        self.damage = (
            f"{self.path} is damaged: {why}. What is before it is shown. Look at it with: "
            f"asyncsweep journal check {self.path.parent}"
        )


def _mark(status: os.stat_result) -> Mark:
    return Mark(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
