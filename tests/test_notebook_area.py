"""Progress below a cell of a notebook, without one; tests/examples/test_notebooks.py has a real one."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from rich.text import Text

import asyncsweep as sw
from asyncsweep.progress import notebook


class Cell:
    """What IPython's `display` would show: the data of each output, as it is now."""

    def __init__(self) -> None:
        self.outputs: list[list[dict[str, str]]] = []

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw and display_id
        versions = [data]
        self.outputs.append(versions)
        return SimpleNamespace(update=lambda data, raw: versions.append(data))


def ipython(shell: Any, cell: Cell) -> Any:
    return SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=cell.display))


async def objective(trial: sw.Trial) -> float:
    await anyio.lowlevel.checkpoint()
    if trial.number == 3:
        raise ValueError("<b>\x1b[31m")
    return float(trial.params["x"])


def run() -> None:
    sweep = sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=5)
    anyio.run(lambda: sweep.run(progress=True))


def test_in_a_kernel_progress_is_one_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = Cell()
    monkeypatch.setitem(sys.modules, "IPython", ipython(SimpleNamespace(kernel=1), cell))
    run()
    (versions,) = cell.outputs
    last = versions[-1]
    assert "5/5 trials" in last["text/plain"] and "complete 4, failed 1" in last["text/plain"]
    assert "&lt;b&gt;\\x1b[31m" in last["text/html"] and "<b>" not in last["text/html"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["imported", "terminal"])
def test_elsewhere_progress_is_lines(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = Cell()
    monkeypatch.setitem(sys.modules, "IPython", ipython(shell, cell))
    run()
    assert cell.outputs == []
    assert "Trial 4 finished" in capsys.readouterr().out


def test_a_half_imported_ipython_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (None, SimpleNamespace(), SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))):
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert notebook.display_here() is None


def test_a_notebook_that_is_gone_does_not_end_the_sweep(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no comm")

    monkeypatch.setattr(notebook, "display_here", lambda: gone)
    with caplog.at_level(logging.WARNING, "asyncsweep"):
        run()
    assert [record.getMessage() for record in caplog.records] == [
        "the notebook cannot be written, and the sweep goes on without it: no comm"
    ]


def test_the_last_lines_are_kept_and_the_others_counted() -> None:
    cell = Cell()
    area = notebook.Area(cell.display)
    area.add(f"line {n}" for n in range(5))
    area.show(Text("summary"))
    area.add(f"line {n}" for n in range(5, 12))
    area.show(Text("summary"))
    area.show(Text("summary"))
    first, second = cell.outputs[0]
    assert first["text/plain"].splitlines() == [*(f"line {n}" for n in range(5)), "summary"]
    assert second["text/plain"].splitlines() == [
        "... 4 lines before these ...",
        *(f"line {n}" for n in range(4, 12)),
        "summary",
    ]
