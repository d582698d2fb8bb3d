"""What an attempt may take of memory and processor time, and what it has taken. Linux alone."""

from __future__ import annotations

import math
import os
import re
import sys
from typing import NamedTuple

from asyncsweep.errors import ConfigError
from asyncsweep.worker import tree

_UNITS = {"B": 1, **{f"{letter}B": 1000 ** (i + 1) for i, letter in enumerate("KMGT")}}
_UNITS.update({f"{letter}IB": 1024 ** (i + 1) for i, letter in enumerate("KMGT")})
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)\s*", re.IGNORECASE)


class Limits(NamedTuple):
    """The limits of an attempt; None means that there is none."""

    memory_bytes: int | None = None
    cpu_s: float | None = None


UNLIMITED = Limits()


class Usage(NamedTuple):
    """What a worker and all that descends from it take.

    Attributes:
        memory_bytes: Resident memory. What processes share may be counted for each of them, unless that would be too much.
        cpu_s: The processor time since the worker started.
    """

    memory_bytes: int
    cpu_s: float


def limits_of(memory_limit: object, cpu_time_limit: object) -> Limits:
    """The limits that two options of an executor set.

    Raises:
        ConfigError: One has a wrong type or value, or cannot be kept on this system.
    """
    limits = Limits(_memory(memory_limit), _seconds(cpu_time_limit))
    if limits == UNLIMITED:
        return limits
    name = "memory_limit" if limits.cpu_s is None else "cpu_time_limit"
    if sys.platform != "linux":
        raise ConfigError(f"executor.{name}: only Linux tells what processes take; leave it out on {sys.platform}")
    if not tree.is_visible():
        raise ConfigError(
            f"executor.{name}: /proc tells what processes take, and here it is missing or shows another PID namespace; "
            f"mount this one's (`unshare --mount-proc`), or leave the limit out"
        )
    return limits


def _memory(value: object) -> int | None:
    if value is None:
        return None
    size: float = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        number, unit = match.groups()
        if unit.upper() in _UNITS:
            size = float(number) * _UNITS[unit.upper()]
    if not size >= 1:
        raise ConfigError(
            f'executor.memory_limit={value!r}: it must be a number of bytes >= 1, a text such as "2GiB" or "500MB", or None'
        )
    return int(size)


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"executor.cpu_time_limit={value!r}: it must be a number of seconds > 0, or None")
    return float(value)


def usage_of(guard: int, limits: Limits) -> Usage:
    """What the worker behind a guard takes. Costs some 20 microseconds for each thread of its processes."""
    family = list(tree.family_of(guard))
    memory = sum(stat.resident for _, stat in family) * os.sysconf("SC_PAGE_SIZE")
    if limits.memory_bytes is not None and memory > limits.memory_bytes:
        memory = sum(_share(pid) for pid, _ in family)
    ticks = sum(stat.used for _, stat in family)
    stat = tree.stat_of(guard)
    if stat is not None:  # orphans that it inherited and that have ended
        ticks += stat.waited
    return Usage(memory, ticks / os.sysconf("SC_CLK_TCK"))


def _share(pid: int) -> int:
    """The resident memory of a process in bytes, where what n processes share is divided by n."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:  # it has another user now: then count all of it
        stat = tree.stat_of(pid)
        return 0 if stat is None else stat.resident * os.sysconf("SC_PAGE_SIZE")
    return 0


def is_worn(guard: int, limits: Limits) -> bool:
    """Whether an idle worker has so much memory, more than half of the limit, that the next trial should not have to bear it."""
    return limits.memory_bytes is not None and usage_of(guard, limits).memory_bytes > limits.memory_bytes / 2


def in_words(size_bytes: float) -> str:
    """A size in the largest unit that leaves something before the point: "200 MiB", "1.5 GiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.3g} {unit}" if size_bytes < 100 else f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.3g} TiB"
