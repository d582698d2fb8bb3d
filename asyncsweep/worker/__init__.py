"""What runs beside the objective: the `Trial` it sees, and the process that calls it.

Imports the standard library, `msgpack` and `wire/` alone, so that a worker starts in milliseconds and can be shipped to
other hosts (Python >= 3.10).
"""

from __future__ import annotations

from asyncsweep.worker.current import current_trial, finish, report

__all__ = ["current_trial", "finish", "report"]
