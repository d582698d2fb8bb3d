"""Which worker holds which attempt, where a slot is free, and what waits ahead at workers that are busy.

Workers are taken in the order in which they joined, or in which their slot became free: the choice depends on the events
alone.

A worker may offer places *ahead*: an attempt that is given to it while all its slots are taken waits there, and begins as soon as
one of them is free, without a message from us. So a slot that becomes free at such a worker is never free to us: the attempt that
waited longest there holds it from that moment on.

A worker may hold more attempts than it has slots: when it offers fewer than before, or when the start of one is heard before the
end of the other. Then as many ends free nothing.

A worker that trials can make no use of is here and offers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from asyncsweep.core.kept import KeptAhead

Attempt = tuple[int, int]


class Slots:
    """The slots of all workers.

    Attributes:
        n_free: How many slots are free.
        jobs: For each worker that is here, the (trial, attempt) pairs that hold a slot of it.
        takes_ahead: True once a worker offered places ahead, or fewer slots than before; while it is False nothing of that need be
            looked at.
        has_leaving: True while a worker is here that came to have no slots.
        n_room: How many more attempts may be launched ahead.
        queues: For each worker where some wait, the attempts that do, next one first.
    """

    __slots__ = (
        "_free",
        "_over",
        "_places",
        "_room",
        "_sizes",
        "has_leaving",
        "jobs",
        "n_free",
        "n_room",
        "queues",
        "takes_ahead",
    )

    def __init__(self) -> None:
        self.jobs: dict[str, dict[Attempt, None]] = {}
        self.n_free = 0
        self._free: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self.takes_ahead = False
        self.has_leaving = False
        self.n_room = 0
        self.queues: dict[str, dict[Attempt, None]] = {}
        self._places: dict[str, int] = {}
        self._room: dict[str, int] = {}
        self._over: dict[str, int] = {}

    def kept(self) -> tuple[list[tuple[str, list[Attempt]]], list[tuple[str, int]], KeptAhead | None]:
        """For a snapshot: who holds what, the free slots in the order in which they will be taken, and what waits ahead."""
        jobs = [(worker, list(held)) for worker, held in self.jobs.items()]
        waiting = [(worker, list(queue)) for worker, queue in self.queues.items()]
        rest = (list(of.items()) for of in (self._places, self._room, self._over, self._sizes))
        ahead = KeptAhead(waiting, *rest) if self.takes_ahead else None
        return jobs, list(self._free.items()), ahead

    def restore(
        self, jobs: list[tuple[str, list[Attempt]]], free: list[tuple[str, int]], ahead: KeptAhead | None
    ) -> None:
        """Become what `kept` told."""
        self.jobs = {worker: dict.fromkeys(held) for worker, held in jobs}
        self._free = dict(free)
        self.n_free = sum(self._free.values())
        if ahead is None:
            sizes = {worker: len(held) + self._free.get(worker, 0) for worker, held in self.jobs.items()}
            self._sizes = {worker: size for worker, size in sizes.items() if size}
            return
        self.takes_ahead = True
        self.queues = {worker: dict.fromkeys(queue) for worker, queue in ahead.waiting}
        self._places, self._room, self._over = dict(ahead.places), dict(ahead.room), dict(ahead.over)
        self._sizes = dict(ahead.sizes)
        self.has_leaving = 0 in self._sizes.values()
        self.n_room = sum(self._room.values())

    def join(self, worker: str, slots: int, ahead: int = 0) -> None:
        """A worker is here. One that joins without slots never has any."""
        self.jobs[worker] = {}
        if not slots:
            return
        self._sizes[worker] = self._free[worker] = slots
        self.n_free += slots
        if ahead:
            self.takes_ahead = True
            self._places[worker] = self._room[worker] = ahead
            self.n_room += ahead

    @property
    def n_slots(self) -> int:
        """How many slots there are."""
        return sum(self._sizes.values())

    def change(self, worker: str, slots: int) -> None:
        """A worker has another number of slots from now on."""
        if worker not in self._sizes:
            return
        more = slots - self._sizes[worker]
        self._sizes[worker] = slots
        self.has_leaving = 0 in self._sizes.values()
        jobs, free = self.jobs[worker], self._free.pop(worker, 0)
        self.n_free -= free
        if more < 0:
            self.takes_ahead = True
            if -more > free:
                self._over[worker] = self._over.get(worker, 0) - more - free
            free = max(0, free + more)
        for _ in range(more):
            free += not self._hand_on(worker, jobs)
        if free:
            self._free[worker] = free
            self.n_free += free
        self._make_room(worker)

    def is_leaving(self, worker: str) -> bool:
        """Whether a worker has no slots any more."""
        return not self._sizes.get(worker)

    def lose(self, worker: str) -> tuple[Iterator[Attempt], Iterator[Attempt]]:
        """Forget a worker; gives the attempts that held its slots, and those that waited ahead."""
        self.n_free -= self._free.pop(worker, 0)
        self.n_room -= self._room.pop(worker, 0)
        self._places.pop(worker, None)
        self._over.pop(worker, None)
        self._sizes.pop(worker, None)
        self.has_leaving = 0 in self._sizes.values()
        return iter(self.jobs.pop(worker)), iter(self.queues.pop(worker, ()))

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
        """Free the slot that an attempt holds, or its place ahead; nothing happens when its worker is gone."""
        jobs = self.jobs.get(worker)
        if jobs is None:
            return
        if attempt not in jobs:
            self._leave(worker, attempt)
            return
        del jobs[attempt]
        if self.takes_ahead and self._hand_on(worker, jobs):
            return
        self._free[worker] = self._free.get(worker, 0) + 1
        self.n_free += 1

    # -- ahead --------------------------------------------------------------------------------------------------------

    def take_ahead(self, attempt: Attempt) -> str:
        """Take a place ahead (there must be one) and give the worker's name."""
        worker = next(iter(self._room))
        left = self._room[worker] - 1
        if left:
            self._room[worker] = left
        else:
            del self._room[worker]
        self.n_room -= 1
        queue = self.queues.get(worker)
        if queue is None:
            self.queues[worker] = {attempt: None}
        else:
            queue[attempt] = None
        return worker

    def began(self, worker: str, attempt: Attempt) -> None:
        """An attempt runs: it holds a slot from now on, even if no slot was known to be free."""
        if self._leave(worker, attempt):
            self.jobs[worker][attempt] = None
            self._over[worker] = self._over.get(worker, 0) + 1
            self._make_room(worker)

    def _leave(self, worker: str, attempt: Attempt) -> bool:
        """Give a place ahead back; False when the attempt had none."""
        queue = self.queues.get(worker)
        if queue is None or attempt not in queue:
            return False
        del queue[attempt]
        if not queue:
            del self.queues[worker]
        self._make_room(worker)
        return True

    def _hand_on(self, worker: str, jobs: dict[Attempt, None]) -> bool:
        """An attempt has left its slot: whether that is free to nobody."""
        if worker in self._over:
            over = self._over.pop(worker)
            if over > 1:
                self._over[worker] = over - 1
            self._make_room(worker)
            return True
        queue = self.queues.get(worker)
        if queue is None:
            return False
        following = next(iter(queue))
        del queue[following]
        if not queue:
            del self.queues[worker]
        self._room[worker] = self._room.get(worker, 0) + 1
        self.n_room += 1
        jobs[following] = None
        return True

    def _make_room(self, worker: str) -> None:
        """Count anew how many more may wait at a worker: one that has more than its slots to do has so many places less."""
        taken = len(self.queues.get(worker, ())) + self._over.get(worker, 0)
        places = self._places.get(worker, 0) if self._sizes.get(worker) else 0
        room = max(0, places - taken)
        self.n_room += room - self._room.get(worker, 0)
        if room:
            self._room[worker] = room
        else:
            self._room.pop(worker, None)
