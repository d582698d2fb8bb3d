"""Makes docs/demo.svg, the picture in the README: the display of the demo, part of the way through. Run it by hand.

python docs/demo_svg.py
"""

from __future__ import annotations

import io
import re
import tempfile
import time
from pathlib import Path

import anyio
from rich.console import Console
from rich.terminal_theme import MONOKAI

# The module's own export brings fonts from another server; a picture in a repository should load nothing.
from rich._export_format import CONSOLE_SVG_FORMAT  # isort: skip

import asyncsweep as sw
from asyncsweep.cli.demo import fresh
from asyncsweep.progress.display import View

SHOWN_AFTER = 14
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


async def main() -> None:
    console = Console(record=True, width=150, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print("[bold]$[/] asyncsweep demo", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        async with fresh(Path(folder)).start() as run:
            view = View(run, console, is_live=True)
            n_finished = 0
            async for update in run.updates():
                view.print_lines([update])
                n_finished += isinstance(update, sw.TrialFinished)
                if n_finished == SHOWN_AFTER:
                    console.print(view.summary(time.time()))
                    break
            run.stop(now=True)
    svg = console.export_svg(title="asyncsweep demo", theme=MONOKAI, code_format=WITHOUT_FONTS, unique_id="demo")
    Path(__file__).with_name("demo.svg").write_text(svg)


if __name__ == "__main__":
    anyio.run(main)
