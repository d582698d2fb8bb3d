"""What a running attempt on a host has printed, as far as it was shown: the end of it, in memory."""

from __future__ import annotations

from collections import deque

from asyncsweep.worker.capture import Output
from asyncsweep_ssh.frames import PRINTED_BYTES

KEPT_BYTES = 1 << 18


class Tail:
    """The pieces of an attempt's output that came last, with gaps where it printed more than is shown."""

    def __init__(self) -> None:
        self._runs: deque[tuple[int, bytearray]] = deque()
        self._kept_bytes = 0
        self._end = 0

    def add(self, offset: int, data: bytes) -> None:
        """A piece, which begins at a place in bytes printed.

        Raises:
            ValueError: It is none, or begins before the end of the last one.
        """
        if type(offset) is not int or type(data) is not bytes or len(data) > PRINTED_BYTES:
            raise ValueError("no piece of what was printed")
        if not self._end <= offset < 2**62:
            raise ValueError(f"a piece of what was printed at {offset}, behind one that ends at {self._end}")
        if not self._runs or offset > self._end:
            self._runs.append((offset, bytearray()))
        self._runs[-1][1].extend(data)
        self._end = offset + len(data)
        self._kept_bytes += len(data)
        self._forget()

    def look(self, offset: int, limit_bytes: int) -> Output:
        """The first piece from a place on."""
        for start, data in self._runs:
            if start + len(data) > offset:
                begin = max(offset, start)
                return Output(bytes(data[begin - start : begin - start + limit_bytes]), begin, self._end)
        return Output(b"", offset, self._end)

    def _forget(self) -> None:
        while self._kept_bytes > KEPT_BYTES:
            start, data = self._runs.popleft()
            excess = min(len(data), self._kept_bytes - KEPT_BYTES)
            self._kept_bytes -= excess
            if excess < len(data):
                self._runs.appendleft((start + excess, data[excess:]))
