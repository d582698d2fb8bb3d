"""The channel to the agent of a host: its first words, then frames both ways, and a heart that beats.

Frames are handed over on the loop's thread as they arrive, without a task between: a verdict is as far away as the network.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import secrets
import shlex
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import anyio

from asyncsweep.wire.stream import Decoder, StreamError, pack
from asyncsweep_ssh import frames
from asyncsweep_ssh.archive import LAUNCHER, Archive, first_code
from asyncsweep_ssh.faults import HostFault, of_disk, of_old_python, of_python
from asyncsweep_ssh.hosts import Host

if TYPE_CHECKING:
    import asyncssh

# The largest frame that a host may send, and the most that a login shell may print before the first of them.
FRAME_LIMIT_BYTES = 1 << 20
_NOISE_BYTES = 1 << 20
_KEPT_BYTES = 4096
_AT_A_TIME = 1 << 16


class Channel:
    """A channel that is open. It is a session of asyncssh's, in all but its base class.

    Args:
        host: Whose it is.
        lease_s: The connection is lost when nothing was heard for so long, and a little more.
        on_frame: Gets each frame of the agent, in order.

    Attributes:
        lost: Set when the channel has ended; `why` tells why.
    """

    def __init__(self, host: Host, lease_s: float, on_frame: Callable[[list[Any]], None]) -> None:
        self._host = host
        self._lease_s = lease_s
        self._on_frame = on_frame
        self._mark = f"asyncsweep-{secrets.token_hex(8)} "
        self._noise: bytearray | None = bytearray()
        self._decoder = Decoder(FRAME_LIMIT_BYTES)
        self._chan: Any = None
        self._context = _in_asyncio()
        self._said = bytearray()
        self._status: int | None = None
        self._heard_at = 0.0
        self._wrote_at = 0.0
        self._can_write = asyncio.Event()
        self._can_write.set()
        self.began = asyncio.Event()
        self.lost = asyncio.Event()
        self.ended = asyncio.Event()
        self.why: HostFault | None = None

    async def open(self, connection: asyncssh.SSHClientConnection, worker: Archive) -> None:
        """Start the agent, and wait for its first word.

        Raises:
            HostFault: It did not begin.
        """
        python = self._host.python or "python3"
        words = (
            first_code(),
            self._mark,
            str(len(worker.data)),
            worker.digest,
            self._host.folder,
            "" if self._host.python else "any",
        )
        command = f"exec {_quoted_path(python)} -c '{LAUNCHER}' {shlex.join(words)}"
        self._chan, _ = await connection.create_session(
            lambda: cast("asyncssh.SSHClientSession[bytes]", self),
            command,
            encoding=None,
            request_pty=False,
            x11_forwarding=False,
            env={},
            send_env=(),
        )
        self._heard_at = time.monotonic()
        await self.send_much(worker.data)

    # -- what asyncssh calls ------------------------------------------------------------------------------------------

    def connection_made(self, chan: Any) -> None:
        self._chan = chan

    def session_started(self) -> None:
        pass

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self._heard_at = time.monotonic()
        else:  # stderr
            self._said += data
            del self._said[:-_KEPT_BYTES]
            return
        try:
            self._context.run(self._take, data)
        except StreamError as error:
            self.give_up(HostFault(f"{self._host.shown}: what it said is not understood: {error}", is_final=True))

    def eof_received(self) -> bool:
        return False

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._said += f"killed by SIG{signal}".encode()

    def connection_lost(self, error: Exception | None) -> None:
        if self.why is None:
            self.why = self._reason(error)
        self._can_write.set()
        self.lost.set()
        self.began.set()
        self.ended.set()

    def pause_writing(self) -> None:
        self._can_write = asyncio.Event()

    def resume_writing(self) -> None:
        self._can_write.set()

    # -- the talk -----------------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        return not self.lost.is_set()

    def send(self, *frame: Any) -> None:
        """Send a frame, or queue it; nothing happens once the channel is lost."""
        self._write(pack(frame))

    async def send_much(self, data: bytes) -> None:
        """Send bytes as fast as they are taken."""
        view = memoryview(data)
        for start in range(0, len(data), _AT_A_TIME):
            await self._can_write.wait()
            self._write(bytes(view[start : start + _AT_A_TIME]))

    async def send_when_taken(self, *frame: Any) -> None:
        """Send a frame when there is room for it."""
        await self._can_write.wait()
        self.send(*frame)

    def give_up(self, why: HostFault) -> None:
        """The channel is lost from now on, whatever may still arrive."""
        if self.why is None:
            self.why = why
        self.lost.set()
        self.began.set()
        self._can_write.set()

    def close(self) -> None:
        """Nothing more will be sent: the agent ends everything."""
        if self._chan is not None and self.is_up:
            self.send(frames.BYE)
            self._chan.write_eof()

    async def beat(self) -> None:
        """Say something every fifth of the lease; give up when nothing was heard for longer than it.

        The agent ends everything when the lease has passed since it heard of us last. We wait a little longer than that, so that a trial
        is not tried elsewhere while it still runs there.
        """
        every_s = self._lease_s / 5
        while self.is_up:
            with anyio.move_on_after(every_s):
                await self.lost.wait()
            now = time.monotonic()
            silent_s = now - self._heard_at
            if silent_s > self._lease_s + 2 * every_s:
                self.give_up(
                    HostFault(f"{self._host.shown}: nothing was heard of it for {silent_s:.0f} s", is_final=False)
                )
            elif self.is_up and now - self._wrote_at >= every_s * 0.9:
                self.send(frames.ALIVE)

    def _write(self, data: bytes) -> None:
        if self._chan is not None and self.is_up:
            self._wrote_at = time.monotonic()
            try:
                self._chan.write(data)
            except OSError:
                return  # it is closing: `connection_lost` tells

    def _take(self, data: bytes) -> None:
        if self._noise is not None:
            self._noise += data
            data = self._first_words()
            if not data:
                return
        if not self.is_up:
            return
        self._decoder.feed(data)
        for frame in self._decoder:
            self._on_frame(frame)

    def _first_words(self) -> bytes:
        """Look for a line behind our mark; gives what follows the one that says that all is well."""
        assert self._noise is not None
        mark = b"\n" + self._mark.encode()
        at = self._noise.find(mark)
        end = self._noise.find(b"\n", at + len(mark)) if at >= 0 else -1
        if end < 0:
            if len(self._noise) > _NOISE_BYTES:
                self.give_up(HostFault(f"{self._host.shown}: its login shell prints without end", is_final=True))
            return b""
        line, rest = bytes(self._noise[at + len(mark) : end]), bytes(self._noise[end + 1 :])
        self._noise = None
        fault = self._fault_of(line)
        if fault is not None:
            self.give_up(fault)
            return b""
        self.began.set()
        return rest

    def _fault_of(self, line: bytes) -> HostFault | None:
        try:
            said = json.loads(line)
        except ValueError:
            said = {"fault": f"its first word was {line[:200]!r}"}
        if "old" in said:
            return of_old_python(self._host, str(said["old"]), str(said.get("path", "")))
        if "disk" in said:
            return of_disk(self._host, str(said.get("folder")), str(said["disk"]), said.get("errno"))
        if "fault" in said:
            return HostFault(f"{self._host.shown}: {said['fault']}", is_final=True)
        return None

    def _reason(self, error: Exception | None) -> HostFault:
        said = self._said.decode("utf-8", "replace")
        if self._noise is not None:
            said = said or self._noise.decode("utf-8", "replace")
            if error is None:
                return of_python(self._host, self._host.python or "python3", self._status, said)
        why = str(error) if error is not None else "its end of the connection was closed"
        if self._status is not None:
            why += f" (exit code {self._status})"
        if said.strip():
            why += f": {said.strip()[-1000:]}"
        return HostFault(f"{self._host.shown}: {why}", is_final=False)


def _quoted_path(path: str) -> str:
    """A path for a shell, in which a leading `~/` is the home folder as it is there, and nothing else means anything."""
    if path.startswith("~/"):
        return '"$HOME"/' + shlex.quote(path[2:])
    return shlex.quote(path)


def _in_asyncio() -> contextvars.Context:
    """A context in which anyio knows its event loop, also where sniffio finds it by the running task: here none runs."""
    context = contextvars.copy_context()
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        context.run(sniffio.current_async_library_cvar.set, "asyncio")
    return context
