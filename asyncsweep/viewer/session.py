"""One viewer's connection, from its first message to its end, whoever carries it.

Two tasks: one listens, one speaks, and the end of either ends both. Who speaks waits in `send` for as long as the viewer does not read,
and who listens waits while too many questions are open; so nothing piles up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Protocol

import anyio

from asyncsweep import __version__
from asyncsweep.viewer import incoming
from asyncsweep.viewer.flow import Flow
from asyncsweep.viewer.forms import JSON, MSGPACK
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Ask, Unwelcome
from asyncsweep.viewer.requests import Answers

__all__ = ["Channel", "Session", "Unwelcome", "converse"]

PROTOCOL = 1
MOST_ASKED = 16
MOST_ASKED_BYTES = 2 * 2**20
# What sending a message costs beside making it, roughly: frames, system calls, the acknowledgement. Counted, because it can
# not be measured from here.
SENDING_S = 0.0008


class Channel(Protocol):
    """A connection to a viewer.

    Attributes:
        is_text: Whether messages are JSON in text, or MessagePack in binary.
    """

    is_text: bool

    async def send(self, data: bytes) -> None:
        """Send a message: UTF-8 of a text message, or a binary one. Waits while the viewer does not read.

        Raises:
            anyio.BrokenResourceError: The viewer has gone.
        """

    async def receive(self) -> str | bytes | None:
        """The next message of at most 1 MiB; None when the connection is closed."""


async def converse(hubs: Mapping[str, Hub], channel: Channel, *, may_control: bool) -> None:
    """A viewer's whole life.

    Args:
        hubs: The sweeps by name.
        channel: Its connection.
        may_control: Whether it may steer.

    Raises:
        Unwelcome: It broke the protocol.
    """
    await Session(hubs, channel, may_control).run()


class Session:
    """What `converse` does, for a server that wants to know how far it is."""

    def __init__(self, hubs: Mapping[str, Hub], channel: Channel, may_control: bool) -> None:
        self._hubs = hubs
        self._channel = channel
        self._may_control = may_control
        self._form = JSON if channel.is_text else MSGPACK
        self._flow = Flow(self._form)
        self._answers = Answers(self._form, may_control)
        self._asked: deque[tuple[Ask, Hub | None]] = deque()
        self._asked_bytes = 0
        self._room = anyio.Event()
        self._was_opened = False
        # What the listener has heard wakes the speaker, whatever that waits for.
        self._is_stirred = False
        self._stirred = anyio.Event()
        self._waiting: anyio.CancelScope | None = None

    async def run(self) -> None:
        failures: list[BaseException] = []

        async def listen() -> None:
            try:
                await self._listen()
            except (Unwelcome, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                failures.append(error)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            try:
                await self._speak()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                tasks.cancel_scope.cancel()
        for failure in failures:
            if isinstance(failure, Unwelcome):
                raise failure

    @property
    def is_current(self) -> bool:
        """Whether the viewer has acknowledged all that there is of the sweep that it has opened."""
        return self._flow.is_current

    def stir(self) -> None:
        """Have it look whether there is anything to say, whatever it waits for."""
        self._is_stirred = True
        self._stirred.set()
        if self._waiting is not None:
            self._waiting.cancel()

    # -- listening --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while (data := await self._channel.receive()) is not None:
            message = incoming.read(data, self._form)
            if isinstance(message, incoming.Ack):
                self._flow.ack(message.received)
            elif isinstance(message, Ask):
                await self._take(message)
            elif isinstance(message, incoming.Watch):
                self._flow.watch(message.trials)
            elif isinstance(message, incoming.Open):
                self._open(message)
            self.stir()

    def _open(self, message: incoming.Open) -> None:
        name = message.sweep
        if name is None and len(self._hubs) == 1:
            name = next(iter(self._hubs))
        hub = None if name is None else self._hubs.get(name)
        if name is None or hub is None:
            raise Unwelcome(f"open: there is no sweep {name!r}"[:120] if name is not None else "open: name a sweep")
        self._flow.open(name, hub, message.epoch, message.since)
        self._answers.forget()
        self._was_opened = True

    async def _take(self, ask: Ask) -> None:
        """Have a question answered; wait while as many are open as may be."""
        size = len(ask.data)
        while len(self._asked) >= MOST_ASKED or (self._asked and self._asked_bytes + size > MOST_ASKED_BYTES):
            self._room = anyio.Event()
            await self._room.wait()
        self._asked.append((ask, self._flow.hub))
        self._asked_bytes += size

    # -- speaking ---------------------------------------------------------------------------------------------------------

    async def _speak(self) -> None:
        await self._channel.send(self._form.encode(self._hello()))
        while True:
            self._is_stirred = False
            if self._asked:
                await self._answer()
                continue
            hub, seq = self._flow.hub, 0
            if hub is not None and self._flow.may_send:
                message, seq = await self._made(hub)
                if message is not None:
                    await self._channel.send(message)
                    del message  # who waits for long holds none
                    continue
            await self._wait(hub, seq)

    def _hello(self) -> dict[str, object]:
        return {
            "type": "hello",
            "protocol": PROTOCOL,
            "server": __version__,
            "sweeps": list(self._hubs),
            "control": self._may_control,
        }

    async def _answer(self) -> None:
        ask, hub = self._asked.popleft()
        self._asked_bytes -= len(ask.data)
        self._room.set()
        await self._channel.send(await self._answers.to(ask, hub))

    async def _made(self, hub: Hub) -> tuple[bytes | None, int]:
        """The next message, and up to where the viewer lacks nothing when there is none."""
        if self._was_opened or not hub.epoch:
            self._was_opened = False
            await hub.catch_up()
        async with hub.turn:
            if not self._flow.may_be_told:
                return None, -1
            began, is_news = time.perf_counter(), not self._flow.is_reading
            message, seq = self._flow.next(), hub.seq
            work_s = time.perf_counter() - began
            if message is not None and is_news:
                hub.budget.spend(SENDING_S + work_s)
        return message, seq

    async def _wait(self, hub: Hub | None, seq: int) -> None:
        """Until there is something to say, or the listener has heard something."""
        if self._is_stirred:
            return
        if hub is not None and self._flow.may_send:
            with anyio.CancelScope() as self._waiting:
                await hub.newer(seq, self._flow.round)
            self._waiting = None
        else:
            self._stirred = anyio.Event()
            await self._stirred.wait()
