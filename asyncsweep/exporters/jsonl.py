"""Updates as lines of JSON in a file, for `tail -f`, `jq` and log shippers.

A line is one update: its fields, and its class's name as "type". NaN and infinities, which JSON lacks, become null;
bytes become base64. A batch is written at the end of the file at once, so that the lines of two sweeps do not mix.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import anyio
import msgspec

from asyncsweep.core.effects import Update
from asyncsweep.errors import ConfigError
from asyncsweep.exporters.own_thread import OwnThread

CLOSE_TIMEOUT_S = 10.0


class JsonLinesExporter:
    """Appends every update as one line of JSON to a file.

    Args:
        path: The file; made when it is not there, continued when it is.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ConfigError(f"exporter.path: expected the path of a file, got {path!r}")
        self.path = Path(path)
        self._file: io.FileIO | None = None
        self._thread: OwnThread | None = None

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            ConfigError: It cannot be opened for writing.
        """
        # Its own, because the application may have taken every thread that the loop's limiter allows, and keep them.
        self._thread = OwnThread("asyncsweep-jsonl")
        try:
            self._file = await self._thread.call(_open, self.path)
        except BaseException as error:
            self._thread.close()
            if isinstance(error, OSError):
                raise ConfigError(f"exporter.path: cannot append to {str(self.path)!r}: {error}") from error
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        file, self._file = self._file, None
        if file is not None and self._thread is not None:
            # Shielded, so that a cancelled sweep closes it too; with an end, because a network disk may never answer.
            with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await self._thread.call(file.close)
            self._thread.close()

    async def export(self, updates: Sequence[Update]) -> None:
        """Write the updates; when it returns, the operating system has them.

        Raises:
            OSError: The disk is full, ...
        """
        if self._file is None or self._thread is None:
            raise RuntimeError("export() is called inside `async with exporter`")
        await self._thread.call(_append, self._file, list(updates))


def _open(path: Path) -> io.FileIO:
    file = io.FileIO(path, "a+")
    try:
        # A killed process may have left half a line, and the next one must not become part of it.
        if file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            file.write(b"\n")
    except BaseException:
        file.close()
        raise
    return file


def _append(file: io.FileIO, updates: list[Update]) -> None:
    lines = memoryview(msgspec.json.Encoder().encode_lines(updates))
    while lines:  # an unbuffered file may take less than it is given
        lines = lines[file.write(lines) :]
