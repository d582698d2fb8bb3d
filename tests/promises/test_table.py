"""The page on reliability: its table names tests that exist, and what it shows works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.examples.test_documents import NOTEBOOK, blocks, python

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
# In the numbering of the promises.
PROMISES = {f"R{n}" for n in (*range(1, 11), 12, 13, 14, 15, *range(19, 30))} | {"S20", "S25"}


def rows() -> list[list[str]]:
    """The cells of each row of the table of promises."""
    lines = PAGE.read_text(encoding="utf-8").split("## Promises and their tests")[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [RS]\d", line)]


def is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    return (
        file.is_file()
        and re.search(rf"^(async def |def |){name}\b", file.read_text(encoding="utf-8"), re.M) is not None
    )


def test_every_promise_has_a_test() -> None:
    assert {row[0] for row in rows()} == PROMISES


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}-{row[2].rpartition('::')[2].strip('`')[:40]}")
def test_the_test_of_a_promise_exists(row: list[str]) -> None:
    assert len(row) == 6
    assert is_there(row[2].strip("`")), row


def test_a_test_that_does_not_exist_is_missed() -> None:
    assert not is_there("tests/promises/test_table.py::test_a_test_that")
    assert not is_there("tests/promises/no_such_file.py::test_the_test_of_a_promise_exists")


def test_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"`((?:tests|benchmarks|docs)/[\w/]+\.py)", PAGE.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_page_can_be_pasted_into_a_notebook(tmp_path: Path) -> None:
    cells = [block.code for block in blocks(PAGE, "python")]
    assert cells
    done = python(tmp_path, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")
