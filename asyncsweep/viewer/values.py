"""Values as the stream has them: what JSON has no word for is text, and nothing is longer than a page can bear."""

from __future__ import annotations

import math
from typing import Any

from asyncsweep.cells import json_value

# Beyond it JavaScript's numbers are not exact.
EXACT = 2**53
# Characters of a text in a cell, and of a list or dict as JSON.
CELL_CHARS = 1_000


def text(value: str, most: int = CELL_CHARS) -> str:
    """A text of at most so many characters, which UTF-8 can say."""
    if len(value) > most:
        value = f"{value[: most - 1]}\u2026"
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a pair of surrogates says nothing; it becomes one character, so that the text is no longer than it was.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def number(value: Any) -> Any:
    """A number, or whatever else stands in its place."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else _infinite(value)
    if kind is int:
        return value if -EXACT <= value <= EXACT else str(value)
    return cell(value)


def cell(value: Any) -> Any:
    """Any value that a parameter can have, in one cell."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return text(value.hex())
    if isinstance(value, float):
        return value if math.isfinite(value) else _infinite(value)
    if isinstance(value, int):
        return int(value) if -EXACT <= value <= EXACT else str(value)
    if isinstance(value, list | tuple | dict):
        return whole(value, CELL_CHARS)
    return text(str(value))


def whole(value: Any, most: int) -> Any:
    """A value at any depth; one that is longer than so many characters, written out, is text, and cut."""
    written, left = _plain(value, most)
    return written if left >= 0 else text(str(json_value(value)), most)


def _plain(value: Any, left: int) -> tuple[Any, int]:
    """The value for JSON, and how many characters are left of a limit; nothing is made beyond it."""
    if left < 0:
        return None, left
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            shown = text(str(key), max(2, left))
            found[shown], left = _plain(item, left - len(shown) - 2)
            if left < 0:
                break
        return found, left
    if isinstance(value, list | tuple):
        items = []
        for item in value:
            made, left = _plain(item, left - 1)
            items.append(made)
            if left < 0:
                break
        return items, left
    if isinstance(value, str | bytes):
        shown = value.hex() if isinstance(value, bytes) else text(value, len(value) + 1)
        return shown, left - len(shown)
    return cell(value), left - 4


def _infinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
