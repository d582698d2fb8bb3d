"""What an unknown name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What an error's sentence says next: " (did you mean 'tpe'?)", or "" where nothing is near.

    A class is taken for the name of what it makes: "TPESampler" for "tpe".
    """
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    wanted = name.lower()
    for written in (wanted.removesuffix("sampler").removesuffix("pruner"), wanted):
        near = difflib.get_close_matches(written, by_lower_case, n=1)
        if near:
            return f" (did you mean {by_lower_case[near[0]]!r}?)"
    return ""


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, separated by commas; "none" when there are none."""
    return ", ".join(sorted(names)) or "none"
