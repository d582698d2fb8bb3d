"""Rests in long work on the event loop, so that the loop's other tasks get their turn."""

from __future__ import annotations

import time

import anyio.lowlevel

_AT_A_STRETCH_S = 0.002


class Rest:
    """Says when the work has gone on for two milliseconds, and lets the others go first."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    @property
    def is_due(self) -> bool:
        return time.perf_counter() - self._since > _AT_A_STRETCH_S

    async def take(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._since = time.perf_counter()
