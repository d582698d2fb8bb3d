"""Dask's queues, by the calls that `distributed.Queue` makes.

That class cannot be used on both sides: on a worker it starts a client for the worker, which then stays; and each time that it is
awaited it counts itself as one more who uses the queue, so that nobody can tell when the queue will be forgotten. Here a queue is made
once, and forgotten when a client says so once. Values are bytes, or lists of them and texts.

A call raises `OSError` when the scheduler cannot be reached, and `KeyError` when it has no such queue.
"""

from __future__ import annotations

from typing import Any


class Queue:
    """A queue at the scheduler.

    Args:
        name: Its name.
        scheduler: Calls to the scheduler: `client.scheduler` or `worker.scheduler`.
    """

    def __init__(self, name: str, scheduler: Any) -> None:
        self.name = name
        self._scheduler = scheduler

    async def make(self) -> None:
        """Have the scheduler make it; once, by whoever is first."""
        await self._scheduler.queue_create(name=self.name, maxsize=0)

    async def put(self, value: Any) -> None:
        await self._scheduler.queue_put(name=self.name, data=value)

    async def get(self) -> Any:
        """Wait for the next value. Whoever does not want to wait any more has to put one: the scheduler goes on waiting."""
        return (await self._scheduler.queue_get(name=self.name))["value"]


def forget(client: Any, name: str) -> None:
    """Have the scheduler forget a queue; only a client can say so. Nothing happens when there is none."""
    client._send_to_scheduler({"op": "queue_release", "name": name})
