"""A look from outside at the workers that have a job: are they stopped, do they take too much?

A worker that says nothing is not dead: its objective may hold the GIL for an hour, or wait for the disk. Only its end, the end of
its link, `trial_timeout`, and what is looked at here end it. A worker that a signal has stopped is given the grace; after that
nobody seems to mean to continue it. Its time is counted in looks: while we are stopped or asleep ourselves, we do not look.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio
import anyio.to_thread

from asyncsweep.errors import CpuTimeLimitExceeded, MemoryLimitExceeded, WorkerLost
from asyncsweep.executors.limits import UNLIMITED, Limits, Usage, in_words, usage_of
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.worker import tree
from asyncsweep.worker.tree import WARM

_LOOK_EVERY_S = 1.0
# While a limit is set, and when the grace is short.
_LOOK_CLOSELY_EVERY_S = 0.1


class Look(NamedTuple):
    """What was seen of one worker; `usage` is None where no limit is set."""

    is_stopped: bool
    usage: Usage | None


class _Watched:
    """One attempt, as far as it was looked at."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.looks_stopped = 0
        self.cpu_before_s: float | None = None


class Supervision:
    """Looks at workers.

    Args:
        limits: What an attempt may take.
        grace_s: So long a worker may be stopped, and so long it has to end when it took too much processor time.
    """

    def __init__(self, limits: Limits, grace_s: float) -> None:
        self._limits = limits
        self._grace_s = grace_s
        is_close = limits != UNLIMITED or grace_s < 2 * _LOOK_EVERY_S
        self._every_s = _LOOK_CLOSELY_EVERY_S if is_close else _LOOK_EVERY_S
        self._watched: dict[WorkerProcess, _Watched] = {}

    async def run(self, workers: Callable[[], Sequence[WorkerProcess]]) -> None:
        """Look at those of the workers that have a job, until cancelled. Does nothing where there is nothing to see."""
        if sys.platform != "linux" or not tree.is_visible():
            return
        limiter = anyio.CapacityLimiter(1)
        while True:
            await anyio.sleep(self._every_s)
            busy = [(worker, worker.attempt) for worker in workers() if worker.attempt is not None]
            self._watched = {worker: self._watched[worker] for worker, _ in busy if worker in self._watched}
            if busy:
                guards = [worker.pid for worker, _ in busy]
                looks = await anyio.to_thread.run_sync(self._look, guards, limiter=limiter)
                for (worker, attempt), look in zip(busy, looks, strict=True):
                    if worker.attempt == attempt:  # else it has ended meanwhile
                        self._judge(worker, attempt, look)

    def _look(self, guards: Sequence[int]) -> list[Look]:
        return [look_at(guard, self._limits) for guard in guards]

    def _judge(self, worker: WorkerProcess, attempt: int, look: Look) -> None:
        watched = self._watched.get(worker)
        if watched is None or watched.attempt != attempt:
            watched = self._watched[worker] = _Watched(attempt)
        watched.looks_stopped = watched.looks_stopped + 1 if look.is_stopped else 0
        if watched.looks_stopped * self._every_s > self._grace_s:
            worker.condemn(WorkerLost.__name__, f"stopped by a signal for more than {self._grace_s:g} s")
        elif look.usage is not None:
            self._judge_usage(worker, watched, look.usage)

    def _judge_usage(self, worker: WorkerProcess, watched: _Watched, usage: Usage) -> None:
        memory_bytes, cpu_s = self._limits
        if memory_bytes is not None and usage.memory_bytes > memory_bytes:
            found, limit = in_words(usage.memory_bytes), in_words(memory_bytes)
            worker.condemn(MemoryLimitExceeded.__name__, f"took {found} of memory, and memory_limit is {limit}")
        if cpu_s is not None:
            if watched.cpu_before_s is None:
                watched.cpu_before_s = usage.cpu_s
            used_s = usage.cpu_s - watched.cpu_before_s
            if used_s > cpu_s:
                reason = f"took {used_s:.1f} s of processor time, and cpu_time_limit is {cpu_s:g} s"
                worker.condemn(CpuTimeLimitExceeded.__name__, reason, self._grace_s)


def look_at(guard: int, limits: Limits) -> Look:
    """Look at the worker behind a guard, and at the guard; of a worker that runs scripts, at its script too."""
    is_stopped = False
    workers = tree.children_of(guard)[:1]  # the worker is older than the orphans that its guard inherits
    scripts = [pid for worker in workers if tree.name_of(worker) == WARM for pid in tree.children_of(worker)[:1]]
    for pid in (guard, *workers, *scripts):
        stat = tree.stat_of(pid)
        is_stopped = is_stopped or (stat is not None and stat.state == "T")
    return Look(is_stopped, None if limits == UNLIMITED else usage_of(guard, limits))
