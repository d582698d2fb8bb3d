"""What docs/stability.md shows and says of files is so."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import asyncsweep as sw
from tests import objectives
from tests.checkpoint_objectives import where_in_thread
from tests.examples.test_documents import NOTEBOOK, blocks, is_script, python

DOCUMENT = Path(__file__).parents[2] / "docs" / "stability.md"


def test_the_page_on_stability_can_be_pasted_into_a_notebook(tmp_path: Path) -> None:
    cells = [block.code for block in blocks(DOCUMENT, "python") if not is_script(block)]
    assert len(cells) == 2
    done = python(tmp_path, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")


def modes_in_the_table() -> dict[str, str]:
    """File -> mode, with numbers for N and M."""
    rows = re.findall(r"^\| `(\S+)` \|.*\| (0\d{3}) \|", DOCUMENT.read_text(), flags=re.MULTILINE)
    return {re.sub(r"\b[NM]\b", "0", name).rstrip("/"): mode for name, mode in rows}


def modes_on_the_disk(directory: Path) -> dict[str, str]:
    """Every path under a directory, with its mode and 0 for its numbers."""
    found = {}
    for folder, _, files in os.walk(directory):
        for path in [Path(folder), *(Path(folder, file) for file in files)]:
            name = re.sub(r"\b\d+\b", "0", str(path.relative_to(directory)))
            found[name] = f"{stat.S_IMODE(path.stat().st_mode):04o}"
    return found


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_sweep_leaves_the_files_of_the_table_with_their_modes(umask: int, tmp_path: Path) -> None:
    def run(objective: Callable[..., float], directory: Path) -> dict[str, str]:
        sweep = sw.Sweep(
            objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=2, executor="process", directory=directory
        )
        anyio.run(sweep.run)
        return modes_on_the_disk(directory)

    before = os.umask(umask)
    try:
        found = run(objectives.prints_everywhere, tmp_path / "printing") | run(where_in_thread, tmp_path / "saving")
        found |= run(objectives.has_a_folder, tmp_path / "leaving")
    finally:
        os.umask(before)
    del found["trials/0/checkpoint/file"]  # the objective's own
    folders = {".": "0700", "trials": "0700", "trials/0": "0700"}
    passing = ("journal.asyncsweep.new", "journal.quarantine-0", "worker-process-0.log", "control", "objective.json")
    assert found == folders | {name: mode for name, mode in modes_in_the_table().items() if name not in passing}


def test_a_moved_sweep_can_be_resumed(tmp_path: Path) -> None:
    sweep = sw.Sweep(
        where_in_thread,
        {"x": sw.Float(0, 1)},
        sampler="random",
        n_trials=1,
        executor="thread",
        directory=tmp_path / "a",
    )
    anyio.run(sweep.run)
    (tmp_path / "a").rename(tmp_path / "b")
    resumed = sw.Sweep.open(tmp_path / "b", where_in_thread, n_trials=2)
    folders = [trial.user_attrs["folder"] for trial in anyio.run(resumed.run).trials]
    assert folders == [str(tmp_path / place / "trials" / str(n) / "checkpoint") for n, place in enumerate("ab")]
