"""The viewer as an ASGI application, to be mounted in another one, under any prefix; on any event loop.

    viewer = sw.viewer.asgi(run)
    app.mount("/tuning", viewer)                     # Starlette, FastAPI
    print("http://127.0.0.1:8000/tuning/" + viewer.fragment)

The page's addresses are relative. What the server around it decides is not ours: how long a message may be before it is given to us
(more than 1 MiB is refused here in any case), whether it compresses, how many connections it takes, and what it writes into its log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import anyio

from asyncsweep.viewer.answers import STREAM, Answer, answer, moved, refused, single
from asyncsweep.viewer.assets import Asset, assets
from asyncsweep.viewer.guard import (
    FULL,
    NO_UPGRADE,
    NOT_FOUND,
    UNKNOWN_HOST,
    WRONG_ORIGIN,
    Admission,
    Guard,
    Refusal,
    guard_of,
)
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.served import Served, sources_of
from asyncsweep.viewer.visits import MESSAGE_LIMIT_BYTES, TooLong, Visits, taken

# How long a connection that was refused may take to be gone.
_GONE_S = 1.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def asgi(
    runs: Served,
    *,
    token: str | None = None,
    control: bool = False,
    control_token: str | None = None,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
) -> Asgi:
    """An ASGI application that shows sweeps. It needs no lifespan; make it once the runs have started.

    Args:
        runs: A run that has started, the source of a directory (`sw.viewer.opened`), or several of these in a list or by names of your
            choice.
        token: Who has it may look; made where it is left out. At least 128 bits, in letters, digits and `_.~-`.
        control: Whether who has the second token may pause, stop, cancel and enqueue.
        control_token: The second token; made where it is left out.
        hosts: Names besides localhost under which the server is visited: "lab.example", or "lab.example:8080".
        origins: What pages have as `Origin` where that is not the server's own: "https://lab.example" behind a proxy that speaks TLS
            and does not say so.

    Raises:
        ConfigError: An argument is wrong, a run has not started, or the extra `asyncsweep[viewer]` is not installed.
    """
    guard = guard_of(token, control, control_token, hosts, origins)
    hubs = {name: Hub(source) for name, source in sources_of(runs).items()}
    return Asgi(guard, assets(), Visits(hubs))


class Asgi:
    """See `asgi`.

    Attributes:
        fragment: What belongs behind the address of the page, from the # on: the tokens.
    """

    def __init__(self, guard: Guard, assets: Mapping[str, Asset], visits: Visits) -> None:
        self._guard = guard
        self._assets = assets
        self._visits = visits
        self.fragment = guard.fragment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = await self._answer(scope)
            await _respond("http.response", found, send, without_body=scope["method"] == "HEAD")
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:  # a lifespan, which servers go without where it is refused
            raise ValueError(f"the viewer serves http and websocket, and not {scope['type']!r}")

    async def _answer(self, scope: Scope) -> Answer:
        headers = _headers(scope)
        host = self._guard.host(_all(headers, "host"))
        if host is None:
            return self._refused(UNKNOWN_HOST, _all(headers, "host"))
        below = _below(scope)
        if below is None:
            query = scope.get("query_string", b"").decode("latin-1")
            return moved(f"./{quote(scope['root_path'].rpartition('/')[2])}/{'?' if query else ''}{query}")
        if below == STREAM and scope["method"] in ("GET", "HEAD"):
            return refused(NO_UPGRADE)
        return await answer(
            self._assets,
            scope["method"],
            below,
            single(headers),
            host=host,
            is_encrypted=scope.get("scheme") == "https",
        )

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        verdict = self._verdict(scope)
        if not isinstance(verdict, Admission):
            if "websocket.http.response" in (scope.get("extensions") or {}):
                await _respond("websocket.http.response", verdict, send)
                # uvicorn 0.54 logs an error when we are done before the connection is; it tells us of each of the two.
                with anyio.move_on_after(_GONE_S):
                    for _ in range(2):
                        await receive()
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        await send({"type": "websocket.accept", "subprotocol": verdict.subprotocol, "headers": []})
        channel = _Channel(receive, send, is_text=verdict.is_text)
        ending = await self._visits.visit(channel, may_control=verdict.may_control)
        await channel.close(*ending)

    def _verdict(self, scope: Scope) -> Admission | Answer:
        headers = _headers(scope)
        host = self._guard.host(_all(headers, "host"))
        if host is None:
            return self._refused(UNKNOWN_HOST, _all(headers, "host"))
        if _below(scope) != STREAM:
            return refused(NOT_FOUND)
        origins = _all(headers, "origin")
        offered = list(scope.get("subprotocols") or ())
        verdict = self._guard.upgrade(host, origins, offered, is_encrypted=scope.get("scheme") == "wss")
        if isinstance(verdict, Refusal):
            return self._refused(verdict, origins if verdict is WRONG_ORIGIN else ())
        return self._refused(FULL) if self._visits.is_full else verdict

    def _refused(self, refusal: Refusal, values: Sequence[str] = ()) -> Answer:
        self._visits.refuse(refusal, ", ".join(values))
        return refused(refusal)


class _Channel:
    """A viewer's connection as the session sees it; see `Channel`."""

    def __init__(self, receive: Receive, send: Send, *, is_text: bool) -> None:
        self._receive = receive
        self._send = send
        self.is_text = is_text
        self.is_closed = False

    async def send(self, data: bytes) -> None:
        await self._put({"type": "websocket.send", **({"text": data.decode()} if self.is_text else {"bytes": data})})

    async def receive(self) -> str | bytes | None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.is_closed = True
                return None
            text, data = message.get("text"), message.get("bytes")
            found: str | bytes = data or b"" if text is None else text
            if len(found) > MESSAGE_LIMIT_BYTES or (text is not None and len(text.encode()) > MESSAGE_LIMIT_BYTES):
                raise TooLong
            return found

    async def close(self, code: int, reason: str) -> None:
        """Close it, unless it is closed already."""
        if not self.is_closed:
            with suppress(anyio.BrokenResourceError):
                await self._put({"type": "websocket.close", "code": code, "reason": reason})

    async def _put(self, message: Message) -> None:
        try:
            await taken(lambda: self._send(message), OSError, RuntimeError)
        except anyio.BrokenResourceError:
            self.is_closed = True
            raise


async def _respond(kind: str, found: Answer, send: Send, *, without_body: bool = False) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in found.headers]
    await send({"type": f"{kind}.start", "status": found.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if without_body else found.body})


def _below(scope: Scope) -> str | None:
    """The path below the prefix under which we are mounted, without the slash between them; None where that is left out.

    Some servers have the prefix in the path, as ASGI says, and some do not.
    """
    path: str = scope["path"]
    prefix: str = (scope.get("root_path") or "").rstrip("/")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path[len(prefix) :]
    if not path:
        return None if prefix else ""
    return path[1:] if path.startswith("/") else path


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]


def _all(headers: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key == name]
