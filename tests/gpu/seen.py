"""Writes what the checks on a real GPU saw to their place in docs/gpu.md."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
BEGIN = "<!-- seen: begin, written by `make test-gpu` -->\n"
END = "<!-- seen: end -->\n"


def write(page: Path, day: datetime.date, hardware: str, lines: Sequence[str]) -> None:
    """Put lines in the place of what was seen before.

    Raises:
        ValueError: The page has no such place.
    """
    head, begin, rest = page.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for what was seen: {BEGIN!r} ... {END!r}")
    body = "".join(f"- {line}\n" for line in lines)
    page.write_text(f"{head}{BEGIN}{day.isoformat()}, {hardware}:\n\n{body}{END}{tail}")
