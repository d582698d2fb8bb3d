"""Processes that descend from one, as /proc shows them. Linux alone.

A process is named by its id and the time of its start, so that a signal never hits another one that got the same id since.

In a PID namespace of its own with the /proc of another one, a process would take others for its children: `is_visible` tells, and
where it is False nothing here may be asked.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

# What the controller and the guard of a worker agree on: by this environment variable a process is known to descend from a
# worker, and at this signal (by its name, which Windows does not know) a guard ends everything by force.
MARK = "ASYNCSWEEP_WORKER"
# By this one the programs of a `Command` and all that they start are found, in whatever session they are.
PROGRAM = "ASYNCSWEEP_PROGRAM"
FORCE = "SIGUSR1"

# By this name in /proc a worker is known whose objective is a script, which its first child runs.
WARM = b"asyncsweep-warm"

# Processes that cannot be ended for so long (they hang in the kernel, or are another user's) are left alone.
END_S = 5.0
_GONE = (FileNotFoundError, ProcessLookupError)


class Process(NamedTuple):
    """A process, for as long as it lives and no longer."""

    pid: int
    started_at: int


class Stat(NamedTuple):
    """What `/proc/PID/stat` tells.

    Attributes:
        state: A letter; "T" means stopped by a signal, "Z" that it has ended.
        parent: The parent's id.
        started_at: When it started, in clock ticks.
        used: The processor time of the process, and of those of its children that it has waited for, in clock ticks.
        waited: The children's part of that.
        resident: Its pages in memory.
    """

    state: str
    parent: int
    started_at: int
    used: int
    waited: int
    resident: int


@functools.cache
def is_visible() -> bool:
    """Whether there is a /proc, and its process ids are those that we use."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # the name before it may hold anything
    except _GONE:
        return None
    user, system, user_waited, system_waited = map(int, fields[11:15])
    waited = user_waited + system_waited
    return Stat(fields[0].decode(), int(fields[1]), int(fields[19]), user + system + waited, waited, int(fields[21]))


def name_of(pid: int) -> bytes:
    """How a process calls itself; b"" when there is no such process."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().rstrip(b"\n")
    except _GONE:
        return b""


def children_of(pid: int) -> list[int]:
    """The ids of a process's children, zombies included, oldest first for each of its threads."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except _GONE:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except _GONE:
            if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
                return _children_by_search(pid)  # a kernel without these files
    return found


def _children_by_search(pid: int) -> list[int]:
    parents = {other: stat_of(other) for other in _all()}
    return [other for other, stat in parents.items() if stat is not None and stat.parent == pid]


def family_of(pid: int) -> Iterator[tuple[int, Stat]]:
    """All that descend from a process, itself not included. Those that are born meanwhile may be missing."""
    parents = [pid]
    while parents:
        for child in children_of(parents.pop()):
            stat = stat_of(child)
            if stat is not None:
                yield child, stat
                parents.append(child)


def descendants_of(pid: int) -> list[Process]:
    """The same as processes that can be sent a signal."""
    return [Process(child, stat.started_at) for child, stat in family_of(pid)]


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal; nothing happens when the process has ended or may not be sent one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            fd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return
        except (AttributeError, OSError):  # an old kernel, or a container that forbids it: then the id has to do
            if _is_still(process):
                os.kill(process.pid, number)
            return
        try:
            if _is_still(process):
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def _is_still(process: Process) -> bool:
    stat = stat_of(process.pid)
    return stat is not None and stat.started_at == process.started_at


def end(pid: int) -> None:
    """End by force what descends from a process, once: what these leave behind may have a new parent afterwards.

    All are stopped before the first is ended, so that none of them can start another one meanwhile.
    """
    until = time.monotonic() + END_S
    stopped: dict[Process, None] = {}
    while new := [process for process in descendants_of(pid) if process not in stopped]:
        for process in new:
            send(process, signal.SIGSTOP)
            stopped[process] = None
        if time.monotonic() > until:
            break
    for process in stopped:
        send(process, signal.SIGKILL)


def marked(mark: str) -> list[Process]:
    """The processes of our user whose environment at their start had `mark` in it, wherever they descend from; no zombies.

    Nobody is found where /proc does not show us.
    """
    found: list[Process] = []
    if not is_visible():
        return found
    for pid in _all():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                has_mark = mark.encode() in file.read()
        except (*_GONE, PermissionError):
            continue
        stat = stat_of(pid) if has_mark else None
        if stat is not None:
            found.append(Process(pid, stat.started_at))
    return found


def end_marked(mark: str) -> None:
    """End by force all that `marked` finds."""
    until = time.monotonic() + END_S
    while (found := marked(mark)) and time.monotonic() < until:
        for process in found:
            send(process, signal.SIGKILL)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
