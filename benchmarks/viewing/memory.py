"""What a viewer costs the process that serves it: what Python has allocated while viewers are there, less what it has without them.

They are taken away for that, not added: what all viewers share (pieces of rows that are encoded already, up to 16 MiB) was made before,
and stays. One other viewer reads all the time, so that the sweep is followed in either case. What the system has of them in the buffers of
their sockets is not in it; of a viewer that never reads that is at most what was sent unacknowledged, 4 messages of about 128 KiB.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio

import asyncsweep as sw
from benchmarks.viewing.page import Growing

Crowd = Callable[[str, int, int], AbstractAsyncContextManager[Any]]

_SETTLED_BYTES = 512
_SETTLED_S = 0.3
_MOST_LOOKS = 100


async def per_viewer(crowd: Crowd, n_trials: int, n_missed: int, n_viewers: int) -> dict[str, tuple[float, float]]:
    """KiB of a viewer that reads, and of one that is silent: with so many trials there, and when so many more have ended since it came."""
    tracemalloc.start()
    try:
        growing = Growing(n_trials)
        async with growing.run() as (run, viewer), crowd(viewer.url, 1, 0):
            found = {}
            for name, who in (("reading", (n_viewers, 0)), ("silent", (0, n_viewers))):
                async with _gone(crowd, viewer.url, who) as there:
                    pass
                async with _gone(crowd, viewer.url, who) as missed:
                    await _end(growing, run, n_missed)
                found[name] = there[0] / n_viewers / 1024, missed[0] / n_viewers / 1024
            return found
    finally:
        tracemalloc.stop()


@asynccontextmanager
async def _gone(crowd: Crowd, url: str, who: tuple[int, int]) -> AsyncIterator[list[int]]:
    """Have viewers; when the block ends, they go, and the list has the bytes that were theirs."""
    found: list[int] = []
    async with crowd(url, *who):
        yield found
        there = await _settled()
    found.append(there - await _settled())


async def _end(growing: Growing, run: sw.SweepRun, n: int) -> None:
    """So many more trials end."""
    wanted = run.counts[sw.State.COMPLETE] + n
    updates = run.updates()
    growing.let(n)
    async for _ in updates:
        if run.counts[sw.State.COMPLETE] >= wanted:
            return


async def _settled() -> int:
    """How many bytes Python has allocated, once that stays the same."""
    before = -_SETTLED_BYTES
    for _ in range(_MOST_LOOKS):
        await anyio.sleep(_SETTLED_S)
        gc.collect()
        now, _ = tracemalloc.get_traced_memory()
        if abs(now - before) < _SETTLED_BYTES:
            return now
        before = now
    return before
