"""The viewer on a port of its own: page, assets and stream, by the library `websockets`, on asyncio.

    connected ──> waits for a request ──> is answered ──> gone
                                     └──> a viewer ─────> gone

- A connection has a deadline from its first moment to its last. Until it is a viewer's it is one of at most so many, and the oldest of
  those gives way to a new one: a flood cannot keep a browser out, which sends its request as soon as it is connected.
- What a connection may send before it is let in is bounded, and so is what waits for one that does not read.
- The library answers nothing in words of its own: they may repeat what the request said, a token among it. Its log is switched off
  for the same reason, and because anybody could fill it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, cast

import anyio
from websockets.asyncio.server import Server as WebsocketsServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from asyncsweep.viewer.answers import STREAM, Answer, answer, refused, single
from asyncsweep.viewer.assets import Asset
from asyncsweep.viewer.guard import (
    BROKEN,
    FULL,
    MALFORMED,
    NO_UPGRADE,
    NOT_FOUND,
    UNKNOWN_HOST,
    WRONG_ORIGIN,
    Admission,
    Guard,
    Refusal,
    offered_in,
)
from asyncsweep.viewer.visits import MESSAGE_LIMIT_BYTES, Visits, taken

MOST_WAITING = 128
# Of answers on their way to those who do not read them.
MOST_WAITING_BYTES = 64 * 2**20
# How long a connection may take to say what it wants, to take the answer, to answer a ping, and to close.
REQUEST_S = 10.0
ANSWER_S = 60.0
PING_S = 20.0
CLOSE_S = 2.0
# How long a thread that reads a log for a viewer may hold up the end of the server.
LEAVE_S = 10.0

HEAD_LIMIT_BYTES = 2**16
MOST_UNSENT_BYTES = 16 * 2**20
_MOST_UNREAD_MESSAGES = 4

_SILENT = logging.Logger("asyncsweep.viewer.websockets", logging.CRITICAL + 1)


class Server:
    """Serves viewers on a listening socket.

    Args:
        guard: Who may come in.
        assets: The files of the page.
        visits: Those who watch.
    """

    def __init__(self, guard: Guard, assets: Mapping[str, Asset], visits: Visits) -> None:
        self._guard = guard
        self._assets = assets
        self._visits = visits
        self._server: WebsocketsServer | None = None
        # Those who are no viewers in the order in which they came, with the bytes of their answers; and those who are.
        self._waiting: dict[Connection, int] = {}
        self._viewers: set[Connection] = set()

    async def start(self, sock: socket.socket) -> None:
        """Take connections. The socket is ours from now on."""
        self._server = await serve(
            self._talk,
            sock=sock,
            create_connection=cast("type[ServerConnection]", self._connection),
            process_request=self._judge,
            select_subprotocol=_admitted,
            compression=None,
            server_header=None,
            open_timeout=ANSWER_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_S,
            max_size=MESSAGE_LIMIT_BYTES,
            max_queue=_MOST_UNREAD_MESSAGES,
            logger=_SILENT,
        )

    async def close(self, *, now: bool) -> None:
        """Close all connections, and leave nothing behind. With `now` viewers are not told."""
        server = self._server
        assert server is not None
        server.close()  # viewers are told 1001: going away
        for connection in list(self._waiting):
            connection.transport.abort()
        with anyio.CancelScope(shield=True):
            if not now:
                with anyio.move_on_after(CLOSE_S):
                    await server.wait_closed()
            for connection in self._viewers:
                connection.transport.abort()
            self._visits.end()
            with anyio.move_on_after(LEAVE_S):
                await server.wait_closed()

    # -- connections that are no viewers' yet -------------------------------------------------------------------------

    def _connection(self, protocol: ServerProtocol, server: WebsocketsServer, **options: Any) -> Connection:
        return Connection(self, protocol, server, **options)

    def came(self, connection: Connection) -> None:
        self._waiting[connection] = 0
        self._make_room()

    def went(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)
        self._viewers.discard(connection)

    def _make_room(self) -> None:
        while len(self._waiting) > MOST_WAITING or sum(self._waiting.values()) > MOST_WAITING_BYTES:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.transport.abort()

    async def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None for the upgrade of a viewer that was let in."""
        assert isinstance(connection, Connection)
        try:
            found = await self._answer(connection, request)
        except Exception as error:
            self._visits.failed(error)
            found = refused(BROKEN)
        if isinstance(found, Admission):
            connection.admission = found
            if self._waiting.pop(connection, None) is not None:  # else it is gone already
                self._viewers.add(connection)
            return None
        if connection in self._waiting:
            self._waiting[connection] = len(found.body)
            self._make_room()
        return _response(found, without_body=_method(request) == "HEAD")

    async def _answer(self, connection: Connection, request: Request) -> Answer | Admission:
        headers = request.headers
        host = self._guard.host(headers.get_all("Host"))
        if host is None:
            return self._refused(UNKNOWN_HOST, headers.get_all("Host"))
        path, method = request.path.partition("?")[0], _method(request)
        if not path.startswith("/"):
            return refused(NOT_FOUND)
        if path != f"/{STREAM}" or method not in ("GET", "HEAD"):
            fields = single(headers.raw_items())
            return await answer(self._assets, method, path[1:], fields, host=host, is_encrypted=False)
        if method != "GET" or "websocket" not in [item.lower() for item in headers.get_all("Upgrade")]:
            return refused(NO_UPGRADE)
        origins = headers.get_all("Origin")
        offered = offered_in(headers.get_all("Sec-WebSocket-Protocol"))
        verdict = self._guard.upgrade(host, origins, offered, is_encrypted=False)
        if isinstance(verdict, Refusal):
            return self._refused(verdict, origins if verdict is WRONG_ORIGIN else ())
        return self._refused(FULL) if self._visits.is_full else verdict

    def _refused(self, refusal: Refusal, values: Sequence[str] = ()) -> Answer:
        self._visits.refuse(refusal, ", ".join(values))
        return refused(refusal)

    # -- viewers ------------------------------------------------------------------------------------------------------

    async def _talk(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection) and connection.admission is not None
        channel = _Channel(connection, is_text=connection.admission.is_text)
        ending = await self._visits.visit(channel, may_control=connection.admission.may_control)
        try:
            with anyio.move_on_after(CLOSE_S):
                await connection.close(*ending)
        finally:
            connection.transport.abort()


class Connection(ServerConnection):
    """One connection, from the moment it is made.

    Attributes:
        admission: How it was let in; None before.
    """

    def __init__(self, door: Server, protocol: ServerProtocol, server: WebsocketsServer, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        protocol.reject = _rejected  # type: ignore[method-assign]
        self._door = door
        self._silence: asyncio.TimerHandle | None = None
        self._n_received = 0
        self._is_refused = False
        self.admission: Admission | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._silence = self.loop.call_later(REQUEST_S, self._end_silence)
        self._door.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._door.went(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._n_received += len(data)
        if self.admission is None and self._n_received > HEAD_LIMIT_BYTES:
            self.transport.abort()
            return
        super().data_received(data)
        # Pongs are sent without waiting, however many pings there are.
        if self.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            self.transport.abort()

    def send_data(self) -> None:
        # What is no request at all gets no answer from the library, but an end of the stream.
        is_no_request = self.request is None and isinstance(self.protocol.handshake_exc, InvalidMessage)
        if is_no_request and self._n_received and not self._is_refused and not self.transport.is_closing():
            self._is_refused = True
            self.transport.write(_response(refused(MALFORMED)).serialize())
        super().send_data()

    def _end_silence(self) -> None:
        if self.request is None:
            self.transport.abort()


class _Channel:
    """A viewer's connection as the session sees it; see `Channel`."""

    def __init__(self, connection: ServerConnection, *, is_text: bool) -> None:
        self._connection = connection
        self.is_text = is_text

    async def send(self, data: bytes) -> None:
        await taken(lambda: self._connection.send(data, text=self.is_text), ConnectionClosed)

    async def receive(self) -> str | bytes | None:
        try:
            return await self._connection.recv()
        except ConnectionClosed:
            return None


def _admitted(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    assert isinstance(connection, Connection) and connection.admission is not None
    return Subprotocol(connection.admission.subprotocol)


def _method(request: Request) -> str:
    """Older versions of the library take GET alone, and have no word for it."""
    return getattr(request, "method", "GET")


def _rejected(status: HTTPStatus | int, text: str) -> Response:
    """What the library refuses, in words that repeat nothing of the request."""
    return _response(refused(Refusal(int(status), HTTPStatus(status).phrase)))


def _response(found: Answer, *, without_body: bool = False) -> Response:
    headers = Headers([("Date", formatdate(usegmt=True)), ("Connection", "close"), *found.headers])
    return Response(found.status, HTTPStatus(found.status).phrase, headers, b"" if without_body else found.body)
