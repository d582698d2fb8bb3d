"""How many slots an executor of this machine offers: as it was made with, as it is asked for, or one for each processor."""

from __future__ import annotations

import os
from typing import Any

from asyncsweep.errors import ConfigError


def checked(slots: Any) -> int | None:
    """The option `slots` of an executor.

    Raises:
        ConfigError: It is no whole number >= 1, and not None.
    """
    if slots is not None and (isinstance(slots, bool) or not isinstance(slots, int) or slots < 1):
        raise ConfigError(
            f"executor.slots={slots!r}: it must be a whole number >= 1, or None for as many as trials run at a time"
        )
    return slots


def n_slots(own: int | None, asked: int) -> int:
    """How many to offer, of `own` that there are at most, when `asked` are wanted, 0 of them meaning all."""
    if asked:
        return asked if own is None else min(own, asked)
    if own is not None:
        return own
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
