"""Names of workers, never used twice in one process, so that late messages of an old worker cannot meet a new one."""

from __future__ import annotations

import itertools

_numbers = itertools.count(1)


def new_worker(kind: str) -> str:
    """A fresh name, such as "process-3"."""
    return f"{kind}-{next(_numbers)}"
