"""What an unknown name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What an error's sentence says next: " (did you mean 'tpe'?)", or "" where nothing is near."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f" (did you mean {by_lower_case[near[0]]!r}?)" if near else ""


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, separated by commas; "none" when there are none."""
    return ", ".join(sorted(names)) or "none"
