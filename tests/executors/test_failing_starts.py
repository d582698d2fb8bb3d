"""Worker processes that cannot be started for a while."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.executors import process, worker
from tests import objectives
from tests.leaks import nothing_left

pytestmark = pytest.mark.anyio

X = {"x": sw.Float(0, 1)}


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers of the starts that fail, from 1 on."""
    failing: set[int] = set()
    really_start, n = worker.start, 0

    async def start(*arguments: Any) -> Any:
        nonlocal n
        n += 1
        if n in failing:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return await really_start(*arguments)

    monkeypatch.setattr(worker, "start", start)
    monkeypatch.setattr(process, "_PAUSES_S", (0.01,) * 5)
    return failing


async def sweep(objective: Any = objectives.square, space: Any = X, **settings: Any) -> sw.Result:
    settings = {"n_trials": 3, "sampler": "random", "executor": {"name": "process", "fresh": True}, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, **settings).run()


def ends(result: sw.Result) -> list[tuple[str, int, str]]:
    return [(str(trial.state), trial.attempt, str(trial.error or "")) for trial in result.trials]


async def test_a_job_waits_for_a_process_that_cannot_be_started_yet(no_start: set[int]) -> None:
    no_start.update(range(2, 7))
    assert ends(await sweep()) == [("COMPLETE", 1, "")] * 3


async def test_an_executor_that_can_start_no_more_processes_says_so(no_start: set[int]) -> None:
    no_start.update(range(2, 100))
    with pytest.raises(sw.PluginError, match=r"no worker process can be started any more: .*unavailable \(\d+ tries"):
        await sweep()


def first_dies(trial: sw.Trial) -> float:
    path = Path(trial.params["folder"]) / "another one has begun"
    if trial.number == 0:
        while not path.exists():
            os.sched_yield()
        os._exit(7)
    path.touch()
    return 1.0


async def test_a_slot_without_a_process_is_not_the_end_while_another_one_works(
    no_start: set[int], tmp_path: Path
) -> None:
    no_start.update(range(3, 100_000))
    result = await sweep(first_dies, {"folder": str(tmp_path)}, n_trials=1000, concurrency=2, executor="process")
    assert [str(trial.state) for trial in result.trials].count("COMPLETE") == 999


async def test_a_sweep_whose_first_process_cannot_be_started_ends_at_once(no_start: set[int]) -> None:
    no_start.add(1)
    with pytest.raises(sw.ConfigError, match=r"no trial could start: OSError: .*unavailable"):
        await sweep()
