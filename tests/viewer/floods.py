"""Clients that mean no good: they talk without end, and read nothing."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncsweep.viewer import serving
from tests.viewer.doors import WAIT_S, Door


def frame(data: bytes, opcode: int = 1) -> bytes:
    """A masked frame of up to 65,535 bytes."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
    return bytes([0x80 | opcode]) + size + b"\0\0\0\0" + data


OPEN = frame(b'{"type": "open"}')
ASK = frame(json.dumps({"type": "ask", "id": 1, "what": "trial", "trial": 0}).encode())


class Flood:
    """A viewer that says something again and again, and reads nothing."""

    def __init__(self, sock: socket.socket, door: Door, then: bytes = ASK) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", door.port))
        sock.sendall(door.upgrade_request())
        sock.setblocking(False)
        self._sock = sock
        self._then = then
        self._unsent = b""
        self._n_blocked = 0
        self._is_in = False

    def is_refused(self) -> bool:
        """Say more, as much as goes, once it is let in; True when nobody listens any more."""
        if not self._is_in:
            self._is_in = has_data(self._sock)
            self._unsent = OPEN
            return False
        try:
            while True:
                self._unsent = self._unsent or self._then
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
                self._n_blocked = 0
        except BlockingIOError:
            self._n_blocked += 1
            return False
        except ConnectionError:
            return True

    def is_stuck(self) -> bool:
        """Say more, as much as goes; True when nothing has gone for a while: all buffers are full."""
        return self.is_refused() or self._n_blocked > 20


def has_data(sock: socket.socket) -> bool:
    """Whether there is something to be read, which stays there."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def give_small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes little for who does not read."""
    bind = serving._bound

    def bound(host: str, address: tuple[Any, ...]) -> socket.socket:
        sock = bind(host, address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return sock

    monkeypatch.setattr(serving, "_bound", bound)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what tells nobody that it has happened: the kernel's view of a connection."""
    with anyio.fail_after(WAIT_S):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)
