"""The task that a seat is on the cluster: a coroutine on a Dask worker's event loop, for as long as the seat is wanted.

It takes one of the worker's threads and the resources that it was submitted with, so that Dask knows what is in use. It talks through
two of Dask's queues: into the sweep's with all other seats, and out of one of its own, under a name that it makes itself. So what was
meant for an earlier run of the same task, which Dask runs again when a worker was lost, never comes here.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Any

import anyio

from asyncsweep.executors.outposts.outpost import Outpost
from asyncsweep_dask.queues import Queue, forget

# How soon a seat sees that its task is cancelled, as by the end of the client's process.
LOOK_EVERY_S = 0.5
_LAST_CALLS_S = 2.0


async def serve(key: str, sweep: str, client: str, offers: dict[str, Any]) -> None:
    """Be the outpost of a seat until it is told to leave, or nobody wants the task any more.

    Args:
        key: The task's key.
        sweep: The name of the sweep's queue.
        client: The id of the sweep's client.
        offers: What the seat offers, as the sweep knows it.
    """
    from distributed import get_worker  # the client's process does without this module's

    worker = get_worker()
    scheduler = worker.scheduler
    mine = Queue(f"{key}-{secrets.token_hex(6)}", scheduler)
    ours = Queue(sweep, scheduler)
    outpost = Outpost(worker.local_directory, {**_offers(worker), **offers})
    await mine.make()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, mine, outpost)
            tasks.start_soon(_look, worker, key, outpost)
            tasks.start_soon(outpost.serve)
            while data := await outpost.take():
                await ours.put([key, mine.name, worker.address, data])
            await mine.put(b"")  # so that nobody waits for it at the scheduler any more
            tasks.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(_LAST_CALLS_S, shield=True), suppress(OSError, KeyError):
            if await _is_gone(scheduler, client):
                await _tidy(worker, ours, mine)
            else:
                await ours.put([key, mine.name, worker.address, b""])  # only a client can have the scheduler forget it


def _offers(worker: Any) -> dict[str, Any]:
    """What a seat on this worker offers: its part of the memory. Dask does not know how many processors a thread has."""
    limit = worker.memory_manager.memory_limit
    memory = {"memory_gib": limit / worker.state.nthreads / 2**30} if limit else {}
    return {**memory, "labels": {"dask_worker": str(worker.name)}}


async def _hear(mine: Queue, outpost: Outpost) -> None:
    while data := await mine.get():
        outpost.tell(data)


async def _look(worker: Any, key: str, outpost: Outpost) -> None:
    """Leave when the task is not wanted any more: nobody hears of what is done here."""
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        task = worker.state.tasks.get(key)
        if task is None or task.state != "executing":
            outpost.leave()
            return


async def _is_gone(scheduler: Any, client: str) -> bool:
    """Whether the scheduler has taken leave of a client, as when its process was killed."""
    events = await scheduler.events(topic=client)
    return any(event.get("action") == "remove-client" for _, event in events)


async def _tidy(worker: Any, *queues: Queue) -> None:
    """Have the scheduler forget queues, in place of a client that is gone."""
    import distributed

    make: Any = distributed.Client  # it has no types
    async with make(
        worker.scheduler.address, security=worker.security, asynchronous=True, set_as_default=False
    ) as client:
        for queue in queues:
            forget(client, queue.name)
