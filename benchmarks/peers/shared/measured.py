"""From times and counts to what an adapter returns. A run in which a trial is missing is an error, not a figure."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

Span = tuple[float, float]


def rate(
    n_trials: int, n_complete: int, began_at: float, ended_at: float | None = None, n_timed: int | None = None
) -> dict[str, float]:
    """Trials per second between two times of `time.monotonic`.

    Args:
        n_trials: How many there should be.
        n_complete: How many have ended as they should.
        began_at: When the first of them began, or when all processes were up.
        ended_at: When the result was there; None for now.
        n_timed: How many have ended since then; None for all.

    Raises:
        RuntimeError: Some are missing.
    """
    wall_s = (ended_at or time.monotonic()) - began_at
    check(n_trials, n_complete)
    timed = n_trials if n_timed is None else n_timed
    return {"trials_per_s": timed / wall_s, "n_complete": n_complete, "wall_s": wall_s, "memory_mb": memory_mb()}


def reports(
    n_trials: int, n_ended: int, n_reports: int, n_pruned: int, began_at: float, ended_at: float | None = None
) -> dict[str, float]:
    """Reports per second; see `rate`."""
    wall_s = (ended_at or time.monotonic()) - began_at
    check(n_trials, n_ended)
    return {"reports_per_s": n_reports / wall_s, "n_reports": n_reports, "n_pruned": n_pruned, "wall_s": wall_s}


def check(n_trials: int, n_ended: int) -> None:
    """Refuse a run that does not measure what it should.

    Raises:
        RuntimeError: Some trials are missing.
    """
    if n_ended != n_trials:
        raise RuntimeError(f"{n_ended} of {n_trials} trials have ended as they should: this measures nothing")


def spans(file: str | Path) -> list[Span]:
    """When the trials that wrote to this file began and ended, in order."""
    lines = Path(file).read_text(encoding="ascii").splitlines()
    return sorted((float(began), float(ended)) for began, ended in (line.split() for line in lines))


def share(found: Sequence[Span], n_trials: int, workers: int) -> dict[str, float]:
    """How much of the workers' time was spent in objectives.

    Returns:
        `share`, while there was work for all: from when all workers were busy for the first time (if they never were, from the
        first trial's begin), to the last trial's begin. `share_whole`, from the first begin to the last end, with the workers
        that are still starting and those that have nothing left to do. `lost_start` and `lost_end` are what of the latter time no
        trial had before all workers were busy, and after the last trial's begin.

    Raises:
        RuntimeError: Some trials are missing.
    """
    check(n_trials, len(found))
    first, last = found[0][0], max(ended for _, ended in found)
    since, until = _all_busy(found, workers), found[-1][0]
    if until <= since:
        raise RuntimeError(f"{n_trials} trials are too few to keep {workers} workers busy")
    inside = sum(max(min(ended, until) - max(began, since), 0.0) for began, ended in found)
    whole = sum(ended - began for began, ended in found)
    early = sum(max(min(ended, since) - began, 0.0) for began, ended in found)
    late = sum(max(ended - max(began, until), 0.0) for began, ended in found)
    total = workers * (last - first)
    return {
        "share": inside / (workers * (until - since)),
        "share_whole": whole / total,
        "lost_start": (workers * (since - first) - early) / total,
        "lost_end": (workers * (last - until) - late) / total,
    }


def _all_busy(found: Sequence[Span], workers: int) -> float:
    """When as many trials as there are workers ran for the first time, or the first begin."""
    changes = sorted([(began, 1) for began, _ in found] + [(ended, -1) for _, ended in found])
    running = accumulate(change for _, change in changes)
    return next((at for (at, _), n in zip(changes, running, strict=True) if n >= workers), found[0][0])


def quantiles(name: str, samples_s: Sequence[float]) -> dict[str, float]:
    """`NAME_p50`, `NAME_p99` and `NAME_max` in milliseconds.

    Raises:
        RuntimeError: There are no samples.
    """
    if not samples_s:
        raise RuntimeError(f"nothing was measured of {name}")
    ordered = sorted(1000 * sample for sample in samples_s)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return {f"{name}_p50": p50, f"{name}_p99": p99, f"{name}_max": ordered[-1]}


def memory_mb() -> float:
    """The most memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def resident_bytes() -> int:
    """The memory that this process has now; where the system does not tell, the most that it has had."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return int(memory_mb() * 2**20)
