"""How far a sweep is, on a terminal or as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncsweep.progress.display import show

__all__ = ["show"]


def __getattr__(name: str) -> object:
    """`show`, when it is used: it brings rich and all that runs a sweep, and `text` is for commands that do neither."""
    if name != "show":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from asyncsweep.progress.display import show

    return show
