"""Warm start: the trials of an earlier search, wherever they are, for a new sweep to learn from.

`load` is the way in. A reader for each kind of source gives `Candidate`s (`sweeps`, `studies`, `tables`), and `admission`
holds each against the new sweep's space and directions. Nothing here writes, locks or keeps what it reads from.
"""

from asyncsweep.history.sources import History, load

__all__ = ["History", "load"]
