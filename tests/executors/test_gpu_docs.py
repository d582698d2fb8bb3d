"""docs/gpu.md: its code is run, on devices that are made up, and its tables are held against the code."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.executors import gpu_looks
from asyncsweep.executors.gpu import GpuExecutor
from asyncsweep.executors.gpu_usage import Course
from tests.executors.fake_nvml import FakeMachine

PAGE = (Path(__file__).parents[2] / "docs" / "gpu.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def first_cells(title: str) -> list[str]:
    """The names in the first column of the table of a section."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")][2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_the_code_can_be_pasted_into_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeMachine(tmp_path).install(monkeypatch)
    cells: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks("python"):
        code = compile(block, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        found = eval(code, cells)
        if inspect.isawaitable(found):
            await found
    assert cells["result"].counts[sw.State.COMPLETE] == 4
    for options in (cells["quarters"], cells["pairs"]):
        sw.Sweep(cells["train"], {"lr": sw.Float(0, 1)}, executor=options)


def test_every_option_is_in_the_table() -> None:
    assert first_cells("Options") == list(inspect.signature(GpuExecutor).parameters)


def test_every_figure_is_in_the_table() -> None:
    figures = Course().with_past({"gpu_memory_gib": 1.0, "gpu_utilisation": 0.5})
    assert sorted(first_cells("Usage")) == sorted(figures)


def test_the_times_are_those_of_the_code() -> None:
    assert f"for {gpu_looks.SILENCE_S:g} s" in PAGE
    assert f"does not answer for {gpu_looks.PATIENCE_S:g} s" in PAGE
