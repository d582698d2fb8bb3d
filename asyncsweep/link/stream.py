"""Messages over a non-blocking socket, for any event loop that anyio supports.

All messages of one wake-up are handed over together, and what is sent in answer to several goes together. Any other message
is sent at once, from whoever sends it; only when the socket is full does the rest wait for a task. So a round trip costs one wake-up and no task switch. On asyncio the wake-up is
a reader callback that stays registered, which is half the cost of waiting for the socket anew each time.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc

from asyncsweep.wire.stream import MESSAGE_LIMIT_BYTES, Decoder, StreamError, pack

# What is taken at a time: some hundred reports, 2 ms of work, so that who floods its link holds up neither the other links nor the loop.
_CHUNK = 16_384


class MessageStream:
    """One end of a link.

    Args:
        sock: A connected stream socket; the stream owns it.
        tasks: Where the writer runs when the socket is full.
        on_messages: Called on the loop's thread with the messages of one wake-up, in order.
        limit_bytes: The largest message that is accepted.
    """

    def __init__(
        self,
        sock: socket.socket,
        tasks: anyio.abc.TaskGroup,
        on_messages: Callable[[list[list[Any]]], None],
        limit_bytes: int = MESSAGE_LIMIT_BYTES,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._tasks = tasks
        self._on_messages = on_messages
        self._decoder = Decoder(limit_bytes)
        self._unsent = bytearray()
        self._answering = False
        self._closed = False
        self._buffer = bytearray(_CHUNK)
        self._stop_reading: Callable[[], None] = _nothing

    def send(self, message: tuple[Any, ...]) -> None:
        """Send a message, or queue it when the socket is full; nothing happens once the other end is gone."""
        self.send_bytes(pack(message))

    def send_bytes(self, data: bytes) -> None:
        """`send` for a packed message."""
        if self._closed:
            return
        if self._unsent or self._answering:
            self._unsent += data
        else:
            self._send_now(data)

    def _send_now(self, data: bytes | bytearray) -> None:
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            return  # the reader sees the end of the stream and tells
        if sent < len(data):
            self._unsent += data[sent:]
            self._tasks.start_soon(self._write)

    async def read(self) -> None:
        """Hand over messages until the other end closes.

        Raises:
            StreamError: The other end sent something that is no message.
        """
        if self._closed:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            pass  # another event loop's library
        else:
            await self._read_by_callback(loop)
            return
        while not self._closed:
            try:
                await anyio.wait_readable(self._sock)
            except anyio.ClosedResourceError:
                return
            if not self.read_now():
                return

    async def _read_by_callback(self, loop: asyncio.AbstractEventLoop) -> None:
        fd = self._sock.fileno()
        ended = asyncio.Event()
        faults: list[Exception] = []

        def stop() -> None:
            self._stop_reading = _nothing
            loop.remove_reader(fd)
            ended.set()

        def ready() -> None:
            try:
                if not self.read_now():
                    self._stop_reading()
            except Exception as error:  # raised below, in the task that reads
                faults.append(error)
                self._stop_reading()

        self._stop_reading = stop
        loop.add_reader(fd, _in_asyncio().run, ready)
        try:
            await ended.wait()
        finally:
            self._stop_reading()
        if faults:
            raise faults[0]

    def read_now(self) -> bool:
        """Hand over what has arrived, without waiting; False at the end of the stream.

        Raises:
            StreamError: The other end sent something that is no message.
        """
        if self._closed:
            return False
        try:
            count = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not count:
            return False
        self._decoder.feed(memoryview(self._buffer)[:count])
        messages: list[list[Any]] = []
        try:
            messages.extend(self._decoder)
        finally:  # what was said before the stream broke is heard
            if len(messages) == 1:
                self._on_messages(messages)
            elif messages:
                self._hand_over(messages)
        return True

    def _hand_over(self, messages: list[list[Any]]) -> None:
        """Hand several messages over, and send all that is said in answer together."""
        is_writing = bool(self._unsent)
        self._answering = True
        try:
            self._on_messages(messages)
        finally:
            self._answering = False
            if self._unsent and not is_writing and not self._closed:
                answers, self._unsent = self._unsent, bytearray()
                self._send_now(answers)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._stop_reading()
            anyio.notify_closing(self._sock)
            self._sock.close()

    async def _write(self) -> None:
        while self._unsent and not self._closed:
            try:
                await anyio.wait_writable(self._sock)
                sent = self._sock.send(self._unsent)
            except BlockingIOError:
                continue
            except (ConnectionError, anyio.ClosedResourceError):
                return  # the reader sees the end of the stream and tells
            del self._unsent[:sent]


def _in_asyncio() -> contextvars.Context:
    """A context in which anyio knows its event loop: sniffio, where it is installed, finds it by the running task alone, and
    a callback of the loop runs in none.
    """
    context = contextvars.copy_context()
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        context.run(sniffio.current_async_library_cvar.set, "asyncio")
    return context


def _nothing() -> None:
    pass


__all__ = ["MessageStream", "StreamError"]
