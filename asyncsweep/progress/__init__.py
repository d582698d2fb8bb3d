"""How far a sweep is, on a terminal or as plain lines."""

from __future__ import annotations

from asyncsweep.progress.display import show

__all__ = ["show"]
