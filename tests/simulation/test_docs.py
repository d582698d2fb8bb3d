"""The page on virtual time, run as a user would paste it."""

from __future__ import annotations

import json
from pathlib import Path

from asyncsweep.testing import Faults
from tests.examples.test_documents import NOTEBOOK, ROOT, blocks, python


def test_the_page_on_virtual_time_can_be_pasted_into_a_notebook(tmp_path: Path) -> None:
    cells = [block.code for block in blocks(ROOT / "docs" / "simulation.md", "python")]
    assert len(cells) == 3
    done = python(tmp_path, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("{'lr': ")


def test_the_list_of_faults_explains_each_of_them() -> None:
    text = Faults.__doc__ or ""
    assert [name for name in Faults.__struct_fields__ if f" {name}: " not in text] == []
