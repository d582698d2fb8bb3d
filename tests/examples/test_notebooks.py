"""Sweeps in a real Jupyter kernel: the cells of docs/notebooks.md, and what is below them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_documents import ROOT, blocks

RUN = """
import json, sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)])
NotebookClient(notebook, timeout=40, kernel_name="python3").execute()
json.dump([cell["outputs"] for cell in notebook.cells], sys.stdout)
"""

HOSTILE = """
class Refused(Exception):
    pass

def hostile(trial):
    if trial.number == 1:
        raise Refused("<img src=x onerror=alert(1)>[red]")
    return trial.params["<b>x</b>"]

await sw.Sweep(hostile, space={"<b>x</b>": sw.Float(0, 1)}, executor="thread", sampler="random", n_trials=30).run(progress=True)
"""
STATE = """
async with sw.Sweep(hostile, space={"<b>x</b>": sw.Float(0, 1)}, executor="thread", sampler="random", n_trials=2).start() as run:
    await run.result()
import sys
run
"""
MODULES = "sorted({'ipywidgets', 'hiplot', 'websockets'} & set(sys.modules))"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What is below each cell: those of the page, then ours."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [block.code for block in blocks(ROOT / "docs" / "notebooks.md", "python")]
    # Only ours, before the page's that need more.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "IPYTHONDIR": str(folder / "ipython")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        input=json.dumps([cells[0], HOSTILE, STATE, MODULES, *cells[1:]]),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def html(output: dict[str, Any]) -> str:
    return "".join(output["data"]["text/html"])


def plain(output: dict[str, Any]) -> str:
    return "".join(output["data"]["text/plain"])


def test_progress_is_one_area_that_is_written_anew(outputs: list[list[dict[str, Any]]]) -> None:
    kinds = [output["output_type"] for output in outputs[0]]
    assert kinds == ["display_data", "execute_result"]
    assert html(outputs[0][0]).startswith("<pre ")
    text = plain(outputs[0][0])
    assert "20/20 trials" in text and "best " in text and "lines before these" in text
    assert "Trial 0 " not in text and len(text.splitlines()) < 16


def test_a_result_is_shown_as_a_table_of_its_best_trials(outputs: list[list[dict[str, Any]]]) -> None:
    shown = html(outputs[0][1])
    assert shown.count("<tr>") == 6 and "<b>20 trials</b>" in shown and "Best trials (minimize value)" in shown
    assert plain(outputs[0][1]).startswith("<Result: ")


def test_texts_of_others_are_escaped_below_a_cell(outputs: list[list[dict[str, Any]]]) -> None:
    area, shown = outputs[1]
    for found in (html(area), html(shown), html(outputs[2][-1])):
        assert "<b>x</b>" not in found and "<img" not in found
    assert "&lt;b&gt;x&lt;/b&gt;" in html(shown)


def test_a_run_is_shown_with_how_it_stands(outputs: list[list[dict[str, Any]]]) -> None:
    shown = html(outputs[2][-1])
    assert '<b>Sweep ended</b>: 2 of 2 trials <progress value="2" max="2"></progress>' in shown


def test_nothing_is_imported_for_a_notebook(outputs: list[list[dict[str, Any]]]) -> None:
    assert plain(outputs[3][0]) == "[]"


def test_the_other_cells_of_the_page_do_what_it_says(outputs: list[list[dict[str, Any]]]) -> None:
    background, best, served, experiment = outputs[4:]
    assert background == []
    assert plain(best[0]).startswith("{'x': ")
    assert "".join(served[0]["text"]).startswith("http://127.0.0.1:")
    assert plain(experiment[0]) == "20"


def test_every_cell_of_the_page_was_run() -> None:
    text = Path(ROOT / "docs" / "notebooks.md").read_text()
    assert text.count("```python") == len(blocks(ROOT / "docs" / "notebooks.md", "python")) == 5
