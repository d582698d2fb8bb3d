"""What holds for every test: each event loop has its turn, and no test leaves a process behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from asyncsweep.worker import tree

# Whoever runs the tests in the background may have Ctrl-C ignored; programs that the tests start, and interrupt, would heed that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Async tests (`@pytest.mark.anyio`) run once on each event loop."""
    return str(request.param)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """A child that was not there before the test, zombies included, is a leak; the next test starts without it."""
    before = children()
    yield
    left = [child for child in children() if child not in before]
    shown = [describe(child) for child in left]
    for child in left:
        child.kill()
    psutil.wait_procs(left, timeout=5)
    assert shown == []


def children() -> list[psutil.Process]:
    if sys.platform == "linux" and not tree.children_of(os.getpid()):
        return []  # of thousands of tests nearly all have none, and psutil looks at every process of the machine
    found: list[psutil.Process] = psutil.Process().children()
    return found


def describe(child: psutil.Process) -> str:
    try:
        return f"{child.pid} ({child.status()}): {' '.join(child.cmdline())}"
    except psutil.Error:
        return f"{child.pid}"
