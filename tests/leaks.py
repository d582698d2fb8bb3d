"""A check that a piece of code leaves nothing behind."""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import psutil
import pytest


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No child process, file descriptor, task or temporary file more than before, as soon as the block is left."""
    await anyio.to_thread.run_sync(int)  # what the event loop itself opens at its first thread is not ours
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)
        before = belongings()
        yield
        after = belongings()
        assert after == before, f"before: {before}\nafter: {after}"  # pytest explains assertions of tests alone


def has_ended(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends in time. A zombie has ended: who inherited it may never reap it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    try:
        return bool(poll.poll(within_s * 1000))
    finally:
        os.close(fd)


def belongings() -> dict[str, list[str]]:
    return {
        # The text of a process tells what it is doing, too, and a browser of other tests may be one.
        "children": [f"{child.pid} since {child.create_time()}" for child in psutil.Process().children()],
        "fds": sorted(open_fds()),
        "tasks": sorted(task.name or "" for task in anyio.get_running_tasks()),
        "temporary files": sorted(os.listdir(tempfile.gettempdir())),
    }


def open_fds() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue  # the descriptor that listed the folder
    return found
