"""The worker's end of the link: buffered reports out, answers in.

Reports are fire-and-forget: up to `BUFFERED` of them wait for one send, at latest `FLUSH_AFTER_S` after the first was made,
and always before the worker waits for an answer or ends an attempt. Those that follow one another are one message.

A process that the objective forks does not own the link: there it is closed, and reporting is a `TrialError`. Only a fork within
`handed_over` takes the link over, for as long as it lives; its parent does not touch it meanwhile.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncsweep.errors import TrialError
from asyncsweep.wire.messages import (
    ATTR_SET,
    CONSTRAINT_SET,
    LAUNCH,
    PARAM,
    PARAM_ASKED,
    REPORTED,
    SERIES_REPORTED,
    SERIES_UP_FOR_VERDICT,
    SHUTDOWN,
    VERDICT,
    VERDICT_ASKED,
)
from asyncsweep.wire.stream import SETUP_LIMIT_BYTES, Decoder, pack
from asyncsweep.worker.values import check_attr

BUFFERED = 64
FLUSH_AFTER_S = 0.05
_CHUNK = 65536


class Link:
    """A blocking stream of messages over a socket; `send` and `buffer` may be called from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._decoder = Decoder(SETUP_LIMIT_BYTES)
        self._ready: deque[list[Any]] = deque()
        self._later: deque[list[Any]] = deque()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._buffer = bytearray()
        self._n_buffered = 0
        self._series: list[tuple[int, float]] = []  # the newest reports, which are no message yet
        self._series_of = 0
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._flusher: threading.Thread | None = None
        self._is_forked = False
        self._is_handed_over = False
        os.register_at_fork(after_in_child=self._forked)

    def fileno(self) -> int:
        """The file descriptor, to wait for."""
        return self._sock.fileno()

    @contextmanager
    def handed_over(self) -> Iterator[None]:
        """What is forked in this block owns the link: it reports, and hears the answers. No other thread may run."""
        self._is_handed_over = True
        try:
            yield
        finally:
            self._is_handed_over = False

    def send(self, message: tuple[Any, ...]) -> None:
        """Send everything that is buffered, then this message."""
        data = pack(message)
        self._check_process()
        with self._lock:
            if self._series:
                self._end_series()
            self._buffer += data
            self._flush()

    def buffer(self, message: tuple[Any, ...]) -> None:
        """Send this message soon."""
        data = pack(message)
        self._check_process()
        with self._lock:
            if self._series:
                self._end_series()
            self._buffer += data
            self._n_buffered += 1
            self._counted()

    def report(self, secret: int, step: int, value: float) -> None:
        """Send a report without further metrics soon."""
        if self._is_forked:
            self._check_process()
        with self._lock:
            if secret != self._series_of:
                self._end_series()
                self._series_of = secret
            self._series.append((step, value))
            self._n_buffered += 1
            if not 1 < self._n_buffered < BUFFERED:
                self._counted()

    def ask_verdict(self, secret: int, step: int) -> None:
        """Send everything that is buffered, and that a verdict is waited for; the newest reports are in the same message."""
        self._check_process()
        with self._lock:
            if secret == self._series_of and self._series:
                message: tuple[Any, ...] = (SERIES_UP_FOR_VERDICT, secret, step, self._series)
                self._series = []
            else:
                self._end_series()
                message = (VERDICT_ASKED, secret, step)
            self._buffer += pack(message)
            self._flush()

    def receive(self) -> list[Any] | None:
        """Wait for the next message; None when the controller is gone."""
        return self._later.popleft() if self._later else self._receive()

    def receive_answer(self) -> list[Any] | None:
        """The same while an attempt runs: the next one's launch is kept for later."""
        while (message := self._receive()) is not None and message[0] == LAUNCH:
            self._later.append(message)
        return message

    def _receive(self) -> list[Any] | None:
        while not self._ready:
            try:
                data = self._sock.recv(_CHUNK)
            except ConnectionError:
                return None
            if not data:
                return None
            self._decoder.feed(data)
            self._ready.extend(self._decoder)
        return self._ready.popleft()

    def has_more(self, within_ms: int = 0) -> bool:
        """Whether `receive` would return at once, now or in that time."""
        return bool(self._later or self._ready) or bool(self._poll.poll(within_ms))

    def _counted(self) -> None:
        """One more waits."""
        if self._n_buffered >= BUFFERED:
            self._flush()
        elif self._n_buffered == 1:
            self._dirty.set()
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_late, name="asyncsweep-flush", daemon=True)
                self._flusher.start()

    def _end_series(self) -> None:
        """What was reported comes before what is said next."""
        series = self._series
        if len(series) == 1:
            self._buffer += pack((REPORTED, self._series_of, *series[0], None))
        elif series:
            self._buffer += pack((SERIES_REPORTED, self._series_of, series))
        self._series = []

    def _flush(self) -> None:
        if self._series:
            self._end_series()
        if self._buffer:
            self._sock.sendall(self._buffer)
            self._buffer.clear()
            self._n_buffered = 0

    def _flush_late(self) -> None:
        try:
            while self._dirty.wait():
                time.sleep(FLUSH_AFTER_S)
                with self._lock:
                    self._dirty.clear()
                    self._flush()
        except OSError:
            return  # the controller is gone: the next send of the main thread tells

    def _forked(self) -> None:
        if not self._is_handed_over:
            self._is_forked = True
            self._sock.close()

    def _check_process(self) -> None:
        if self._is_forked:
            raise TrialError(
                "this process was forked within a trial: report from the process that runs the script or objective"
            )


class LinkPort:
    """The port of one attempt over a link."""

    def __init__(self, link: Link, secret: int, folders: str = "") -> None:
        self._link = link
        self._secret = secret
        self._folders = folders
        self._waiting = threading.Lock()

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        if metrics is None:
            self._link.report(self._secret, step, value)
        else:
            self._link.buffer((REPORTED, self._secret, step, value, metrics))

    def verdict(self, step: int) -> bool:
        with self._waiting:
            self._link.ask_verdict(self._secret, step)
            while True:
                message = self._receive()
                if message[0] == VERDICT and message[1] == self._secret and message[2] == step:
                    return bool(message[3])

    async def verdict_async(self, step: int) -> bool:
        return self.verdict(step)

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        with self._waiting:
            self._link.send((PARAM_ASKED, self._secret, name, domain))
            while True:
                message = self._receive()
                if message[0] == PARAM and message[1] == self._secret and message[2] == name:
                    if message[4] is not None:
                        raise TrialError(f"no value for {name!r}: {message[4]}")
                    return message[3]

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return self.suggest(name, domain)

    def set_attr(self, key: str, value: Any) -> None:
        self._link.buffer((ATTR_SET, self._secret, key, check_attr(key, value)))

    def set_constraint(self, name: str, value: float) -> None:
        self._link.buffer((CONSTRAINT_SET, self._secret, name, value))

    def folder(self) -> str:
        return self._folders

    def _receive(self) -> list[Any]:
        message = self._link.receive_answer()
        if message is None or message[0] == SHUTDOWN:
            raise SystemExit(0)  # nobody is left to hear the outcome
        return message
