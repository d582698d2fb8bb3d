"""Which cluster is meant, what seats take, and what trials are like there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import asyncsweep as sw

# How long one waits for what nobody tells of, on a machine that is busy: see conftest.py.
PATIENCE_S = 60.0

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0)}


def pruned_sweep(executor: Any, concurrency: int = 4) -> sw.Sweep:
    return sw.Sweep(
        "ray_objectives:falls",
        SPACE,
        sampler="random",
        pruner={"name": "median", "n_startup_trials": 2},
        executor=executor,
        n_trials=16,
        concurrency=concurrency,
        seed=3,
        reproducible=4,
    )


async def test_a_reproducible_sweep_is_the_same_as_in_local_processes(stand: Any) -> None:
    there = await pruned_sweep("ray").run()
    here = await pruned_sweep("process").run()
    assert [(t.params, t.state, t.metrics, list(t.reports)) for t in there.trials] == [
        (t.params, t.state, t.metrics, list(t.reports)) for t in here.trials
    ]
    assert there.counts[sw.State.PRUNED] > 0


async def test_a_class_is_built_once_in_each_seat(stand: Any) -> None:
    sweep = sw.Sweep("ray_objectives:LoadsOnce", SPACE, sampler="random", executor="ray", n_trials=6, concurrency=1)
    assert [trial.user_attrs["calls"] for trial in (await sweep.run()).trials] == [1, 2, 3, 4, 5, 6]


async def test_a_function_of_this_process_travels(stand: Any) -> None:
    factor = 3.0
    result = await sw.Sweep(lambda x: factor * x, SPACE, sampler="random", executor="ray", n_trials=3).run()
    assert [trial.metrics["value"] for trial in result.trials] == [3 * trial.params["x"] for trial in result.trials]


def noted_sweep(tmp_path: Path, **settings: Any) -> sw.Sweep:
    """Trials work until the file `gate` is there, and each notes its process."""
    space = {**SPACE, "notes": str(tmp_path / "notes"), "gate": str(tmp_path / "gate")}
    return sw.Sweep("ray_objectives:noted", space, **{"sampler": "random", "executor": "ray", **settings})


async def begun(updates: AsyncIterator[sw.Update], count: int) -> None:
    """Wait until so many more attempts run."""
    with anyio.fail_after(PATIENCE_S):
        async for update in updates:
            count -= isinstance(update, sw.TrialReported) and update.step == 0
            if not count:
                return


async def test_seats_take_what_they_need_and_others_wait(stand: Any, tmp_path: Path) -> None:
    executor = {"name": "ray", "resources": {"only_one": 1}}
    async with noted_sweep(tmp_path, executor=executor, needs={"cpus": 2}, n_trials=4, concurrency=3).start() as run:
        await begun(run.updates(), 1)
        await stand.comes_to_take({"only_one": 1.0, "CPU": 2.0})
        (tmp_path / "gate").touch()
        await run.result()
    notes = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
    assert [what for what, *_ in notes] == ["began", "ended"] * 4
    assert len({pid for *_, pid in notes}) == 1


async def test_two_sweeps_share_a_cluster(stand: Any) -> None:
    sweeps = [pruned_sweep("ray", 2), pruned_sweep({"name": "ray", "address": stand.address}, 2)]
    results: list[sw.Result] = []

    async def run(sweep: sw.Sweep) -> None:
        results.append(await sweep.run())

    async with anyio.create_task_group() as tasks:
        for sweep in sweeps:
            tasks.start_soon(run, sweep)
    assert [t.params for t in results[0].trials] == [t.params for t in results[1].trials]


async def test_without_concurrency_there_are_as_many_seats_as_there_is_room_for(
    stand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep_ray.cluster.LOOK_EVERY_S", 0.1)
    async with noted_sweep(tmp_path, n_trials=1000).start() as run:
        updates = run.updates()
        await begun(updates, 4)
        assert run.concurrency == 4
        node = stand.add_node()
        try:
            await begun(updates, 2)
            assert run.concurrency == 6
            run.stop()
            (tmp_path / "gate").touch()
            result = await run.result()
        finally:
            await stand.kill_node(node)
    assert len(result.trials) == 6


async def test_fewer_seats_finish_what_they_run_and_leave(stand: Any, tmp_path: Path) -> None:
    workers: list[str] = []
    async with noted_sweep(tmp_path, n_trials=12, concurrency=4).start() as run:
        updates = run.updates()
        await begun(updates, 4)
        await run.resize("ray", 1)
        (tmp_path / "gate").touch()
        async for update in updates:
            if isinstance(update, sw.TrialStarted):
                workers.append(str(update.worker))
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 12
    assert [trial.failures for trial in result.trials if trial.failures] == []
    assert (len(workers), len(set(workers))) == (8, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "127.0.0.1:1"}, r"connected to another Ray cluster than \{'address': '127.0.0.1:1'\}"),
        ({"init": {"num_cpus": 2}}, r"connected to another Ray cluster"),
        ({"init": ["num_cpus"]}, r"executor.init=\['num_cpus'\]: it must be a mapping"),
        ({"address": "auto", "init": {"address": "auto"}}, r"executor.init has an address, too"),
        ({"num_cpus": -1}, r"executor.num_cpus=-1: it must be a number >= 0"),
        ({"resources": {"a100": "many"}}, r"executor.resources\['a100'\]='many'"),
        ({"scheduling_strategy": "ANY"}, r"executor.scheduling_strategy='ANY'"),
        ({"cpu_time_limit": 0}, r"executor.cpu_time_limit=0"),
    ],
)
async def test_a_wrong_option_is_refused_with_what_to_do(stand: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        await sw.Sweep("ray_objectives:told", SPACE, executor={"name": "ray", **options}, n_trials=1).run()


def test_under_trio_it_says_that_it_needs_asyncio() -> None:
    sweep = sw.Sweep("ray_objectives:told", SPACE, executor="ray", n_trials=1)
    with pytest.raises(sw.ConfigError, match="executor='ray' needs asyncio"):
        trio.run(sweep.run)
