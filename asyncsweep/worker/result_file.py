"""A file in which a program leaves its metrics: JSON, JSON lines, CSV, or a text with one number.

The ending of its name says which. What lies there before the program starts is somebody else's, of an earlier attempt for
example: a file that has not been written since is no result, and of one that was only added to, what was added counts.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Sequence

from asyncsweep.errors import TrialError
from asyncsweep.worker import readings
from asyncsweep.worker.readings import Found

LIMIT_BYTES = 64 * 2**20

_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv")
_LOOKED_AT = 4096


class ResultFile:
    """A file of metrics; make it before the program starts, which may then write it.

    Args:
        path: Where it will be.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._kind = os.path.splitext(path)[1].lower()
        self._before = Before(path, is_log=self._kind in _LINES + _TABLES)

    def read(self, metrics: Sequence[str]) -> Found:
        """What the program wrote.

        A single metric named `value` may have any name in the file, when that has only one number.

        Args:
            metrics: The metrics of the sweep, in their order.

        Raises:
            TrialError: The file is missing, was not written, is too large, or does not have these metrics.
        """
        content = self._content()
        start = self._before.end_in(io.BytesIO(content), len(content))
        try:
            if self._kind in _TABLES:
                rows = readings.rows(content, start, metrics, is_tsv=self._kind == ".tsv")
                found = readings.of_records(rows, metrics)
            elif self._kind in _LINES:
                found = readings.of_records(readings.lines(content[start:]), metrics)
            else:
                found = readings.document(content, metrics, is_json=self._kind == ".json")
        except (ValueError, OverflowError, RecursionError, csv.Error) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
            raise self._fault(f"{reason}; expected {self._expected(metrics)}") from error
        missing = [name for name in metrics if name not in found.metrics]
        if missing:
            has = f"its numbers are {', '.join(map(repr, found.metrics)):.300}" if found.metrics else "it has no number"
            raise self._fault(
                f"there is no metric {', '.join(map(repr, missing))} in it, {has}; expected {self._expected(metrics)}"
            )
        return found

    def _content(self) -> bytes:
        try:
            # Without O_NONBLOCK the open of a named pipe would wait for somebody to write to it.
            with open(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode):
                    raise self._fault("it is no regular file")
                if self._before.is_unchanged(state):
                    raise self._fault("it is of before this attempt, which has not written it")
                if state.st_size > LIMIT_BYTES:
                    raise self._fault(f"it has {state.st_size} bytes; at most {LIMIT_BYTES} (64 MiB) are read")
                content = file.read(LIMIT_BYTES)
        except FileNotFoundError:
            raise self._fault("it was not written") from None
        except TrialError:  # a ValueError too
            raise
        except (OSError, ValueError) as error:  # ValueError: a NUL or a surrogate in the path
            raise self._fault(f"it cannot be read: {error}") from error
        if not content.strip():
            raise self._fault("it is empty")
        return content

    def _fault(self, reason: str) -> TrialError:
        return TrialError(f"the result file {self.path!r}: {reason}")

    def _expected(self, metrics: Sequence[str]) -> str:
        example = json.dumps(dict.fromkeys(metrics, 0.1), ensure_ascii=False)
        if self._kind in _TABLES:
            text = f"a first line of names, {', '.join(map(repr, metrics))} among them, and numbers below"
        elif self._kind in _LINES:
            text = f"lines such as {example}"
        else:
            text = f"{example}, or one number" if len(metrics) == 1 else example
        if readings.is_unnamed(metrics):
            text += '; of several numbers, name the metric: Sweep(direction={"loss": "minimize"})'
        return text


class Before:
    """What lies at a path, to tell later what has been written since.

    Args:
        path: The path; nothing need be there.
        is_log: Whether it may be added to: then its content is looked at.
    """

    def __init__(self, path: str, *, is_log: bool) -> None:
        self._state: tuple[int, ...] | None = None
        self._size = 0
        self._print = b""
        try:
            state = os.stat(path)
            if not stat.S_ISREG(state.st_mode):
                return
            self._state = _signature(state)
            if is_log:
                with open(path, "rb") as file:
                    self._print = _fingerprint(file, state.st_size)
                self._size = state.st_size
        except (OSError, ValueError):  # what cannot be read now is no file of ours; `read` tells whether it can be then
            return

    def is_unchanged(self, state: os.stat_result) -> bool:
        """Whether the file has not been written since, nor replaced."""
        return self._state == _signature(state)

    def end_in(self, file: io.BufferedIOBase, size: int) -> int:
        """Where in a changed file, of this size now, the new part begins: behind the old one if it was added to, else at 0."""
        if 0 < self._size < size and _fingerprint(file, self._size) == self._print:
            return self._size
        return 0


def _signature(state: os.stat_result) -> tuple[int, ...]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _fingerprint(file: io.BufferedIOBase, size: int) -> bytes:
    """Of the first `size` bytes: both ends of them tell whether they are still the same."""
    file.seek(0)
    head = file.read(min(size, _LOOKED_AT))
    file.seek(max(0, size - _LOOKED_AT))
    return head + file.read(min(size, _LOOKED_AT))
