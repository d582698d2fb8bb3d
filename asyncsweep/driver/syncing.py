"""The task that makes what was written survive a power loss, and keeps the journal short. Neither is done on the loop."""

from __future__ import annotations

import logging

import anyio
import anyio.to_thread

from asyncsweep.core.records import Fsync
from asyncsweep.core.snapshot import freeze
from asyncsweep.driver.driver import Driver
from asyncsweep.journal.compaction import compact
from asyncsweep.journal.writer import Journal

SYNC_EVERY_S = 0.05
# A journal is compacted when what follows its snapshot is longer than this, and than twice the snapshot: so what has to be
# replayed is bounded, and what is written again and again is a small share of what is written at all.
COMPACT_FROM_BYTES = 32 * 2**20
COMPACT_FROM_SNAPSHOTS = 2

log = logging.getLogger("asyncsweep")


async def keep_synced(driver: Driver, journal: Journal, fsync: Fsync) -> None:
    """Commit and sync what the driver adds to the journal, until cancelled.

    With "batch" at most every `SYNC_EVERY_S`, with "always" at once and before anything else happens, with "never" what has no
    hurry is only written.
    """
    limiter = anyio.CapacityLimiter(1)  # its own: the application may have taken all that the loop's allows
    least = COMPACT_FROM_BYTES
    while True:
        await driver.written()
        try:
            due = driver.due() if fsync == "always" else None
            journal.commit()
            if fsync == "never":
                journal.look()
            else:
                await anyio.to_thread.run_sync(journal.sync, limiter=limiter)
            if due is not None:
                driver.let_out(due)
            if journal.tail_bytes > max(least, COMPACT_FROM_SNAPSHOTS * journal.snapshot_bytes):
                least = await _compacted(driver, journal, least)
        except Exception as error:
            driver.break_off(error)
            return
        if fsync != "always":
            await anyio.sleep(SYNC_EVERY_S)


async def _compacted(driver: Driver, journal: Journal, least: int) -> int:
    """Compact the journal; gives the length from which it is to be tried again."""
    failure = await compact(journal, freeze(driver.machine))
    if failure is None:
        return least
    # A full disk, perhaps: the journal is as good as before.
    log.warning("%s is not compacted, and will be tried again when it is twice as long: %s", journal.path, failure)
    return 2 * journal.tail_bytes
