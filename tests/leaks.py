"""A check that a piece of code leaves nothing behind."""

from __future__ import annotations

import os
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
        assert belongings() == before


def is_running(pid: int) -> bool:
    """False for a zombie too: the container's first process may not reap what it inherits."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def belongings() -> dict[str, list[str]]:
    return {
        "children": [str(child) for child in psutil.Process().children()],
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
