"""What holds for every test: each event loop has its turn, and no test leaves a process behind."""

from __future__ import annotations

import gc
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
    """Async tests (`@pytest.mark.anyio`) run once on each event loop; see also `pytest_collection_modifyitems`."""
    return str(request.param)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is marked `any_loop` runs on asyncio; `make test-deep` runs it on trio, too."""
    for item in items:
        if item.get_closest_marker("any_loop") and item.get_closest_marker("each_loop") is None:
            if isinstance(item, pytest.Function) and "trio" in _loop_of(item):
                item.add_marker(pytest.mark.deep)


def _loop_of(item: pytest.Function) -> str:
    return str(item.callspec.params.get("anyio_backend", "")) if hasattr(item, "callspec") else ""


def pytest_collection_finish() -> None:
    """A collection of garbage looks at what tests make, not at ten thousand tests and all that they import: that takes a third of a second."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Hypothesis, which may be imported as late as this, looks for who holds trio's random numbers, and sees nothing that is frozen."""
    gc.unfreeze()


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
