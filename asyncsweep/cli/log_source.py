"""Where `asyncsweep logs` gets what a trial printed: from the process that runs it, while it runs, else from its logs."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from asyncsweep import logs as kept
from asyncsweep.errors import JournalError
from asyncsweep.journal import lock
from asyncsweep.logs import PIECE_BYTES, Log
from asyncsweep.steering.client import Client, NotRunning

# After a sweep let go of us its workers still end, and what they printed last becomes their logs.
END_S = 15.0
LOOK_EVERY_S = 0.05


class Source:
    """Where the pieces of a trial's output come from: the process that runs it, while it runs, else its logs.

    Args:
        path: The sweep's directory.
        number: The trial.
        attempt: The attempt; None for the last one.
    """

    def __init__(self, path: Path, number: int, attempt: int | None) -> None:
        self._path = path
        self._number = number
        self._client = client_or_none(path)
        self._left = left_of(path)
        self.attempt = attempt or 0

    def __enter__(self) -> Source:
        try:
            if not self.attempt:
                answer = self._ask(offset=-1)
                left = [job.attempt for job in self._left if job.trial == self._number]
                last = max([*left, *kept.logs_of(self._path, self._number)], default=0)
                self.attempt = last if answer is None else answer["attempt"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._client is not None:
            self._client.close()

    def read(self, offset: int) -> Log:
        """A piece from a place on."""
        answer = self._ask(attempt=self.attempt, offset=offset) if self.attempt else None
        if answer is not None:
            return log_of(answer)
        return kept.read_file(self._path, self._number, self.attempt, offset, PIECE_BYTES, self._left)

    def _ask(self, **fields: Any) -> dict[str, Any] | None:
        """What the sweep's process says; None when nobody can be asked (any more)."""
        for _ in range(2):  # who reads slowly is let go of after a while
            if self._client is not None:
                try:
                    return self._client.request("log", trial=self._number, **fields)
                except NotRunning:
                    self._client.close()
                    self._client = client_or_none(self._path)
        return None


class Place:
    """How far somebody who follows has come in the output of an attempt.

    Attributes:
        attempt: The attempt.
        offset: Where to go on.
    """

    def __init__(self, number: int, attempt: int, offset: int) -> None:
        self._number = number
        self.attempt = attempt
        self.offset = offset
        self._seen = b""

    def take(self, log: Log) -> None:
        """This piece was shown."""
        self.offset, self._seen = log.next_offset, (self._seen + log.data)[-512:]

    def rest(self, path: Path) -> Iterator[Log]:
        """What the log has beyond that, when the attempt has ended."""
        if self._seen:
            self.offset = kept.place_after(path, self._number, self.attempt, self.offset, self._seen)
        while True:
            log = kept.read_file(path, self._number, self.attempt, self.offset, PIECE_BYTES)
            self.offset = log.next_offset
            yield log
            if log.is_over:
                return


def client_or_none(path: Path) -> Client | None:
    """A connection to the process that runs the sweep, if one does."""
    try:
        return Client(path)
    except NotRunning:
        return None


def left_of(path: Path) -> kept.Left:
    """What workers left of attempts that were cut short when the sweep's process was killed."""
    outputs = kept.left_outputs(path)
    if not outputs or lock.holder(path) is not None:
        return {}
    from asyncsweep.cli.show import read  # the whole journal: for the few sweeps that were killed

    with suppress(JournalError):  # a damaged one: `asyncsweep journal` tells of that
        return kept.left_by(read(path).result.trials, outputs)
    return {}


def log_of(answer: dict[str, Any]) -> Log:
    """The piece of a log that an answer has."""
    fields = {name: answer[name] for name in Log._fields}
    return Log(**{**fields, "data": base64.b64decode(answer["data"])})


def wait_for_end(path: Path) -> None:
    """Wait until the sweep's process has let go of the directory: all logs are written then."""
    give_up = time.monotonic() + END_S
    while lock.holder(path) is not None and time.monotonic() < give_up:
        time.sleep(LOOK_EVERY_S)
