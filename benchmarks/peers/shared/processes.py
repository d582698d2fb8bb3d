"""Several processes that do the same, and are timed from when all are up until all are done."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

FORK = multiprocessing.get_context("fork")  # the children have imported what they need; their parent has no threads yet
_PATIENCE_S = 600.0


class Claims:
    """Hands out so many trials to several processes, each once."""

    def __init__(self, n_trials: int) -> None:
        self._left: Any = FORK.Value("q", n_trials)

    def take(self) -> bool:
        """True for as many calls as there are trials."""
        with self._left.get_lock():
            self._left.value -= 1
            return bool(self._left.value >= 0)


def together(workers: int, work: Callable[[], object]) -> float:
    """Call `work` once in each of so many processes, and wait until all have returned.

    What is missing after a failure is found by counting trials; a failing process prints why.

    Returns:
        When all processes were up, as `time.monotonic` tells it.
    """
    gate = FORK.Barrier(workers + 1)
    done = FORK.Semaphore(0)

    def child() -> None:
        gate.wait(_PATIENCE_S)
        try:
            work()
        finally:
            done.release()

    for _ in range(workers):
        FORK.Process(target=child, daemon=True).start()
    gate.wait(_PATIENCE_S)
    began_at = time.monotonic()
    for _ in range(workers):
        if not done.acquire(timeout=_PATIENCE_S):
            raise RuntimeError(f"not all of {workers} processes have ended within {_PATIENCE_S:.0f} s")
    return began_at
