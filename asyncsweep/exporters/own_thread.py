"""A thread of its own for calls that block, one after the other, on any event loop.

It is a daemon: a call that never returns is left behind, and keeps neither the sweep nor the process from ending. The pools of
`anyio.to_thread` would not do: asyncio's wait for their threads when the process ends.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")

# An application may have chosen to be ended by SIGPIPE; macOS has no such flag.
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)


class OwnThread:
    """Makes calls in the order in which they come. It starts at once.

    Args:
        name: What debuggers show.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._here, there = socket.socketpair()
        self._here.setblocking(False)
        there.setblocking(False)
        threading.Thread(target=copy_context().run, args=(_serve, self._calls, there), name=name, daemon=True).start()

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """What the function gives, or raises. When this is cancelled the call goes on, and nobody hears of its end.

        One call at a time may be waited for.
        """
        call = _Call(function, args)
        self._calls.put(call)
        while not call.is_done:
            await anyio.wait_readable(self._here)
            with suppress(BlockingIOError):
                self._here.recv(64)
        return call.outcome()

    def close(self) -> None:
        """End the thread when it has made the calls that wait; nobody hears of them any more."""
        self._calls.put(None)
        self._here.close()


class _Call(Generic[T]):
    """A call, and what came of it."""

    def __init__(self, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self._error: BaseException | None = None
        self._returned: T
        self.is_done = False

    def make(self) -> None:
        try:
            self._returned = self._function(*self._args)
        except BaseException as error:
            self._error = error
        self.is_done = True

    def outcome(self) -> T:
        error = self._error
        if error is None:
            return self._returned
        if isinstance(error, Exception):
            raise error
        # sys.exit() or an interrupt in that thread is no order to the application.
        raise RuntimeError(f"the thread was told to exit: {error!r}") from error


def _serve(calls: SimpleQueue[_Call[Any] | None], there: socket.socket) -> None:
    with there:
        while (call := calls.get()) is not None:
            call.make()
            with suppress(OSError):  # full: it will wake all the same; closed: nobody waits any more
                there.send(b"\0", _NO_SIGNAL)
            del call  # it holds a batch of updates
