"""The actor that a seat is on the cluster: an outpost, for as long as the seat is wanted.

A call of `exchange` takes what the sweep says, and waits until there is something to say. There is always one, and never two; so where
trials follow each other, they cost one call together. What the sweep has to say while it waits goes by `tell`, which returns at once. Ray may
run calls in another order than they were made in, so they are numbered.

These are plain methods, in threads of Ray's, and not coroutines: of two kinds of actor that do nothing, Ray and this process need twice
the time for a call of one with coroutines.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec

from asyncsweep.executors.outposts.outpost import Outpost
from asyncsweep_ray.lease import Lease
from asyncsweep_ray.turns import Turns

# One call that waits, and one that tells.
THREADS = 2


class Call(msgspec.Struct, array_like=True):
    """What a call takes.

    Attributes:
        number: Counts calls, from 0.
        data: What the sweep says; b"" for nothing.
    """

    number: int
    data: bytes


class Reply(msgspec.Struct, array_like=True):
    """What `exchange` returns.

    Attributes:
        data: What the outpost says; b"" at its end.
        place: Where it is.
    """

    data: bytes
    place: str


pack = msgspec.msgpack.Encoder().encode
_call_of = msgspec.msgpack.Decoder(Call).decode
reply_of = msgspec.msgpack.Decoder(Reply).decode


class Talk:
    """What the actor has on its event loop: the outpost, and what is said to and by it.

    Args:
        resources: What the seat offers, besides the host's name.
        lease: When it is over, the outpost leaves.
    """

    def __init__(self, resources: dict[str, Any], lease: Lease) -> None:
        self._outpost = Outpost(resources=resources)
        self._lease = lease
        # Kept, so that they are not lost.
        self._tasks: list[asyncio.Task[None]] = []
        # What is not in its turn yet.
        self._early: dict[int, bytes] = {}
        self._n_told = 0
        self._place = ""

    async def exchange(self, packed: bytes) -> bytes:
        """Take a `Call`, and give a `Reply` as soon as there is something to say. The first call begins it all."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._place = f"node {_node()}, process {os.getpid()}"
            self._tasks = [loop.create_task(self._outpost.serve()), loop.create_task(self._leave_in_time())]
        self.tell(packed)
        return pack(Reply(await self._outpost.take(), self._place))

    def tell(self, packed: bytes) -> None:
        """Take a `Call`."""
        call = _call_of(packed)
        self._early[call.number] = call.data
        try:
            while (told := self._early.pop(self._n_told, None)) is not None:
                self._n_told += 1
                if told:
                    self._outpost.tell(told)
        except Exception:  # what was told is lost, so what it was meant for must be, too
            self._outpost.leave()
            raise

    async def _leave_in_time(self) -> None:
        await self._lease.over()
        self._outpost.leave()


class Post:
    """The actor. It must not have coroutines: Ray would run all of it on an event loop.

    Args:
        resources: What the seat offers, besides the host's name.
        lease_s: After so many seconds without a call it ends what it runs.
    """

    def __init__(self, resources: dict[str, Any], lease_s: float) -> None:
        self._lease = Lease(lease_s)
        self._turns = Turns()
        self._talk = Talk(resources, self._lease)

    def exchange(self, packed: bytes) -> bytes:
        """Take what the sweep says, a `Call`, and give what is to be said back, a `Reply`. Bytes travel as they are, all else is pickled."""
        self._lease.renew()
        return self._turns.run(self._talk.exchange(packed))

    def tell(self, packed: bytes) -> None:
        """Take what the sweep says, a `Call`."""
        self._lease.renew()
        self._turns.call_soon(self._talk.tell, packed)


def _node() -> str:
    import ray

    name: str = ray.get_runtime_context().get_node_id()
    return name[:12]
