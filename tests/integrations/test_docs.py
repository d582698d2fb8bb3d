"""What docs/integrations.md shows, section by section."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.examples.test_documents import NOTEBOOK, python

TEXT = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text()
SECTIONS = dict(section.split("\n", 1) for section in TEXT.split("\n## ")[1:])


@pytest.mark.deep
@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_can_be_pasted_into_a_notebook(title: str, tmp_path: Path) -> None:
    cells = re.findall(r"^```python\n(.*?)^```$", SECTIONS[title], flags=re.DOTALL | re.MULTILINE)
    assert cells
    done = python(tmp_path, "-W", "ignore", "-c", NOTEBOOK, json.dumps(["import asyncsweep as sw", *cells]))
    assert done.returncode == 0, done.stderr
