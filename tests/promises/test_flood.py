"""S11: one trial that reports without a pause holds up neither the other trials nor the application's loop."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw

pytestmark = pytest.mark.anyio

N_OTHERS = 100
MOST_REPORTS = 1_000_000  # seconds' worth: whoever is held up is held up for longer


class Flood:
    """Trial 0 reports until the others are done, which leave a word for it."""

    def __init__(self, flag: Path) -> None:
        self._flag = flag

    def __call__(self, trial: sw.Trial) -> float:
        if trial.number == N_OTHERS:
            self._flag.touch()
        if trial.number:
            return 1.0
        for step in range(MOST_REPORTS):
            trial.report(0.5, step)
            if not step % 1000 and self._flag.exists():
                return 0.0
        raise RuntimeError("the others were held up")


async def test_a_flood_of_reports_holds_up_nobody(tmp_path: Path) -> None:
    turns = 0

    async def live() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.sleep(0.001)

    sweep = sw.Sweep(
        Flood(tmp_path / "flag"),
        {"x": sw.Float(0, 1)},
        sampler="random",
        executor="process",
        concurrency=2,
        n_trials=N_OTHERS + 1,
        directory=tmp_path / "sweep",
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        result = await sweep.run()
        tasks.cancel_scope.cancel()
    assert result.counts[sw.State.COMPLETE] == N_OTHERS + 1
    assert result.trials[0].value == 0.0, result.trials[0].error
    assert len(result.trials[0].steps or ()) > 1000  # it was a flood
    assert turns > 10
