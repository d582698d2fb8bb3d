"""A server that says what a test wants: the other end of a client of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

HELLO = {"type": "hello", "protocol": 1, "server": "0.1.0", "sweeps": ["first"], "control": False}
INFO = {
    "name": "first",
    "directions": {"loss": "minimize"},
    "sampler": "tpe",
    "n_trials": 100,
    "concurrency": 2,
    "unknown": 1,
}
COLUMNS: list[dict[str, Any]] = [
    {"key": "lr", "name": "lr", "kind": "param", "type": "float", "low": 1e-5, "high": 0.1, "log": True},
    {"key": "opt", "name": "opt", "kind": "param", "type": "category", "choices": ["sgd", "None", "[1, 2]"]},
    {"key": "epochs", "name": "epochs", "kind": "param", "type": "constant", "choices": ["30"]},
    {"key": "n", "name": "n", "kind": "param", "type": "int", "low": "-9223372036854775808", "high": 5},
    {"key": "loss", "name": "loss", "kind": "metric", "type": "float", "direction": "minimize"},
    {"key": "constraint:loss", "name": "loss", "kind": "constraint", "type": "float"},
]  # fmt: skip


def row(number: int, state: str = "COMPLETE", *cells: Any) -> list[Any]:
    return [number, state, 1, 1763800000.5, 2.5, 3, "NaN", None, *cells]


def snapshot(
    *rows: list[Any], part: int = 0, last: bool = True, seq: int = 10, epoch: str = "e", columns: Any = COLUMNS
) -> dict[str, Any]:
    head = {"info": INFO, "columns": columns} if part == 0 else {}
    message = {"type": "snapshot", "sweep": "first", "epoch": epoch, "part": part, "last": last, "seq": seq, "total": 9}
    return {**message, **head, "rows": list(rows)}


def status(state: str = "RUNNING", seq: int = 10, **more: Any) -> dict[str, Any]:
    head = {"type": "status", "state": state, "seq": seq, "reason": ""}
    return {**head, "counts": {"COMPLETE": 1}, "total": 1, "stride": 1, **more}


class Peer:
    """A client that has come.

    Attributes:
        heard: What it said, in order.
        offered: The subprotocols that it came with.
        headers: Of its request.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.heard: list[dict[str, Any]] = []
        assert connection.request is not None
        self.headers = connection.request.headers
        self.path = connection.request.path
        self.offered = self.headers["Sec-WebSocket-Protocol"].split(", ")

    async def say(self, *messages: dict[str, Any] | bytes | str) -> None:
        for message in messages:
            await self._connection.send(msgpack.packb(message) if isinstance(message, dict) else message)

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of a type; others are passed by."""
        while True:
            self.heard.append(msgpack.unpackb(await self._connection.recv()))
            if self.heard[-1]["type"] == kind:
                return self.heard[-1]

    async def open(self, *messages: dict[str, Any], **hello: Any) -> dict[str, Any]:
        """Say hello, and after the client's `open` the rest: a snapshot of no trials, and a status, if there is none."""
        await self.say({**HELLO, **hello})
        opened = await self.hear("open")
        await self.say(*(messages or (snapshot(), status())))
        return opened

    async def close(self, code: int = 1001, reason: str = "") -> None:
        await self._connection.close(code, reason)

    async def gone(self) -> None:
        await self._connection.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def serving(*scripts: Script, port: int = 0) -> AsyncIterator[str]:
    """The address of a server that follows one script for each connection, the last one for all further ones.

    What a script raises, the test raises.
    """
    came = 0
    faults: list[BaseException] = []

    async def talk(connection: ServerConnection) -> None:
        nonlocal came
        script = scripts[min(came, len(scripts) - 1)]
        came += 1
        try:
            async with asyncio.timeout(20):
                await script(Peer(connection))
        except AssertionError as error:
            faults.append(error)

    subprotocols = [Subprotocol("asyncsweep.v1.msgpack")]
    async with serve(talk, "127.0.0.1", port, subprotocols=subprotocols, compression=None) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/#token=T0ken.x&control=C~1"
    if faults:
        raise faults[0]
