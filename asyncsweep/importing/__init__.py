"""A new sweep's directory made of an earlier search, from whatever tool: its trials are the sweep's own, from number 0 on.

This is not a warm start (see `asyncsweep.history`): there an earlier search is learned from and counts for nothing else. Here
it is the sweep, as if it had run in this directory and had ended: it is listed, shown, exported, and goes on with more trials.

`import_search` is the way in. A reader for each kind of source gives a `Search` (`studies`, `tables`, `sweeps`), and `writing`
makes a journal of it, all or nothing. Sources are looked at and never changed.
"""

from asyncsweep.importing.sources import Imported, import_search

__all__ = ["Imported", "import_search"]
