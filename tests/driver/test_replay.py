"""A journal is read and replayed beside the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import asyncsweep as sw
from asyncsweep.driver import replay as replaying
from asyncsweep.journal import journal
from tests.small_objectives import SPACE, square


class Held:
    """Holds the replay in its thread until it is let go."""

    def __init__(self, replay: Any) -> None:
        self.replay = replay
        self.thread: threading.Thread | None = None
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, *arguments: Any) -> Any:
        self.thread = threading.current_thread()
        self.began.set()
        assert self.go.wait(20)
        return self.replay(*arguments)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(replaying.Replaying)
    monkeypatch.setattr(replaying, "Replaying", held)
    yield held
    held.go.set()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a sweep that has begun."""
    anyio.run(sw.Sweep(square, SPACE, sampler="random", n_trials=2, directory=tmp_path).run)
    return tmp_path


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_loop_goes_on_while_a_journal_is_replayed(directory: Path, held: Held, backend: str) -> None:
    async def resume() -> sw.Result:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_go)
            return await sw.Sweep.resume(directory, square, n_trials=3)

    async def let_go() -> None:
        """Is only reached when the loop is not held up."""
        assert await anyio.to_thread.run_sync(held.began.wait, 10)
        held.go.set()

    assert len(anyio.run(resume, backend=backend).trials) == 3
    assert held.thread is not threading.main_thread()


def test_resume_reads_the_journal_beside_the_loop(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    read = journal.read

    def seen(path: Path, **arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return read(path, **arguments)

    monkeypatch.setattr(journal, "read", seen)
    anyio.run(sw.Sweep.resume, directory, square)
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_a_replay_that_asyncio_cancels_leaves_no_open_journal(directory: Path, held: Held) -> None:
    async def resume() -> None:
        task = asyncio.create_task(sw.Sweep.resume(directory, square, n_trials=3))
        assert await anyio.to_thread.run_sync(held.began.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        held.go.set()

    anyio.run(resume)
    assert held.thread is not None
    held.thread.join(10)
    # It would be in use otherwise.
    assert len(anyio.run(sw.Sweep.resume, directory, square).trials) == 2
