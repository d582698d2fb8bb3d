"""A cancelled sweep's trials in worker processes have the grace to end by themselves."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw

SCRIPT = """
import pathlib, signal, sys, time
def save(*_):
    pathlib.Path("saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
pathlib.Path("begun").touch()
while True:
    time.sleep(0.01)
"""


def saves_at_sigterm(x: float) -> float:
    def save(*_: object) -> None:
        Path("saved").touch()
        sys.exit(0)

    signal.signal(signal.SIGTERM, save)
    Path("begun").touch()
    while True:
        time.sleep(0.01)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["function", "script"])
async def test_what_runs_may_save_itself_when_the_sweep_is_cancelled(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    here = anyio.Path(tmp_path)
    objective = saves_at_sigterm if kind == "function" else sw.Script("train.py")
    sweep = sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=1, executor="process", grace_s=30)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sweep.run)
        while not await here.joinpath("begun").exists():
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert await here.joinpath("saved").exists()
