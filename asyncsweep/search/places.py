"""Where a sampler host can run: in a child process, or in a thread of this one."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import anyio
import anyio.to_thread

from asyncsweep.link.child import start

Place = Literal["thread", "process"]


class Running(Protocol):
    """A host that was started; `asyncsweep.link.child.Child` is one."""

    sock: socket.socket

    async def wait(self) -> None:
        """Wait until it has ended."""

    def signal_group(self, number: signal.Signals) -> None:
        """End it."""

    def reap(self) -> str:
        """Clean up after `wait`, and tell how it ended."""


class HostThread:
    """A host in a thread. One that never comes back from its sampler cannot be ended: then it is left alone."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self._ended = threading.Event()
        self._end = "its thread ended"
        # A daemon: it must not keep the application from exiting.
        threading.Thread(target=self._serve, args=(theirs,), name="asyncsweep-sampler", daemon=True).start()

    async def wait(self) -> None:
        await anyio.to_thread.run_sync(self._ended.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))

    def signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):  # it has ended already, or our end is closed: so much the better
            self.sock.shutdown(socket.SHUT_RDWR)
        self._ended.set()

    def reap(self) -> str:
        self.sock.close()
        return self._end

    def _serve(self, sock: socket.socket) -> None:
        from asyncsweep.search.host import serve

        try:
            serve(sock, is_process=False)
        except BaseException as error:  # an order to exit is the sampler's, not the application's
            self._end = f"its thread raised {error!r}"
        finally:
            sock.close()
            self._ended.set()


async def _in_thread() -> Running:
    return HostThread()


async def _in_process() -> Running:
    return await start("asyncsweep.search.host")


STARTS: dict[str, Callable[[], Awaitable[Running]]] = {"thread": _in_thread, "process": _in_process}
