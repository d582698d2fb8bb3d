"""The worker's stdout and stderr. Wherever an objective sends or closes them, the next attempt finds them as they were.

What Python prints on a full disk is lost, and is no error of the objective. (What other programs print they write themselves.) The
streams have the names and the encoding that Python gives them; those of an objective never refuse a character.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import Any, NamedTuple


class Output:
    """File descriptors 1 and 2 and the streams over them, as they are now; a closed one leads to nowhere."""

    def __init__(self) -> None:
        self._kept = [(fd, name, _kept(fd)) for fd, name in ((1, "stdout"), (2, "stderr"))]
        self._codings = {name: _Coding.of_process(name) for _, name, _ in self._kept}
        self.restore()
        for fd, name, _ in self._kept:
            getattr(sys, name).flush()
            setattr(sys, name, _stream(fd, name, self._codings[name].encoding))

    def flush(self) -> None:
        for _, name, _ in self._kept:
            # The objective may have closed it, or put an object of its own there, whose `flush` may raise anything: then
            # there is nothing of ours to lose, and it must not cost the worker.
            with contextlib.suppress(Exception):
                getattr(sys, name).flush()

    def give_up(self) -> None:
        """The streams are the process's own from now on: nothing is kept, and they refuse what Python's own refuse."""
        for _, name, kept in self._kept:
            os.close(kept)
            stream = getattr(sys, name)
            if _is_ours(stream):  # a preloaded library may have put its own there
                coding = self._codings[name].as_told(name)
                stream.reconfigure(encoding=coding.encoding, errors=coding.errors)
            setattr(sys, f"__{name}__", getattr(sys, name))
        self._kept.clear()

    def restore(self) -> None:
        """Undo what an objective closed or redirected. A stream that it replaced by another open one stays."""
        for fd, name, kept in self._kept:
            os.dup2(kept, fd)
            stream = getattr(sys, name)
            if stream is None or getattr(stream, "closed", False):
                setattr(sys, name, _stream(fd, name, self._codings[name].encoding))


class _Lenient(io.FileIO):
    """A file descriptor whose disk may be full."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return len(memoryview(data).cast("B"))


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _stream(fd: int, name: str, encoding: str | None) -> io.TextIOWrapper:
    raw = _Lenient(fd, "w", closefd=False)
    raw.name = f"<{name}>"
    stream: Any = io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)
    stream.mode = "w"
    found: io.TextIOWrapper = stream
    return found


def _is_ours(stream: object) -> bool:
    return isinstance(getattr(getattr(stream, "buffer", None), "raw", None), _Lenient)


class _Coding(NamedTuple):
    """How a stream turns text into bytes; None for an encoding is that of the locale."""

    encoding: str | None
    errors: str

    @classmethod
    def of_process(cls, name: str) -> _Coding:
        """That of the stream that Python made when this process began."""
        stream = getattr(sys, f"__{name}__")
        if stream is None:  # its file descriptor was closed
            return cls(None, "backslashreplace" if name == "stderr" else "strict")
        return cls(stream.encoding, stream.errors)

    def as_told(self, name: str) -> _Coding:
        """The same, unless `PYTHONIOENCODING` says otherwise by now."""
        encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
        errors = "backslashreplace" if name == "stderr" else errors or ("strict" if encoding else self.errors)
        try:
            if encoding:
                encoding = codecs.lookup(encoding).name  # as Python does it
            codecs.lookup_error(errors)
        except LookupError:  # Python itself would not even start
            return self
        return _Coding(encoding or self.encoding, errors)


def _kept(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError:  # the controller has none, as a daemon
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
