"""How `asyncsweep logs` writes what trials printed: as lines with control characters escaped, or as it is."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from asyncsweep.cli.log_text import Lines, left_out_line


class Shown:
    """Writes pieces as lines, with control characters escaped."""

    def __init__(self) -> None:
        self._lines = Lines(encoding())

    def piece(self, data: bytes, left_out: int) -> None:
        if left_out:
            print_lines([*self._lines.end(), left_out_line(left_out)])
        print_lines(self._lines.feed(data))

    def end(self) -> None:
        print_lines(self._lines.end())


class Raw:
    """Writes pieces as they are."""

    def piece(self, data: bytes, left_out: int) -> None:
        if left_out:
            sys.stdout.buffer.write(b"\n" + left_out_line(left_out).encode() + b"\n")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def end(self) -> None:
        sys.stdout.buffer.flush()


def print_lines(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def encoding() -> str:
    return sys.stdout.encoding or "utf-8"
