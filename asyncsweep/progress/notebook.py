"""How far a sweep is, below a cell of a notebook: one area that is written anew in its place, with the last lines above the summary.

Rich itself would need ipywidgets for that, and without them a notebook gets an output for each line. IPython's display handles are in every
kernel; IPython is used where it runs already, and never imported.
"""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from asyncsweep.progress.text import visible

N_LINES = 8
WIDTH = 110

_FRAME = '<pre style="white-space:pre;overflow-x:auto;line-height:1.4;margin:0">{code}</pre>'
# Black, red, green, yellow, blue, magenta, cyan, white; all of them can be read on white and on black.
_COLOURS = [
    (125, 125, 133),
    (217, 74, 79),
    (44, 154, 99),
    (184, 117, 20),
    (47, 128, 200),
    (154, 98, 196),
    (47, 128, 200),
    (125, 125, 133),
]


def display_here() -> Callable[..., Any] | None:
    """IPython's `display`, where this process is the kernel of a notebook; None elsewhere, also in IPython on a terminal."""
    ipython = sys.modules.get("IPython")
    get_shell = getattr(ipython, "get_ipython", None)
    shell = None if get_shell is None else get_shell()
    if not hasattr(shell, "kernel"):
        return None
    found: Callable[..., Any] | None = getattr(getattr(ipython, "display", None), "display", None)
    return found


class Area:
    """One output of a cell.

    Args:
        display: IPython's.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._lines: deque[str] = deque(maxlen=N_LINES)
        self._n_hidden = 0
        self._shown = ""

    def add(self, lines: Iterable[str]) -> None:
        """These come above the summary, and the oldest go."""
        for line in lines:
            self._n_hidden += len(self._lines) == N_LINES
            self._lines.append(line)

    def show(self, summary: RenderableType) -> None:
        """Write the area anew."""
        console = Console(
            file=io.StringIO(),
            record=True,
            width=WIDTH,
            force_jupyter=False,
            force_terminal=True,
            color_system="standard",
        )
        if self._n_hidden:
            console.print(Text(f"... {self._n_hidden} lines before these ...", style="black"))
        for line in self._lines:
            console.print(Text(visible(line)), soft_wrap=True)
        console.print(summary)
        text = "\n".join(line.rstrip() for line in console.export_text(clear=False).splitlines())
        if text == self._shown:
            return
        self._shown = text
        theme = TerminalTheme((255, 255, 255), (0, 0, 0), _COLOURS)
        code = console.export_html(theme=theme, inline_styles=True, code_format=_FRAME)
        data = {"text/html": code, "text/plain": text}
        if self._handle is None:
            self._handle = self._display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
