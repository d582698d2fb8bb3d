"""Seats on a Ray cluster: each is an actor, placed by Ray, reused from trial to trial, and killed when the seat is gone.

An actor for which there is no room is pending: to a cluster that scales by itself that says what is wanted. Ray neither restarts an
actor nor runs a call again: what was lost is the sweep's to try again, in another seat.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread

from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.outposts.seats import Seat, Seats
from asyncsweep_ray.actor import THREADS, Call, Post, pack, reply_of
from asyncsweep_ray.lease import BEATS

# How long a killed actor may take to be dead.
_DEATH_S = 5.0
# How often the nodes are counted, where their number decides about the seats.
LOOK_EVERY_S = 5.0


class Cluster:
    """What is asked of a cluster.

    Args:
        ray: The module, connected.
        options: Of each actor, but for what it takes.
        takes: What each takes, by the names of a sweep's `needs`: cpus, gpus, memory_gib.
        custom: What each takes of Ray's custom resources.
        lease_s: After so many seconds without a word of ours an actor ends what it runs.

    Attributes:
        seats: The seats; to be set before anything happens.
        follows: Whether there are as many seats as there is room for.
    """

    def __init__(
        self,
        ray: Any,
        options: Mapping[str, Any],
        takes: Mapping[str, float],
        custom: Mapping[str, float],
        lease_s: float,
    ) -> None:
        self._ray = ray
        self._lease_s = lease_s
        memory_bytes = int(takes.get("memory_gib", 0) * 2**30)
        taken = {"num_cpus": takes["cpus"], "num_gpus": takes.get("gpus", 0), "resources": dict(custom)}
        if memory_bytes:
            taken["memory"] = memory_bytes
        of_all = {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": THREADS}
        self._make = ray.remote(Post).options(**{**options, **taken, **of_all})
        self._offers = dict(takes)
        # By Ray's names.
        all_of_it = {"CPU": takes["cpus"], "GPU": takes.get("gpus", 0), "memory": memory_bytes, **custom}
        self._taken = {name: amount for name, amount in all_of_it.items() if amount}
        self.seats: Seats
        self.follows = False

    @asynccontextmanager
    async def following(self, follows: bool) -> AsyncIterator[None]:
        """While it is entered, have as many seats as there is room for, if that is wanted. Ray tells of nodes to those that ask."""
        self.follows = follows
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._count)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _count(self) -> None:
        while self.follows:
            nodes = await _in_thread(self._ray.nodes)
            if self.follows:
                self.seats.resize(sum(room(node["Resources"], self._taken) for node in nodes if node["Alive"]))
            await anyio.sleep(LOOK_EVERY_S)

    async def keep(self, seat: Seat) -> None:
        """Have an actor for a seat until it is gone."""
        try:
            actor = await _in_thread(lambda: self._make.remote(self._offers, self._lease_s))
        except self._ray.exceptions.RayError as error:
            self.seats.lost(seat, f"no actor can be made: {error}", _told(error))
            return
        try:
            async with anyio.create_task_group() as tasks:
                line = _Line(self._ray, actor, seat, self.seats, tasks)
                tasks.start_soon(line.hear)
                tasks.start_soon(line.tell)
                tasks.start_soon(line.renew, self._lease_s / BEATS)
                await seat.gone.wait()
                if seat.place and not seat.has_left:
                    with anyio.move_on_after(_DEATH_S):
                        await line.over.wait()  # it was told to leave, if it can hear that
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._end(actor)

    async def _end(self, actor: Any) -> None:
        """Kill an actor, and wait until it is dead. When the cluster is out of reach Ray waits for it, for long, and we do not."""
        with suppress(self._ray.exceptions.RayError):
            with anyio.move_on_after(_DEATH_S) as limit:
                await anyio.to_thread.run_sync(
                    lambda: self._ray.kill(actor, no_restart=True),
                    abandon_on_cancel=True,
                    limiter=anyio.CapacityLimiter(1),
                )
            if limit.cancelled_caught:
                return
            with anyio.move_on_after(_DEATH_S):
                while True:
                    await actor.tell.remote(pack(Call(-1, b"")))


class _Line:
    """The talk with one actor.

    Attributes:
        over: Set when nothing more is heard.
    """

    def __init__(self, ray: Any, actor: Any, seat: Seat, seats: Seats, tasks: anyio.abc.TaskGroup) -> None:
        self._ray = ray
        self._actor = actor
        self._seat = seat
        self._seats = seats
        self._tasks = tasks
        self._n_told = 0
        self.over = anyio.Event()

    async def hear(self) -> None:
        """Have a call there that waits for what the outpost says, until that is all; each takes along what is to be told by then."""
        data = b""
        try:
            while True:
                reply = reply_of(await self._actor.exchange.remote(self._next(data)))
                if not reply.data:
                    self.over.set()
                    return
                self._seats.heard(self._seat, reply.data, reply.place)
                data = self._seat.out.take_now()
        except self._ray.exceptions.RayError as error:
            self._lose(error)

    async def tell(self) -> None:
        """Carry what is for the outpost while it has nothing to say."""
        while data := await self._seat.out.take():
            self._tell(data)

    async def renew(self, every_s: float) -> None:
        """Call again and again, so that the actor knows that it is wanted."""
        while not self.over.is_set():
            await anyio.sleep(every_s)
            if self._seat.place and not self.over.is_set():
                self._tell(b"")

    def _tell(self, data: bytes) -> None:
        self._tasks.start_soon(self._see_told, self._actor.tell.remote(self._next(data)))

    async def _see_told(self, reference: Any) -> None:
        """The actor takes nothing that follows what was lost."""
        try:
            await reference
        except self._ray.exceptions.RayError as error:
            self._lose(error)

    def _next(self, data: bytes) -> bytes:
        number, self._n_told = self._n_told, self._n_told + 1
        return pack(Call(number, data))

    def _lose(self, error: Exception) -> None:
        self.over.set()
        where = self._seat.place
        if where:
            self._seats.lost(self._seat, f"the actor at {where} was lost: {_in_short(error)}")
        else:
            self._seats.lost(self._seat, f"no actor can be started: {_in_short(error)}", _told(error))


def room(offered: Mapping[str, float], taken: Mapping[str, float]) -> int:
    """How many seats fit on a node; of seats that take nothing, one for each CPU."""
    return min([int(offered.get(name, 0) / amount) for name, amount in (taken or {"CPU": 1}).items()])


def _in_short(error: BaseException) -> str:
    """The first line of what Ray says, which goes on with advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _told(error: BaseException) -> ErrorInfo:
    hint = ""
    if "ModuleNotFoundError" in str(error) and "asyncsweep" in str(error):
        hint = "; the cluster's nodes need asyncsweep and asyncsweep-ray, as the driver does, or a runtime_env that has them"
    return ErrorInfo(type(error).__name__, f"{error}{hint}")


async def _in_thread(call: Any) -> Any:
    return await anyio.to_thread.run_sync(call, limiter=anyio.CapacityLimiter(1))
