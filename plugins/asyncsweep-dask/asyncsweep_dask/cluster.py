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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc

from asyncsweep import ConfigError
from asyncsweep.core.events import ExecutorFailed
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.outposts.seats import Seat, Seats
from asyncsweep.hooks.contracts import Inbox
from asyncsweep_dask.connection import THREE_WAYS, loaded
from asyncsweep_dask.queues import Queue, forget
from asyncsweep_dask.seat import serve

# How much longer than a trial's grace a seat may take to leave.
_LEAVE_S = 5.0
# How long it may take until a scheduler answers.
TIMEOUT_S = 30.0
# How long a call to the scheduler may take when there is nothing more to lose.
_CALL_S = 5.0
# How long to wait before each further try to reach a scheduler that was lost; each try has Dask's own timeout.
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
# What a call raises when the scheduler is gone, and when our connection is closed.
_UNREACHABLE = (OSError, RuntimeError)
# Not the key of any task: nothing more comes.
_END = ""

log = logging.getLogger("asyncsweep")


class Cluster:
    """The connection to a cluster, and what is asked of it.

    Args:
        address: The scheduler's.
        security: For the talk with it; None for Dask's own settings.
        resources: What each seat needs.
        inbox: Where it is said that the cluster is lost.
    """

    def __init__(self, address: str, security: Any, resources: dict[str, float], inbox: Inbox) -> None:
        self._address = address
        self._security = security
        self._resources = resources
        self._inbox = inbox
        self._seats: Seats
        self._client: Any = None
        self._queue: Queue
        self._is_connected = anyio.Event()
        self._is_closing = False
        self._tasks: anyio.abc.TaskGroup
        self._scopes: set[anyio.CancelScope] = set()
        self._all_ended = anyio.Event()
        # By their tasks' keys: the seats, and where what is for each of them goes, once it has said so.
        self._by_key: dict[str, Seat] = {}
        self._ways: dict[str, str] = {}
        self._removed: set[str] = set()

    @asynccontextmanager
    async def open(self, seats: Seats, tasks: anyio.abc.TaskGroup, count: int, grace_s: float) -> AsyncIterator[None]:
        """While it is entered, there are so many seats.

        Raises:
            ConfigError: No scheduler answers.
        """
        self._seats, self._tasks = seats, tasks
        await self._connect()
        self._start(self._listen)
        try:
            for _ in range(count):
                self._start(self._keep, seats.add())
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._close(grace_s)

    def replace(self, seat: Seat, after_s: float) -> None:
        """Ask for another seat after a while."""
        self._start(self._replace, after_s)

    # -- tasks, which a cancelled sweep does not cut short ------------------------------------------------------------

    def _start(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        if not self._is_closing:
            self._tasks.start_soon(self._shielded, task, *arguments)

    async def _shielded(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        scope = anyio.CancelScope(shield=True)
        self._scopes.add(scope)
        try:
            with scope:
                await task(*arguments)
        finally:
            self._scopes.remove(scope)
            self._all_ended.set()

    async def _close(self, grace_s: float) -> None:
        self._is_closing = True
        try:
            await self._seats.close(grace_s + _LEAVE_S)
            with anyio.move_on_after(_CALL_S):
                await self._say_end()
                while self._scopes:
                    self._all_ended = anyio.Event()
                    await self._all_ended.wait()
        finally:
            for scope in self._scopes:
                scope.cancel()
            await self._disconnect()

    async def _say_end(self) -> None:
        """Let go who listens here, and at the scheduler."""
        if self._is_connected.is_set():
            with suppress(*_UNREACHABLE):
                await self._queue.put([_END, "", "", b""])

    # -- the connection -----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        distributed = await loaded()
        try:
            self._client = await distributed.Client(
                self._address,
                security=self._security,
                asynchronous=True,
                set_as_default=False,
                direct_to_workers=False,
                name="asyncsweep",
                timeout=TIMEOUT_S,
            )
        except (OSError, ValueError) as error:  # nobody there, or no address
            raise ConfigError(
                f"executor='dask': no scheduler answers at {self._address}: {error}; {THREE_WAYS}"
            ) from error
        self._client.subscribe_topic("all", self._see)
        self._queue = Queue(f"asyncsweep-{secrets.token_hex(8)}", self._client.scheduler)
        await self._queue.make()
        self._is_connected.set()

    async def _disconnect(self, within_s: float = _CALL_S) -> None:
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(within_s), suppress(*_UNREACHABLE):
                forget(client, self._queue.name)
                client.unsubscribe_topic("all")
                await client.close()

    async def _listen(self) -> None:
        """Take what seats say; when the scheduler is lost, look for it again."""
        while True:
            try:
                while True:
                    key, way, place, data = await self._queue.get()
                    if key == _END:
                        return
                    self._hear(key, way, place, data)
            except _UNREACHABLE as error:
                if self._is_closing or not await self._connected_again(error):
                    return

    async def _connected_again(self, error: Exception) -> bool:
        """Give up all seats, which the scheduler does too, and connect anew; False when that is no use."""
        log.warning("the Dask scheduler at %s does not answer: %s; it is tried again", self._address, error)
        self._is_connected = anyio.Event()
        for seat in self._seats.all:
            self._seats.lost(seat, f"the Dask scheduler at {self._address} was lost")
        await self._disconnect(1.0)
        for pause_s in _PAUSES_S:
            try:
                await self._connect()
            except ConfigError:
                await anyio.sleep(pause_s)
            else:
                return True
        why = f"the Dask scheduler at {self._address} does not answer any more: {error}"
        self._inbox.post(ExecutorFailed(ErrorInfo("WorkerLost", why)))
        return False

    # -- seats --------------------------------------------------------------------------------------------------------

    async def _keep(self, seat: Seat) -> None:
        """Have a task for a seat until it is gone."""
        await self._is_connected.wait()
        client, key = self._client, f"asyncsweep-{seat.name}"
        self._by_key[key] = seat
        future = client.submit(
            serve, key, self._queue.name, client.id, key=key, resources=self._resources or None, pure=False, retries=0
        )
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
                with suppress(*_UNREACHABLE):
                    forget(client, way)

    async def _replace(self, after_s: float) -> None:
        await anyio.sleep(after_s)
        if not self._is_closing:
            await self._keep(self._seats.add())

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
        if seat is not None:
            self._ways.setdefault(key, way)
            self._seats.heard(seat, data, place)
            if place in self._removed:
                self._seats.lost(seat, f"the Dask worker at {place} was lost")

    def _see(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take an event of the scheduler's: a worker came, or is lost."""
        message = event[1]
        action, place = message.get("action"), message.get("worker")
        if action == "add-worker":
            self._removed.discard(str(place))
        elif action == "remove-worker":
            self._removed.add(str(place))
            how = "left" if message.get("expected") else "was lost"
            for seat in self._seats.all:
                if seat.place == place:
                    self._seats.lost(seat, f"the Dask worker at {place} {how}")


def _hint(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return "; the cluster's workers need asyncsweep and asyncsweep-dask, as the client does"
    return ""
