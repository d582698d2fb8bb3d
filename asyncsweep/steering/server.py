"""Serves one running sweep on a Unix socket, to processes of the same user.

A request is one line of JSON, and so is each answer, see `commands`. Nobody who asks can hold up the sweep: each connection has a
task of its own and one piece of output in its hands, what it does not take in time is given up, and there are at most 16.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from asyncsweep import checks
from asyncsweep.errors import AsyncSweepError
from asyncsweep.run import SweepRun
from asyncsweep.steering import runtime
from asyncsweep.steering.commands import Commands, parsed, piece
from asyncsweep.steering.following import follow, follow_all

MOST_CONNECTIONS = 16
REQUEST_LIMIT_BYTES = 65536
# How long a connection may be without a request, and an answer without being taken.
IDLE_S = 60.0
TAKE_S = 10.0
# How long who follows may hold up the end of `control`, when the sweep has ended, to see the rest.
LAST_S = 1.0

_CHUNK = 65536
# While there is no file descriptor for another connection.
_PAUSE_S = 0.5

log = logging.getLogger("asyncsweep")


@asynccontextmanager
async def control(run: SweepRun) -> AsyncIterator[str | None]:
    """Let other processes of this user watch and steer a run while the context is entered.

    `asyncsweep stop DIR`, `pause`, `unpause` and `logs -f` do. Enter it within `async with sweep.start() as run`.

    Args:
        run: A run that has started.

    Yields:
        The path of the socket; the file `control` in the sweep's directory names it too. None where there can be none, which is
        logged: a sweep that cannot be steered is still a sweep.

    Raises:
        ConfigError: The run has not started.
    """
    directory = run.directory
    _ = run.is_over  # refuses a run that has not started
    try:
        # On the loop: it takes less than a write of the journal, and a thread would go on when we are cancelled.
        sock, path, identity = _listen(directory)
    except OSError as error:
        log.warning("the sweep cannot be steered from other processes: %s", error)
        yield None
        return
    failure: BaseException | None = None
    server = _Server(sock, Commands(run, identity), run)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, tasks)
            try:
                yield path
                if run.is_over:
                    with anyio.move_on_after(LAST_S):
                        await server.followed_to_the_end()
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # not to be wrapped by the group
                failure = error
            finally:
                tasks.cancel_scope.cancel()
    finally:
        sock.close()
        _remove(directory, path)
    if failure is not None:
        raise failure


def _listen(directory: Path | None) -> tuple[socket.socket, str, list[int] | None]:
    """A listening socket, its path, and what tells the sweep's directory from others.

    Raises:
        OSError: There can be none.
    """
    folder = runtime.folder()
    runtime.remove_left(folder)
    path = runtime.new_path(folder)
    identity = None if directory is None else runtime.identity_of(directory)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(MOST_CONNECTIONS)
        if directory is not None:
            runtime.write_notice(directory, path)
    except BaseException:
        sock.close()
        _remove(directory, path)
        raise
    return sock, path, identity


def _remove(directory: Path | None, path: str) -> None:
    if directory is not None:
        runtime.remove_notice(directory, path)
    with suppress(OSError):
        os.unlink(path)


class _Server:
    """Takes connections and answers their requests."""

    def __init__(self, sock: socket.socket, commands: Commands, run: SweepRun) -> None:
        self._sock = sock
        self._commands = commands
        self._run = run
        self._n_connections = 0
        self._n_following = 0
        self._nobody_follows = anyio.Event()

    async def serve(self, tasks: anyio.abc.TaskGroup) -> None:
        """Take connections until cancelled; each gets a task."""
        while True:
            await anyio.wait_readable(self._sock)
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                continue
            except OSError:
                await anyio.sleep(_PAUSE_S)
                continue
            connection = _Connection(sock)
            fault = self._refusal(sock)
            if fault is None:
                self._n_connections += 1
                tasks.start_soon(self._talk, connection)
            else:
                connection.refuse(fault)

    async def followed_to_the_end(self) -> None:
        """Wait until nobody follows any more."""
        while self._n_following:
            self._nobody_follows = anyio.Event()
            await self._nobody_follows.wait()

    def _refusal(self, sock: socket.socket) -> str | None:
        peer = runtime.user_of(sock)
        if peer is not None and peer != os.getuid():
            return f"the sweep is run by the user {os.getuid()}, and you are {peer}"
        if self._n_connections >= MOST_CONNECTIONS:
            return f"there are {MOST_CONNECTIONS} connections to this sweep already; close one, such as an `asyncsweep logs -f`"
        return None

    async def _talk(self, connection: _Connection) -> None:
        try:
            while True:
                with anyio.fail_after(IDLE_S):
                    line = await connection.receive_line()
                if line is None or not await self._answer(line, connection):
                    return
        except (_Gone, TimeoutError, OSError):  # it is gone, or will not talk: nobody else is concerned
            return
        finally:
            self._n_connections -= 1
            connection.close()

    async def _answer(self, line: bytes, connection: _Connection) -> bool:
        """Answer a request; False when the connection takes no more."""
        try:
            command, fields = parsed(line)
            is_followed = checks.flag("follow", fields.pop("follow", False)) if command == "log" else False
            self._commands.check(command, fields)
            if is_followed:
                await self._follow(connection, **fields)
                return False
            answer = await self._commands.answer(command, fields)
        except _Gone:
            raise
        except (AsyncSweepError, FileNotFoundError, PermissionError) as error:
            answer = {"error": str(error)}
        except Exception as error:
            log.exception("a request to the sweep failed: %.200r", line)
            answer = {"error": f"{type(error).__name__}: {error}"}
        await connection.send(answer)
        return True

    async def _follow(self, connection: _Connection, trial: Any = None, attempt: Any = None, offset: Any = 0) -> None:
        """Send what is printed until there is no more to come, or the other end is gone."""
        pieces = follow_all(self._run, offset) if trial is None else follow(self._run, trial, attempt, offset)
        self._n_following += 1
        try:
            async with aclosing(pieces):
                async for found in pieces:
                    if found is not None:
                        await connection.send({"ok": True, **piece(*found)})
                    elif connection.is_gone():
                        return
            await connection.send({"ok": True, "is_over": True})
        finally:
            self._n_following -= 1
            if not self._n_following:
                self._nobody_follows.set()


class _Gone(Exception):
    """The other end takes no more, which is no fault of a command."""


class _Connection:
    """Lines over a connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._unread = bytearray()

    async def receive_line(self) -> bytes | None:
        """The next line; None at the end.

        Raises:
            OSError: The connection broke, or the line is too long.
        """
        while (end := self._unread.find(b"\n")) < 0 and len(self._unread) <= REQUEST_LIMIT_BYTES:
            await anyio.wait_readable(self._sock)
            try:
                data = self._sock.recv(_CHUNK)
            except BlockingIOError:
                continue
            if not data:
                return None
            self._unread += data
        if not 0 <= end <= REQUEST_LIMIT_BYTES:
            self.refuse(f"a request has at most {REQUEST_LIMIT_BYTES} bytes")
            return None
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line

    async def send(self, answer: dict[str, Any]) -> None:
        """Send an answer.

        Raises:
            _Gone: The connection broke, or the answer is not taken in time.
        """
        unsent = memoryview(_line(answer))
        try:
            with anyio.fail_after(TAKE_S):
                await anyio.lowlevel.checkpoint()  # many requests in one packet let others have their turn
                while unsent:
                    try:
                        unsent = unsent[self._sock.send(unsent) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self._sock)
        except OSError as error:  # TimeoutError among them
            raise _Gone from error

    def refuse(self, fault: str) -> None:
        """Say why, if that can be said at once, and close."""
        with suppress(OSError):
            self._sock.send(_line({"error": fault}))
        self.close()

    def is_gone(self) -> bool:
        """Whether the other end has closed, or says something while it is told something."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        with suppress(OSError):  # also for a child that was forked meanwhile and has it open too
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False).encode() + b"\n"
