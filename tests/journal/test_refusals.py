"""R5: a disk that is full or broken is told clearly, once, and loses nothing that was written before."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import anyio
import pytest

from asyncsweep.errors import AsyncSweepError, ConfigError, JournalError
from asyncsweep.journal import journal as journals
from asyncsweep.testing.files import Fault, MemoryFiles
from tests.journal.histories import SWEEP, Writer, is_kept, last

FAULTS = {
    "full": (errno.ENOSPC, False),
    "broken": (errno.EIO, False),
    "full amid a write": (errno.ENOSPC, True),
}


async def run(files: MemoryFiles) -> tuple[Writer | None, AsyncSweepError | None]:
    """A sweep of some 200 operations: begun, compacted twice, resumed; and what ended it before its time."""
    writer: Writer | None = None
    try:
        for _ in range(2):
            writer = Writer(files, Random(1), before=writer)
            for number in range(56):
                writer.add()
                writer.commit()
                if number % 2:
                    writer.sync()
                if number == 20:
                    await writer.compact()
            writer.journal.close()
    except AsyncSweepError as error:
        if writer is not None:
            writer.journal.close()
        return writer, error
    return writer, None


def complaints(files: MemoryFiles, writer: Writer | None, error: AsyncSweepError | None, system: str) -> list[str]:
    """What is wrong after a sweep that was refused something."""
    found = []
    if error is not None and (system not in str(error) or str(error).count(str(SWEEP)) != 1):
        found.append(f"it is told as {error!r}")
    if error is not None and not isinstance(error, ConfigError | JournalError):
        found.append(f"it is a {type(error).__name__}")
    if files.n_open:
        found.append(f"{files.n_open} files are open")
    if writer is not None:
        for power_loss in (False, True):
            after = files.crash(Random(2)) if power_loss else files
            least = writer.synced if power_loss else writer.committed
            journal, events = journals.resume(SWEEP, after)
            journal.close()
            if not is_kept(events, writer.added, least):
                found.append(f"{last(events)} of {least} events are there, {power_loss=}")
    return found


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("what", FAULTS)
def test_every_operation_that_is_refused_is_told_clearly_and_loses_nothing(what: str, lasts: bool) -> None:
    number, is_short = FAULTS[what]

    async def wrong() -> list[tuple[int, str, list[str]]]:
        files = MemoryFiles()
        assert await run(files) != (None, None)
        operations = files.operations
        assert len(operations) >= 200
        wrong = []
        for nth, operation in enumerate(operations):
            files = MemoryFiles(Fault(nth, number, lasts, is_short))
            writer, error = await run(files)
            files.fault = None
            if found := complaints(files, writer, error, os.strerror(number)):
                wrong.append((nth, operation.kind, found))
        return wrong

    assert anyio.run(wrong) == []


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "for ever"])
def test_a_sweep_that_cannot_be_begun_leaves_nothing_behind_as_far_as_it_may(lasts: bool) -> None:
    files = MemoryFiles()
    journals.create(SWEEP, files).close()
    left = []
    for nth in range(len(files.operations)):
        refusing = MemoryFiles(Fault(nth, errno.ENOSPC, lasts))
        try:
            journals.create(SWEEP, refusing).close()
        except ConfigError:
            refusing.fault = None
            if not lasts and refusing.names(Path("/")):
                left.append((nth, refusing.operations[nth].kind))
            journals.create(SWEEP, refusing).close()
    assert left == []


def test_a_long_path_is_told_once() -> None:
    directory = Path("/" + "long" * 200)
    files = MemoryFiles()
    files.fault = Fault(1, errno.ENOSPC)
    with pytest.raises(ConfigError) as caught:
        journals.create(directory, files)
    assert str(caught.value).count("long" * 200) == 1
