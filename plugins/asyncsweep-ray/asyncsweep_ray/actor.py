"""The actor that a seat is on the cluster: an outpost on its event loop, for as long as the seat is wanted.

A call of `exchange` takes what the sweep says, and waits until there is something to say; so where trials follow each other a trial costs
one call. The sweep may have something to say while it waits: it calls again, and the call before returns at once. Ray may run calls, and
deliver what they return, in another order, so both directions are numbered.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec

from asyncsweep.executors.outposts.outpost import Outpost
from asyncsweep_ray.lease import Lease


class Call(msgspec.Struct, array_like=True):
    """What a call takes.

    Attributes:
        number: Counts calls, from 0.
        data: What the sweep says; b"" for nothing.
    """

    number: int
    data: bytes


class Reply(msgspec.Struct, array_like=True):
    """What a call returns.

    Attributes:
        number: Counts replies, from 0.
        data: What the outpost says; b"" at its end.
        place: Where it is.
    """

    number: int
    data: bytes
    place: str


pack = msgspec.msgpack.Encoder().encode
_call_of = msgspec.msgpack.Decoder(Call).decode
reply_of = msgspec.msgpack.Decoder(Reply).decode


class Post:
    """The actor.

    Args:
        resources: What the seat offers, besides the host's name.
        lease_s: After so many seconds without a call it ends what it runs.
    """

    def __init__(self, resources: dict[str, Any], lease_s: float) -> None:
        self._outpost = Outpost(resources=resources)
        self._lease = Lease(lease_s)
        self._leasing: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._early: dict[int, bytes] = {}
        self._n_told = 0
        self._n_said = 0
        self._turn = asyncio.Lock()
        self._place = ""

    async def exchange(self, packed: bytes) -> bytes:
        """Take what the sweep says, a `Call`, and give what is to be said back, a `Reply`. Bytes travel as they are, all else is pickled."""
        self._lease.renew()
        if self._serving is None:
            self._begin()
        call = _call_of(packed)
        self._early[call.number] = call.data
        while (told := self._early.pop(self._n_told, None)) is not None:
            self._n_told += 1
            if told:
                self._outpost.tell(told)
        self._outpost.interrupt()
        async with self._turn:
            said = await self._outpost.take()
            self._n_said += 1
            return pack(Reply(self._n_said - 1, said, self._place))

    def _begin(self) -> None:
        import ray

        context = ray.get_runtime_context()
        self._place = f"node {context.get_node_id()[:12]}, process {os.getpid()}"
        self._serving = asyncio.get_running_loop().create_task(self._outpost.serve())
        self._leasing = asyncio.get_running_loop().create_task(self._leave_in_time())

    async def _leave_in_time(self) -> None:
        await self._lease.over()
        self._outpost.leave()
