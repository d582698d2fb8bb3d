"""A viewer on loopback, by each of its servers, and a client that says exactly what a test says.

    async with opened("serve", run) as door:                        # or "starlette", "fastapi": mounted under /tuning/
        reply = await door.request("GET", "store.js")
        reply = await door.upgrade(offered=[...], origin="http://evil.example")
        async with door.connected() as socket: ...                  # a viewer with the right token

Requests are written by hand, so that a path, a Host or a method may be what no library would send.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import anyio
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import ClientConnection, connect

from asyncsweep.viewer.mounting import asgi
from asyncsweep.viewer.serving import serve

KINDS = ["serve", "starlette", "fastapi"]
TOKEN = "the-first-token.0123456789_abcdef"
CONTROL = "the-second-token.0123456789_abcdef"
JSON = "asyncsweep.v1.json"

WAIT_S = 10.0


class Reply(NamedTuple):
    """An HTTP response, as it was."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes


class Door:
    """A viewer's server."""

    def __init__(self, port: int, base: str) -> None:
        self.port = port
        self.base = base
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"

    def tokens(self, token: str | None = TOKEN, control: str | None = None) -> list[str]:
        """The subprotocols of a viewer."""
        found = [JSON]
        found += [] if token is None else [f"asyncsweep.token.{token}"]
        return found + ([] if control is None else [f"asyncsweep.control.{control}"])

    async def request(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = (), host: str | Sequence[str] | None = None
    ) -> Reply:
        """Ask for what is below the viewer's base."""
        return await self.ask(method, self.base + path, [("Connection", "close"), *headers], host)

    async def upgrade(
        self,
        offered: Sequence[str] = (),
        origin: str | Sequence[str] | None = "",
        headers: Sequence[tuple[str, str]] = (),
        host: str | Sequence[str] | None = None,
        path: str = "stream",
    ) -> Reply:
        """Ask for the stream; the answer, and then the connection is closed. An origin of "" is the right one."""
        origins = (
            [self.origin] if origin == "" else [] if origin is None else [origin] if isinstance(origin, str) else origin
        )
        found = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", base64.b64encode(b"0123456789abcdef").decode()),
            *(("Origin", item) for item in origins),
            *([("Sec-WebSocket-Protocol", ", ".join(offered))] if offered else []),
            *headers,
        ]
        return await self.ask("GET", self.base + path, found, host)

    def upgrade_request(self) -> bytes:
        """What a viewer sends to be let in."""
        lines = [
            f"GET {self.base}stream HTTP/1.1",
            f"Host: {self.host}",
            f"Origin: {self.origin}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
            f"Sec-WebSocket-Protocol: {', '.join(self.tokens())}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def ask(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], host: str | Sequence[str] | None = None
    ) -> Reply:
        hosts = [self.host] if host is None else [host] if isinstance(host, str) else host
        lines = [f"{method} {target} HTTP/1.1", *(f"Host: {item}" for item in hosts)]
        lines += [f"{name}: {value}" for name, value in headers]
        return await self.exchange("\r\n".join([*lines, "", ""]).encode("latin-1"), has_body=method != "HEAD")

    async def exchange(self, data: bytes, *, has_body: bool = True) -> Reply:
        """Send bytes, and read the response."""
        with anyio.fail_after(WAIT_S):
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                await stream.send(data)
                found = b""
                while not _is_whole(found, has_body=has_body):
                    try:
                        found += await stream.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        break
        return _reply(found)

    @asynccontextmanager
    async def connected(self, offered: Sequence[str] | None = None, **options: Any) -> AsyncIterator[ClientConnection]:
        """A connection to the stream."""
        offered = self.tokens() if offered is None else offered
        options = {"compression": None, "open_timeout": WAIT_S, "close_timeout": WAIT_S, "proxy": None, **options}
        url = f"ws://{self.host}{self.base}stream"
        async with connect(url, origin=self.origin, subprotocols=offered, **options) as socket:  # type: ignore[arg-type]
            yield socket


@asynccontextmanager
async def opened(kind: str, runs: Any, **options: Any) -> AsyncIterator[Door]:
    """A viewer by one of its servers, with `TOKEN`."""
    options = {"token": TOKEN, **options}
    if kind == "serve":
        async with serve(runs, **options) as viewer:
            yield Door(viewer.port, "/")
    elif kind == "starlette":
        async with mounted(Starlette(routes=[Mount("/tuning", asgi(runs, **options))])) as port:
            yield Door(port, "/tuning/")
    else:
        app = FastAPI()
        app.mount("/tuning", asgi(runs, **options))
        async with mounted(app) as port:
            yield Door(port, "/tuning/")


@asynccontextmanager
async def mounted(app: Any, **options: Any) -> AsyncIterator[int]:
    """An application under uvicorn; yields its port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = _Uvicorn(uvicorn.Config(app, lifespan="off", log_config=None, **options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [sock])
            await server.is_up.wait()
            try:
                yield sock.getsockname()[1]
            finally:
                server.should_exit = True


class _Uvicorn(uvicorn.Server):
    """One that tells when it is up, and leaves signals to others."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_whole(data: bytes, *, has_body: bool) -> bool:
    _, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    found = _reply(data)
    if found.status == 101 or not has_body:
        return True
    return "content-length" in found.headers and len(body) >= int(found.headers["content-length"])


def _reply(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = first.split(" ")
    return Reply(int(words[1]) if len(words) > 1 else 0, headers, body, data)
