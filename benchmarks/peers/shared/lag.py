"""How late the host's event loop is: a task sleeps a millisecond, again and again, and measures by how much it overslept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.peers.shared.measured import quantiles

_SLEEP_S = 0.001


def lag_in_thread(work: Callable[[], Any]) -> dict[str, float]:
    """The lag of an asyncio loop whose application runs `work` in a thread."""
    return asyncio.run(lag_during(lambda: asyncio.to_thread(work)))


async def lag_during(work: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    """The lag of this loop from the call of `work` to its end: `lag_ms_p50`, `lag_ms_p99`, `lag_ms_max`."""
    late_s: list[float] = []
    sleeper = asyncio.create_task(_oversleep(late_s))
    await asyncio.sleep(0)
    try:
        await work()
    finally:
        sleeper.cancel()
    return quantiles("lag_ms", late_s)


async def _oversleep(late_s: list[float]) -> None:
    while True:
        asleep_at = time.perf_counter()
        await asyncio.sleep(_SLEEP_S)
        late_s.append(time.perf_counter() - asleep_at - _SLEEP_S)
