"""docs/exporters.md: its code is run, and its tables are held against what ships."""

from __future__ import annotations

import inspect
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

from asyncsweep.driver import session, updates
from asyncsweep.exporters import threaded
from asyncsweep.hooks.registry import Registry

PAGE = Path(__file__).parents[2] / "docs" / "exporters.md"

# As a notebook does: one namespace, with `await` at the top level.
NOTEBOOK = """
import ast, asyncio, inspect, sys

async def cells():
    for cell in sys.argv[1:]:
        found = eval(compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), globals())
        if inspect.isawaitable(found):
            await found

asyncio.run(cells())
"""


def test_the_page_can_be_pasted_into_a_notebook(tmp_path: Path) -> None:
    cells = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(cells) == 3
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, *cells],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("20 True\n", 0), done.stderr
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 21
    with sqlite3.connect(tmp_path / "trials.db") as table:
        assert table.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (10,)
    table.close()


def test_the_tables_have_the_names_and_options_that_there_are() -> None:
    told = {
        name: re.findall(r"`(\w+)(?:=\w+)?`", options)
        for name, options in re.findall(
            r"^\| \[?`(\w+)`\]?(?:\(.*?\))? \| (.*?) \|", PAGE.read_text(), flags=re.MULTILINE
        )
    }
    registry = Registry()
    for name in registry.names("exporter"):
        offer = registry.find("exporter", name)
        if offer.source.distribution.startswith("asyncsweep"):
            assert (name, told[name]) == (name, list(inspect.signature(offer.load()).parameters))
    assert {"csv", "jsonl", "optuna"} <= set(registry.names("exporter"))


def test_the_limits_are_those_of_the_page() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"a buffer of {updates.BUFFERED:,} updates" in text
    assert f"more than {session.EXPORT_OPEN_S:g} s" in text
    assert (
        f"have {session.EXPORT_GRACE_S:g} s to write what is left and {threaded.CLOSE_TIMEOUT_S:g} s to close" in text
    )
