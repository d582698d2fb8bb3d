"""The place in docs/gpu.md for what was seen on a GPU."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tests.gpu.seen import BEGIN, END, PAGE, write

DAY = datetime.date(2026, 11, 22)


def test_what_was_seen_takes_the_place_of_what_was_seen_before(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    page.write_text(f"Head.\n{BEGIN}Nothing yet.\n{END}Tail.\n")
    for lines in (["one"], ["two", "three"]):
        write(page, DAY, "1 x H100", lines)
    assert page.read_text() == f"Head.\n{BEGIN}2026-11-22, 1 x H100:\n\n- two\n- three\n{END}Tail.\n"


def test_a_page_without_the_place_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    page.write_text(f"Head.\n{BEGIN}")
    with pytest.raises(ValueError, match="has no place"):
        write(page, DAY, "1 x H100", ["one"])


def test_the_page_has_the_place(tmp_path: Path) -> None:
    copy = tmp_path / "gpu.md"
    copy.write_text(PAGE.read_text())
    write(copy, DAY, "1 x H100", ["one"])
    assert "2026-11-22, 1 x H100:" in copy.read_text()
