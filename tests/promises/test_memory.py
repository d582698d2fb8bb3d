"""Promise R19: a sweep's memory grows by less than 1 KB for each trial, of ten parameters and ten reports.

What Python has allocated is looked at twice while the sweep runs, so that nothing is counted that does not grow.
"""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.driver.replay import replay
from asyncsweep.journal import journal as journals

pytestmark = pytest.mark.anyio

SPACE = {
    **{f"x{n}": sw.Float(0.0, 1.0) for n in range(6)},
    **{f"n{n}": sw.Int(1, 1000) for n in range(2)},
    **{f"c{n}": sw.Categorical(["a", "b", "c"]) for n in range(2)},
}
LIMIT_BYTES = 1024


@pytest.fixture
def anyio_backend() -> str:
    """What a trial takes has nothing to do with the event loop."""
    return "asyncio"


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def grows_by(first: int, last: int, directory: Path | None) -> float:
    """Bytes for each trial from one to the other. By the first all buffers are full that have an end."""
    seen: dict[int, int] = {}

    async def reporting(trial: Any) -> float:
        if trial.number in (first, last):
            seen[trial.number] = allocated()
        for step in range(10):
            trial.report(trial.params["x0"] + step, step)
        return float(trial.params["x0"])

    tracemalloc.start(1)
    try:
        sweep = sw.Sweep(reporting, SPACE, sampler="random", n_trials=last + 1, directory=directory, seed=1)
        result = await sweep.run()
    finally:
        tracemalloc.stop()
    assert result.counts[sw.State.COMPLETE] == last + 1
    return (seen[last] - seen[first]) / (last - first)


@pytest.mark.parametrize("where", ["directory", pytest.param("memory", marks=pytest.mark.deep)])
@pytest.mark.parametrize(
    "last", [2_000, pytest.param(100_000, marks=[pytest.mark.deep, pytest.mark.timeout(900)])], ids=str
)
async def test_a_trial_takes_less_than_a_kilobyte(last: int, where: str, tmp_path: Path) -> None:
    assert 200 < await grows_by(1_000, last, tmp_path if where == "directory" else None) < LIMIT_BYTES


@pytest.mark.parametrize(
    "n_trials", [1_000, pytest.param(100_000, marks=[pytest.mark.deep, pytest.mark.timeout(900)])], ids=str
)
async def test_a_trial_of_a_journal_that_was_opened_takes_less_than_a_kilobyte(n_trials: int, tmp_path: Path) -> None:
    async def reporting(trial: Any) -> float:
        for step in range(10):
            trial.report(trial.params["x0"] + step, step)
        return float(trial.params["x0"])

    await sw.Sweep(reporting, SPACE, sampler="random", n_trials=n_trials, directory=tmp_path, seed=1).run()
    tracemalloc.start(1)
    try:
        before = allocated()
        machine = replay(journals.read(tmp_path).events, "journal")
        assert len(machine.trials) == n_trials
        assert 200 < (allocated() - before) / n_trials < LIMIT_BYTES
    finally:
        tracemalloc.stop()
