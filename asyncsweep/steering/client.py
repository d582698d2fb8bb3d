"""Asks a running sweep from another process, without an event loop.

    with Client("sweeps/first") as sweep:
        sweep.request("pause")
        print(sweep.request("status")["counts"])

A sweep's directory may be somebody else's, so its control file is not believed: only a socket in a private folder of our own is
connected to, and what listens there is told which directory is meant.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.journal import lock
from asyncsweep.steering import runtime

ANSWER_S = 15.0

# An answer has a piece of a log in base64, or the trials that run.
_ANSWER_LIMIT_BYTES = 16 * 2**20
_CHUNK = 65536


class NotRunning(ConfigError):
    """The sweep does not run, or cannot be steered."""


class Client:
    """A connection to a running sweep; a context manager.

    Args:
        directory: The sweep's.
        timeout_s: How long an answer may take.

    Raises:
        NotRunning: There is no sweep, it does not run, or its process does not let itself be steered.
    """

    def __init__(self, directory: str | os.PathLike[str], *, timeout_s: float = ANSWER_S) -> None:
        self._directory = Path(directory)
        self._timeout_s = timeout_s
        self._unread = bytearray()
        self.pid = 0
        self._sock = self._connected()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def request(self, command: str, **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer; see `commands` for what can be asked.

        Raises:
            ConfigError: It is refused; the message is the sweep's.
            NotRunning: The sweep has ended meanwhile, or does not answer in time.
        """
        self._send(command, fields)
        answer = self._answer(self._timeout_s)
        if answer is None:
            raise NotRunning(f"{self._directory}: the sweep ended before it answered")
        return answer

    def follow(self, **fields: Any) -> Iterator[dict[str, Any]]:
        """Ask for logs, and give the pieces as they come, however long that takes; afterwards the connection is of no more use.

        The last one has `is_over` alone. Without it the sweep's process has ended, or let nobody follow any more.

        Raises:
            ConfigError: It is refused.
        """
        self._send("log", {**fields, "follow": True})
        while (answer := self._answer(None)) is not None:
            yield answer
            if set(answer) == {"ok", "is_over"}:
                return

    def _connected(self) -> socket.socket:
        notice = self._notice()
        if not runtime.is_ours(notice.socket):
            raise NotRunning(
                self._absent(f"its control file names {notice.socket[:200]!r}, which is no socket of ours")
            )
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._timeout_s)
            sock.connect(notice.socket)
            peer = runtime.user_of(sock)
            if peer is not None and peer != os.getuid():
                raise NotRunning(self._absent(f"the user {peer} listens in its place"))
        except TimeoutError:
            sock.close()
            raise NotRunning(f"{self._directory}: process {notice.pid} takes no connection") from None
        except OSError as error:
            sock.close()
            raise NotRunning(self._absent(f"process {notice.pid}, which ran it, has ended")) from error
        except BaseException:
            sock.close()
            raise
        self.pid = notice.pid
        return sock

    def _notice(self) -> runtime.Notice:
        try:
            return runtime.read_notice(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            raise NotRunning(self._absent("")) from None
        except (OSError, ValueError) as error:
            raise NotRunning(self._absent(str(error))) from error

    def _absent(self, detail: str) -> str:
        """Why nobody can be asked."""
        holder = None
        with suppress(OSError):
            holder = lock.holder(self._directory)
        if not self._directory.is_dir():
            text = "there is no such folder"
        elif not (self._directory / "journal.asyncsweep").exists():
            text = "there is no sweep in it"
        elif holder is None:
            text = "the sweep is not running"
        else:
            text = (
                f"process {holder or 'unknown'} runs it and cannot be reached: it was started without "
                "`async with sw.control(run)`, by another user, or in another container"
            )
        return f"{self._directory}: {text}" + (f" ({detail})" if detail else "")

    def _send(self, command: str, fields: dict[str, Any]) -> None:
        request = {"command": command, **fields, "directory": runtime.identity_of(self._directory)}
        with suppress(BrokenPipeError, ConnectionResetError):  # what it said before it closed is read
            self._sock.sendall(json.dumps(request).encode() + b"\n")

    def _answer(self, timeout_s: float | None) -> dict[str, Any] | None:
        """The next line; None at the end."""
        self._sock.settimeout(timeout_s)
        while (end := self._unread.find(b"\n")) < 0:
            try:
                data = self._sock.recv(_CHUNK)
            except TimeoutError:
                raise NotRunning(
                    f"{self._directory}: process {self.pid} does not answer within {timeout_s:g} s; its event loop may be blocked"
                ) from None
            except ConnectionResetError:
                data = b""
            if not data or len(self._unread) > _ANSWER_LIMIT_BYTES:
                return None
            self._unread += data
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        answer = json.loads(line)
        if "error" in answer:
            raise ConfigError(f"{self._directory}: {answer['error']}")
        found: dict[str, Any] = answer
        return found
