"""Seats on a Dask cluster: asked for, carried to and from, and given back.

Of Dask this takes: tasks (a seat is one), its queues (what seats say and hear), and the topic "all" of its events, which tells of workers
that are lost. Reports could go by a topic of their own, too, but the scheduler keeps the last thousand messages of every topic, and
the topic, for as long as it lives. A queue is gone when nobody uses it.

Dask would run the task of a lost worker again by itself. What ran there is the sweep's to try again, so its seat is given up,
and another is asked for.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio

from asyncsweep import ConfigError, PluginError
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.outposts.seats import Seat, Seats
from asyncsweep_dask.connection import THREE_WAYS, loaded
from asyncsweep_dask.queues import Queue, forget
from asyncsweep_dask.seat import serve

# How long it may take until a scheduler answers.
TIMEOUT_S = 30.0
# How long a call to the scheduler may take when there is nothing more to lose.
_CALL_S = 5.0
# How long to wait between two tries to reach a scheduler that was lost.
_PAUSE_S = 1.0
# Of what is left until it is given up, a try takes at least so much.
_LEAST_TRY_S = 1.0
# What a call raises when the scheduler is gone, and when our connection is closed.
_UNREACHABLE = (OSError, RuntimeError)
# How long a new worker has for taking what waits.
SETTLE_S = 0.5
# Not the key of any task: nothing more comes.
_END = ""

log = logging.getLogger("asyncsweep")


class Cluster:
    """The connection to a cluster, and what is asked of it.

    Args:
        address: The scheduler's.
        security: For the talk with it; None for Dask's own settings.
        resources: What each seat needs.
        offers: What each slot offers, besides what its worker tells.
        give_up_after_s: How long a scheduler that was lost is looked for.
    """

    def __init__(
        self, address: str, security: Any, resources: dict[str, float], offers: dict[str, Any], give_up_after_s: float
    ) -> None:
        self._address = address
        self._security = security
        self._resources = resources
        self._offers = offers
        self._give_up_after_s = give_up_after_s
        self._seats: Seats
        self._client: Any = None
        self._queue: Queue
        self._is_connected = anyio.Event()
        self._is_closing = False
        self._has_ended = anyio.Event()
        # By their tasks' keys: the seats, and where what is for each of them goes, once it has said so.
        self._by_key: dict[str, Seat] = {}
        self._ways: dict[str, str] = {}
        # Queues of seats that are not wanted any more and have not said their last word, by where they are.
        self._strays: dict[str, str] = {}
        self._fewer_strays = anyio.Event()
        self._removed: set[str] = set()
        self._follows = False
        self._has_changed = anyio.Event()
        self._has_come = False

    @asynccontextmanager
    async def open(self, seats: Seats) -> AsyncIterator[None]:
        """While it is entered, seats can be kept.

        Raises:
            ConfigError: No scheduler answers.
            PluginError: It was lost for good. It leaves the body, and so the sweep, as a fault does: what ran or waits is not CANCELLED, but
                repeated when the sweep is resumed.
        """
        self._seats = seats
        await self._connect(TIMEOUT_S)
        async with anyio.create_task_group() as tasks:
            # What is said last is heard, also when the sweep is cancelled.
            listening = anyio.CancelScope(shield=True)
            tasks.start_soon(self._listen, listening)
            tasks.start_soon(self._count)
            try:
                yield
            finally:
                self._is_closing = True
                with anyio.move_on_after(_CALL_S, shield=True) as limit:
                    while self._strays:
                        self._fewer_strays = anyio.Event()
                        await self._fewer_strays.wait()
                    await self._say_end()
                    await self._has_ended.wait()
                if limit.cancelled_caught:
                    listening.cancel()
                with anyio.CancelScope(shield=True):
                    await self._disconnect()
                tasks.cancel_scope.cancel()

    def follow(self, follows: bool = True) -> None:
        """Have as many seats as there is room for, or leave their number alone."""
        self._follows = follows
        self._has_changed.set()

    async def _count(self) -> None:
        """Count how many seats there is room for, whenever workers came or went.

        Dask gives a task that finds no room to some worker all the same, to wait there. It moves it when another worker is idle, but may
        take long to think so of tasks whose duration it does not know. So what waits a moment after a worker came is asked for anew.
        """
        while True:
            await self._has_changed.wait()
            self._has_changed = anyio.Event()
            client = self._client
            if self._follows and self._is_connected.is_set():
                with suppress(*_UNREACHABLE):
                    found = await client.scheduler.identity()
                    if self._follows:
                        self._seats.resize(sum(room(worker, self._resources) for worker in found["workers"].values()))
            await anyio.sleep(SETTLE_S)
            if self._has_come:
                self._has_come = False
                self._seats.place_anew()

    async def _say_end(self) -> None:
        """Let go who listens here, and at the scheduler."""
        if self._is_connected.is_set():
            with suppress(*_UNREACHABLE):
                await self._queue.put([_END, "", "", b""])

    # -- the connection -----------------------------------------------------------------------------------------------

    async def _connect(self, timeout_s: float) -> None:
        distributed = await loaded()
        client = None
        try:
            client = distributed.Client(
                self._address,
                security=self._security,
                asynchronous=True,
                set_as_default=False,
                direct_to_workers=False,
                name="asyncsweep",
                timeout=timeout_s,
            )
            await client
        except (OSError, ValueError) as error:  # nobody there, or no address
            if client is not None:
                await client.close()
            raise ConfigError(
                f"executor='dask': no scheduler answers at {self._address}: {error}; {THREE_WAYS}"
            ) from error
        self._client = client
        self._client.subscribe_topic("all", self._see)
        self._queue = Queue(f"asyncsweep-{secrets.token_hex(8)}", self._client.scheduler)
        await self._queue.make()
        self._is_connected.set()
        self._has_changed.set()

    async def _disconnect(self, within_s: float = _CALL_S) -> None:
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(within_s), suppress(*_UNREACHABLE):
                for name in (self._queue.name, *self._strays):
                    forget(client, name)
                self._strays.clear()
                client.unsubscribe_topic("all")
                await client.close()

    async def _listen(self, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._hear_all()
        finally:
            self._has_ended.set()

    async def _hear_all(self) -> None:
        """Take what seats say; when the scheduler is lost, look for it again."""
        while True:
            try:
                while True:
                    key, way, place, data = await self._queue.get()
                    if key == _END:
                        return
                    self._hear(key, way, place, data)
            except _UNREACHABLE as error:
                if self._is_closing:
                    return
                await self._connect_again(error)

    async def _connect_again(self, error: Exception) -> None:
        """Give up all seats, which the scheduler does too, and connect anew.

        Raises:
            PluginError: Nobody answered in time.
        """
        log.warning(
            "the Dask scheduler at %s does not answer: %s; it is tried again for %g s",
            *(self._address, error, self._give_up_after_s),
        )
        until = anyio.current_time() + self._give_up_after_s
        self._is_connected = anyio.Event()
        for seat in self._seats.all:
            self._seats.lost(seat, f"the Dask scheduler at {self._address} was lost")
        await self._disconnect(1.0)
        while not self._is_closing:
            left_s = until - anyio.current_time()
            try:
                await self._connect(min(TIMEOUT_S, max(left_s, _LEAST_TRY_S)))
            except ConfigError as last:
                if until - anyio.current_time() < _PAUSE_S:
                    raise PluginError(
                        f"the Dask scheduler at {self._address} was lost ({error}), and nobody has answered there for "
                        f"{self._give_up_after_s:g} s; a sweep with a directory goes on by Sweep.resume(...), with this cluster or another one"
                    ) from last
                await anyio.sleep(_PAUSE_S)
            else:
                return

    # -- seats --------------------------------------------------------------------------------------------------------

    async def keep(self, seat: Seat) -> None:
        """Have a task for a seat until it is gone."""
        while not self._is_connected.is_set():
            if await _first(self._is_connected, seat.gone) is seat.gone:
                return
        client, key = self._client, f"asyncsweep-{seat.name}"
        needs = {"resources": self._resources} if self._resources else {}
        try:
            future = client.submit(
                *(serve, key, self._queue.name, client.id, self._offers), key=key, pure=False, retries=0, **needs
            )
        except _UNREACHABLE as error:
            self._seats.lost(seat, f"the Dask scheduler at {self._address} was lost: {error}")
            return
        self._by_key[key] = seat
        ended, carried = anyio.Event(), anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._see_end, future, seat, ended)
                tasks.start_soon(self._carry, client, key, seat, carried)
                await seat.gone.wait()
                with anyio.move_on_after(_CALL_S):
                    if seat.place:
                        await carried.wait()
                        if seat.has_left:
                            await ended.wait()
                tasks.cancel_scope.cancel()
        finally:
            del self._by_key[key]
            way = self._ways.pop(key, None)
            future.release()
            if way is not None and client is self._client:
                self._strays[way] = seat.place
                if seat.place in self._removed:
                    self._tidy(seat.place)

    async def _carry(self, client: Any, key: str, seat: Seat, carried: anyio.Event) -> None:
        """Carry what is for a seat. It has nothing before it has said where to."""
        try:
            while data := await seat.out.take():
                await Queue(self._ways[key], client.scheduler).put(data)
        except (*_UNREACHABLE, KeyError) as error:
            self._seats.lost(seat, f"nothing reaches {seat.place or key}: {type(error).__name__}: {error}")
        carried.set()

    async def _see_end(self, future: Any, seat: Seat, ended: anyio.Event) -> None:
        """A task that ends while its seat is wanted is lost: it was cancelled, or could not begin."""
        error = await future.exception()
        ended.set()
        if error is None:
            self._seats.lost(seat, f"its task on the cluster is {future.status}")
        else:
            self._seats.lost(seat, str(error), ErrorInfo(type(error).__name__, f"{error}{_hint(error)}"))

    def _hear(self, key: str, way: str, place: str, data: bytes) -> None:
        seat = self._by_key.get(key)
        if not data:  # its last word: nobody waits for anything there any more
            self._strays.pop(way, None)
            self._ways.pop(key, None)
            forget(self._client, way)
            self._fewer_strays.set()
        elif seat is None:
            self._strays[way] = place
        else:
            self._ways.setdefault(key, way)
            self._seats.heard(seat, data, place)
            if place in self._removed:
                self._seats.lost(seat, f"the Dask worker at {place} was lost")

    def _tidy(self, place: str) -> None:
        """Have the scheduler forget the queues of seats that were on a worker, and cannot say their last word."""
        for way in [way for way, at in self._strays.items() if at == place]:
            del self._strays[way]
            forget(self._client, way)
        self._fewer_strays.set()

    def _see(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take an event of the scheduler's: a worker came, or is lost."""
        message = event[1]
        action, place = message.get("action"), str(message.get("worker"))
        if action == "add-worker":
            self._removed.discard(place)
            self._has_come = True
            self._has_changed.set()
        elif action == "remove-worker":
            self._removed.add(place)
            how = "left" if message.get("expected") else "was lost"
            for seat in self._seats.all:
                if seat.place == place:
                    self._seats.lost(seat, f"the Dask worker at {place} {how}")
            self._tidy(place)
            self._has_changed.set()


def room(worker: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    """How many seats fit on a worker, as the scheduler describes it: one for each thread, as far as its resources go."""
    offered = worker.get("resources", {})
    return min([int(worker["nthreads"]), *(int(offered.get(name, 0) / amount) for name, amount in resources.items())])


def _hint(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return "; the cluster's workers need asyncsweep and asyncsweep-dask, as the client does"
    return ""


async def _first(*events: anyio.Event) -> anyio.Event:
    """Wait for one of several."""
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)
    return next(event for event in events if event.is_set())
