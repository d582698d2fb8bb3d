"""The trial of the search benchmark: it sleeps, and tells how long its worker had nothing to do. Run by worker processes.

The wait is taken where it is felt: from the end of one call of the objective to the beginning of the next in the same process.
So everything is in it that keeps a worker from its next trial: the way of the result, our program's loop, the sampler where it
is waited for, and the way back. Both ends are of the machine's one monotonic clock.
"""

from __future__ import annotations

import time

from benchmarks.peers.shared import objectives
from benchmarks.sweeping.objectives import Trial

TRIAL_S = 0.05
FIRST = -1.0

_ended_at: float | None = None


def nap(trial: Trial) -> dict[str, float]:
    """Sleep for `TRIAL_S`; gives a value to learn from, `waited_ms` (`FIRST` in a worker's first trial) and `began_at`."""
    global _ended_at
    began_at = time.monotonic()
    waited_ms = FIRST if _ended_at is None else (began_at - _ended_at) * 1000
    time.sleep(TRIAL_S)
    value = objectives.bowl(trial.params)
    _ended_at = time.monotonic()
    return {"value": value, "waited_ms": waited_ms, "began_at": began_at}
