"""Keeps a client's connection to a stream: one task that takes in what comes, acknowledges it, and connects again where it is lost.

What is known is always the newest. Changes that the program has not fetched yet are put together, so their memory is bounded by the
number of trials. A new snapshot takes the table's place when it is whole: a table that is read never has a hole. After a loss of the
connection the server is asked for what was missed, by epoch and seq; one that began anew answers with a snapshot.
"""

from __future__ import annotations

import asyncio
import random
import time
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from asyncsweep import __version__
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.progress.text import visible
from asyncsweep.viewer.address import Address
from asyncsweep.viewer.dialing import Unreachable, dialled
from asyncsweep.viewer.received import Curves, Table
from asyncsweep.viewer.shapes import PROTOCOL, Delta, Hello, Malformed, Points, Snapshot, Status, decoded, shaped

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

# What a server takes in one message, and so many questions may wait at it.
MESSAGE_LIMIT_BYTES = 2**20
MOST_QUESTIONS = 16
FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 5.0
_POLICY_VIOLATION = 1008


class Change(NamedTuple):
    """What has changed since the last time; the stream's attributes have it all.

    Attributes:
        trials: The numbers of trials that are new or different.
        gone: Trials that are not told of any more.
        curves: Watched trials whose curves are different.
        columns: Whether the columns are others.
        status: Whether the status is another one.
    """

    trials: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    curves: tuple[int, ...] = ()
    columns: bool = False
    status: bool = False


class _Gap(Exception):
    """A delta does not begin where the one before it ended."""


class Keeper:
    """What is known of one sweep, and the way to its server. It is made, and used, in an asyncio loop.

    Args:
        address: Of the viewer.
        sweep: The name of the sweep; None where there is one.
        reconnect_s: For how long a lost connection is tried to be made again.
        timeout_s: How long a connection, and the first message, may take.

    Attributes:
        sweeps: All sweeps of the server.
        may_control: Whether it takes commands from us.
        table: The trials; None before the first snapshot is whole.
        status: How the sweep stands; None before the first.
        curves: Of the trials that are watched.
        n_connections: How many connections there were.
        fault: Why there is no connection any more, nor will be; None while there is hope.
    """

    def __init__(self, address: Address, sweep: str | None, reconnect_s: float, timeout_s: float) -> None:
        self.address = address
        self.sweeps: tuple[str, ...] = ()
        self.may_control = False
        self.table: Table | None = None
        self.status: Status | None = None
        self.curves = Curves()
        self.n_connections = 0
        self.fault: ConfigError | None = None
        self._sweep = sweep
        self._reconnect_s = reconnect_s
        self._timeout_s = timeout_s
        self._coming: Table | None = None
        self._since: tuple[str, int] | None = None
        self._connection: ClientConnection | None = None
        self._is_met = self._is_heard = False
        self._changed: dict[int, None] = {}
        self._grown: dict[int, None] = {}
        self._has_columns = self._has_status = False
        self._is_status_old = False  # it is of the snapshot before
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._news = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def is_complete(self) -> bool:
        """Whether the sweep is over, and all of it was received."""
        if self.status is None or not self.status.is_over or self._coming is not None or self._is_status_old:
            return False
        return self._since is not None and self._since[1] >= self.status.seq

    async def ready(self) -> None:
        """Wait until everything that there was has been received.

        Raises:
            ConfigError: There is no way to it.
        """
        while self.table is None or self.status is None:
            await self.newer()

    async def newer(self) -> None:
        """Wait until something is different. Look at what is wanted before: after the last news there are no more.

        Raises:
            ConfigError: The connection is lost for good.
        """
        if self.fault is not None:
            raise self.fault
        await self._news.wait()

    def take_change(self) -> Change | None:
        """What has changed since this was called before; None for nothing."""
        trials = {} if self.table is None else self.table.trials
        change = Change(
            tuple(number for number in self._changed if number in trials),
            tuple(number for number in self._changed if number not in trials),
            tuple(self._grown),
            self._has_columns,
            self._has_status,
        )
        self._changed, self._grown = {}, {}
        self._has_columns = self._has_status = False
        return change if any(change) else None

    async def ask(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """The server's answer to a question; None when the connection was lost before it came.

        Raises:
            ConfigError: The question has what cannot be sent, or the connection is lost for good.
        """
        while self._connection is None:
            await self.newer()
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self.send({"type": "ask", "id": number, **fields})
            return await answer
        finally:
            del self._asked[number]

    async def watch(self, trials: tuple[int, ...]) -> None:
        """Have the curves of these trials."""
        self.curves.watch(trials)
        await self.send({"type": "watch", "trials": list(trials)})

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message; while there is no connection, it is dropped.

        Raises:
            ConfigError: It has what cannot be sent.
        """
        from websockets.exceptions import ConnectionClosed

        what = message.get("what", message["type"])
        try:
            data = msgpack.packb(message)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"{what}: {error}; expected plain values") from error
        if len(data) > MESSAGE_LIMIT_BYTES:
            raise ConfigError(f"{what}: {len(data)} bytes; a server takes at most {MESSAGE_LIMIT_BYTES} at a time")
        if self._connection is not None:
            try:
                await self._connection.send(data)
            except ConnectionClosed:
                return  # whoever receives is told as well

    async def run(self) -> None:
        """Keep the connection, until cancelled or there is no hope; then `fault` tells why."""
        lost_at: float | None = None
        delay_s = FIRST_DELAY_S
        try:
            while True:
                try:
                    why = await self._converse()
                except Unreachable as error:
                    why = str(error)
                self._lose()
                if not self._is_met:
                    raise ConfigError(why)
                now = time.monotonic()
                if lost_at is None or self._is_heard:
                    lost_at, delay_s, self._is_heard = now, FIRST_DELAY_S, False
                if now - lost_at >= self._reconnect_s:
                    raise ConfigError(f"{why}; the connection was lost {now - lost_at:.0f} s ago")
                await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        except Malformed as error:
            self.fault = ConfigError(f"{self._place}: the server said what is no message of the stream: {error}")
        except ConfigError as error:
            self.fault = error
        finally:
            self._lose()

    async def _converse(self) -> str:
        """One connection, from its first message to its end; why it ended.

        Raises:
            Unreachable: There was none.
            ConfigError: There is no sense in another one.
            Malformed: The server says what is no message.
        """
        from websockets.exceptions import ConnectionClosed

        async with dialled(self.address, self._timeout_s) as connection:
            try:
                self._greet(decoded(await self._received(connection)))
                self._connection = connection
                self.n_connections += 1
                epoch, since = self._since or (None, None)
                await self.send({"type": "open", "sweep": self._sweep, "epoch": epoch, "since": since})
                if self.curves.watched:
                    await self.watch(self.curves.watched)
                self._wake()
                n_received = 0
                while True:
                    if self._take(decoded(await self._received(connection))):
                        n_received += 1
                        await self.send({"type": "ack", "received": n_received})
            except ConnectionClosed as error:
                said = error.rcvd
                if said is not None and said.code == _POLICY_VIOLATION:
                    raise ConfigError(f"{self._place}: the server ended it: {visible(said.reason)}") from error
                return f"{self._place}: the server is gone"
            except TimeoutError:
                return f"{self._place}: the server says nothing for {self._timeout_s:g} s"
            except _Gap:
                return f"{self._place}: the server has left something out"

    async def _received(self, connection: ClientConnection) -> bytes | str:
        """The next message. One that there must be soon is not waited for without end."""
        is_due = self._connection is None or self._coming is not None or self.table is None or self.status is None
        async with asyncio.timeout(self._timeout_s if is_due else None):
            return await connection.recv()

    def _greet(self, message: dict[str, Any]) -> None:
        """Take in the first message."""
        protocol = message.get("protocol")
        if isinstance(protocol, int) and protocol > PROTOCOL:
            raise ConfigError(
                f"{self._place}: the server speaks version {protocol} of the stream (asyncsweep {visible(str(message.get('server')))}), "
                f"and asyncsweep {__version__} knows {PROTOCOL}; install a newer one here"
            )
        hello = shaped(message)
        if not isinstance(hello, Hello):
            raise Malformed(f"the first one is a {message['type']}")
        self._is_met = True
        self.sweeps, self.may_control = hello.sweeps, hello.control
        if self._sweep is None and len(self.sweeps) == 1:
            self._sweep = self.sweeps[0]
        if self._sweep is None:
            raise ConfigError(f"sweep: {self._place} has several; name one of: {listed(map(visible, self.sweeps))}")
        if self._sweep not in self.sweeps:
            hint = visible(did_you_mean(self._sweep, self.sweeps))
            raise ConfigError(
                f"sweep={self._sweep!r}: {self._place} has no such sweep{hint}; there are: {listed(map(visible, self.sweeps))}"
            )

    def _take(self, plain: dict[str, Any]) -> bool:
        """Take in a message; whether it is one to be acknowledged."""
        if plain["type"] == "answer":
            self._answer(plain)
            return False
        message = shaped(plain)
        if isinstance(message, Snapshot):
            self._take_snapshot(message)
        elif isinstance(message, Delta):
            self._take_delta(message)
        elif isinstance(message, Status):
            self.status = message
            self._has_status, self._is_status_old = True, False
        elif isinstance(message, Points):
            self._grown |= dict.fromkeys(self.curves.take(message))
        else:
            return False
        self._is_heard = True
        self._wake()
        return True

    def _take_snapshot(self, message: Snapshot) -> None:
        if message.part == 0:
            if message.info is None:
                raise Malformed("the first part of a snapshot has no info")
            self._coming = Table(message.info)
            self._is_status_old = True
        if self._coming is None:
            raise Malformed("a part of a snapshot without its first one")
        self._coming.take(message)
        if message.last:
            before, self.table, self._coming = self.table, self._coming, None
            self._since = (message.epoch, message.seq)
            self._changed |= dict.fromkeys(self.table.trials)
            if before is not None:
                self._changed |= dict.fromkeys(before.trials)
            self._has_columns = True

    def _take_delta(self, message: Delta) -> None:
        table = self._coming or self.table
        if table is None:
            raise Malformed("a delta before the snapshot")
        if table is self.table and self._since is not None and message.begin > self._since[1]:
            self._since = None
            raise _Gap
        changed = table.take(message)
        if table is self.table and self._since is not None:
            self._since = (self._since[0], message.seq)
            self._changed |= dict.fromkeys(changed) | dict.fromkeys(message.gone)
            self._has_columns |= message.columns is not None

    def _answer(self, answer: dict[str, Any]) -> None:
        """Give an answer to who waits for it; one that nobody waits for any more is dropped."""
        number = answer.get("id")
        waiting = self._asked.get(number) if isinstance(number, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _lose(self) -> None:
        """There is no connection now: nothing that was asked is answered any more, and half a snapshot is none."""
        self._connection = self._coming = None
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_result(None)
        self._wake()

    def _wake(self) -> None:
        """Let everybody look who waits for something."""
        self._news.set()
        self._news = asyncio.Event()

    @property
    def _place(self) -> str:
        return f"url={self.address.shown!r}"
