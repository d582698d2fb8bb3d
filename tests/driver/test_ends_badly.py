"""What takes the ground from under a sweep ends it with a clear error, not with a loop or with silence."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.executors import process
from asyncsweep.worker.trial import Trial

pytestmark = pytest.mark.anyio


class DiesIdle:
    """Ready for trials, and dead a moment later."""

    def __init__(self) -> None:
        threading.Thread(target=self.end, daemon=True).start()

    def end(self) -> None:
        time.sleep(0.05)
        os._exit(3)

    def __call__(self, x: float) -> float:
        time.sleep(30)
        return x


@pytest.mark.any_loop
async def test_workers_that_die_idle_again_and_again_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PAUSES_S", (0.01, 0.01))
    sweep = sw.Sweep(DiesIdle, {"x": sw.Float(0, 1)}, sampler="random", executor="process", n_trials=5)

    async def paused() -> None:
        async with sweep.start() as run:
            run.pause()
            await run.result()

    with pytest.raises(sw.ConfigError, match="exit code 3"):
        await paused()


async def test_a_sweep_whose_directory_is_deleted_says_so(tmp_path: Path) -> None:
    started = anyio.Event()

    async def objective(trial: Trial) -> float:
        started.set()
        await anyio.sleep_forever()
        return 0.0

    directory = tmp_path / "sweep"
    sweep = sw.Sweep(objective, {}, sampler="random", n_trials=2, directory=directory)

    async def loses_its_directory() -> None:
        async with sweep.start() as run:
            await started.wait()
            shutil.rmtree(directory)
            run.enqueue({})
            await run.result()

    with pytest.raises(sw.JournalError, match="deleted"):
        await loses_its_directory()
