"""How late the host's event loop is, and when: the beginning of a sweep can be told from the rest."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio

_SLEEP_S = 0.001


class Lag(NamedTuple):
    """Lateness in milliseconds."""

    p50: float
    p99: float
    max: float


def idle(seconds: float, backend: str) -> Lag:
    """The lag of a loop on which nothing else runs."""

    async def measured() -> Lag:
        lateness = Lateness()
        async with lateness.measuring():
            await anyio.sleep(seconds)
        return lateness.between(0.0)

    return anyio.run(measured, backend=backend)


class Lateness:
    """By how much a task overslept that sleeps a millisecond, again and again."""

    def __init__(self) -> None:
        self._woken: list[tuple[float, float]] = []

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        """Measure while the context is entered."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._oversleep)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def between(self, since: float, until: float = float("inf")) -> Lag:
        """The lag of the sleeps that ended between two times of `time.monotonic`.

        Raises:
            RuntimeError: None did.
        """
        late = sorted(late_ms for at, late_ms in self._woken if since <= at <= until)
        if not late:
            raise RuntimeError("the loop never woke up while the lag was measured")
        return Lag(late[len(late) // 2], late[min(len(late) - 1, len(late) * 99 // 100)], late[-1])

    async def _oversleep(self) -> None:
        while True:
            asleep_at = time.monotonic()
            await anyio.sleep(_SLEEP_S)
            woken_at = time.monotonic()
            self._woken.append((woken_at, (woken_at - asleep_at - _SLEEP_S) * 1000))
