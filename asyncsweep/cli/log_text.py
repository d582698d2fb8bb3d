"""Output of trials made fit for a terminal, as it comes in pieces."""

from __future__ import annotations

import codecs
import re

from asyncsweep.progress.text import visible

# An objective need not print line breaks.
_LONGEST_LINE = 8192
_END = re.compile(r"\r?\n|\r(?!\n|$)")


class Lines:
    """The lines of one attempt, with control characters written as escapes.

    Of what overwrites itself by carriage returns, a progress bar for example, each piece gives the latest state.

    Args:
        encoding: Of the terminal.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        text = self._rest + self._decoder.decode(data)
        found = []
        overwritten = None
        place = 0
        for end in _END.finditer(text):
            line, place = text[place : end.start()], end.end()
            if end.group() == "\r":
                overwritten = line
            else:
                found.append(line or overwritten or "")
                overwritten = None
        self._rest = text[place:]
        if overwritten is not None:
            found.append(overwritten)
        while len(self._rest) > _LONGEST_LINE:
            found.append(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        return [visible(line.expandtabs(4), self._encoding) for line in found]

    def end(self) -> list[str]:
        """What is left when nothing more comes, or is passed over."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return [visible(line.expandtabs(4), self._encoding) for line in rest.split("\r") if line]


def left_out_line(n_bytes: int) -> str:
    """Says that something is missing, in the words of the logs themselves."""
    return f"... {n_bytes} bytes left out ..."
