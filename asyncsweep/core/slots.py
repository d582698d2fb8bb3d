"""Which worker holds which attempt, and where a slot is free.

Workers are taken in the order in which they joined, or in which their slot became free: the choice depends on the events
alone.
"""

from __future__ import annotations

from collections.abc import Iterator

Attempt = tuple[int, int]


class Slots:
    """The slots of all workers.

    Attributes:
        n_free: How many slots are free.
        jobs: For each worker that is here, the (trial, attempt) pairs that hold a slot of it.
    """

    __slots__ = ("_free", "jobs", "n_free")

    def __init__(self) -> None:
        self.jobs: dict[str, dict[Attempt, None]] = {}
        self.n_free = 0
        self._free: dict[str, int] = {}

    def kept(self) -> tuple[list[tuple[str, list[Attempt]]], list[tuple[str, int]]]:
        """For a snapshot: who holds what, and the free slots in the order in which they will be taken."""
        return [(worker, list(jobs)) for worker, jobs in self.jobs.items()], list(self._free.items())

    def restore(self, jobs: list[tuple[str, list[Attempt]]], free: list[tuple[str, int]]) -> None:
        """Become what `kept` told."""
        self.jobs = {worker: dict.fromkeys(held) for worker, held in jobs}
        self._free = dict(free)
        self.n_free = sum(self._free.values())

    def join(self, worker: str, slots: int) -> None:
        self.jobs[worker] = {}
        self._free[worker] = slots
        self.n_free += slots

    def lose(self, worker: str) -> Iterator[Attempt]:
        """Forget a worker; gives the attempts that held its slots."""
        self.n_free -= self._free.pop(worker, 0)
        return iter(self.jobs.pop(worker))

    def take(self, attempt: Attempt) -> str:
        """Hold a free slot (there must be one) and give the worker's name."""
        worker = next(iter(self._free))
        left = self._free[worker] - 1
        if left:
            self._free[worker] = left
        else:
            del self._free[worker]
        self.n_free -= 1
        self.jobs[worker][attempt] = None
        return worker

    def release(self, worker: str, attempt: Attempt) -> None:
        """Free the slot that an attempt holds; nothing happens when its worker is gone."""
        jobs = self.jobs.get(worker)
        if jobs is None or attempt not in jobs:
            return
        del jobs[attempt]
        self._free[worker] = self._free.get(worker, 0) + 1
        self.n_free += 1
