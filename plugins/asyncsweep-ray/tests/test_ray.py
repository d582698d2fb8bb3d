"""Which cluster is meant, what seats take, and what trials are like there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import asyncsweep as sw

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0)}


def pruned_sweep(executor: Any, **settings: Any) -> sw.Sweep:
    return sw.Sweep(
        "ray_objectives:falls",
        SPACE,
        sampler="random",
        pruner={"name": "median", "n_startup_trials": 2},
        executor=executor,
        n_trials=16,
        concurrency=4,
        seed=3,
        reproducible=True,
        **settings,
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


async def test_seats_take_what_they_need_and_others_wait(stand: Any, tmp_path: Path) -> None:
    await sw.Sweep(
        "ray_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.1},
        sampler="random",
        executor={"name": "ray", "resources": {"only_one": 1}},
        needs={"cpus": 2},
        n_trials=4,
        concurrency=3,
    ).run()
    assert [line.split()[0] for line in (tmp_path / "notes").read_text().splitlines()] == ["began", "ended"] * 4


async def test_two_sweeps_share_a_cluster(stand: Any) -> None:
    sweeps = [pruned_sweep("ray"), pruned_sweep({"name": "ray", "address": stand.address})]
    results: list[sw.Result] = []

    async def run(sweep: sw.Sweep) -> None:
        results.append(await sweep.run())

    async with anyio.create_task_group() as tasks:
        for sweep in sweeps:
            tasks.start_soon(run, sweep)
    assert [t.params for t in results[0].trials] == [t.params for t in results[1].trials]


async def test_ray_is_started_on_request_and_ended_and_not_without() -> None:
    code = """
import asyncio, asyncsweep as sw, ray
def sweep(executor):
    return sw.Sweep("ray_objectives:told", {"x": sw.Float(0, 1)}, sampler="random", executor=executor, n_trials=4)
async def main():
    try:
        await sweep("ray").run()
    except sw.ConfigError as error:
        print(error)
    result = await sweep({"name": "ray", "init": {"num_cpus": 2}}).run()
    print(result.counts[sw.State.COMPLETE], ray.is_initialized())
asyncio.run(main())
"""
    done = await anyio.run_process([sys.executable, "-c", code], stderr=subprocess.STDOUT, check=False, env=_clean())
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if "not connected to a Ray cluster; call ray.init() before" in line]
    assert lines[-1] == "4 False"


def _clean() -> dict[str, str]:
    """Our environment, without what names the cluster of these tests."""
    import os

    left_out = ("RAY_ADDRESS", "RAY_JOB_CONFIG_JSON_ENV_VAR")
    here = str(Path(__file__).parent)
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONPATH": here, "RAY_AUTH_MODE": "disabled"}


async def test_without_concurrency_there_are_as_many_seats_as_there_is_room_for(
    stand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep_ray.cluster.LOOK_EVERY_S", 0.5)
    sweep = sw.Sweep(
        "ray_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.5},
        sampler="random",
        executor="ray",
        n_trials=1000,
    )
    workers: set[str] = set()
    async with sweep.start() as run:
        node = None
        try:
            async for update in run.updates():
                if isinstance(update, sw.TrialStarted):
                    workers.add(str(update.worker))
                if node is None and len(workers) == 4:
                    node = stand.add_node()
                if len(workers) == 6:
                    run.stop()
        finally:
            if node is not None:
                stand.kill_node(node)
    assert len(workers) == 6


async def test_fewer_seats_finish_what_they_run_and_leave(stand: Any, tmp_path: Path) -> None:
    sweep = sw.Sweep(
        "ray_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.2},
        sampler="random",
        executor="ray",
        n_trials=30,
        concurrency=4,
    )
    workers: set[str] = set()
    late: list[str] = []
    resized = False
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                workers.add(str(update.worker))
                late.append(str(update.worker))
                if len(workers) == 4 and not resized:
                    resized = True
                    await run.resize("ray", 1)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 30
    assert [trial.failures for trial in result.trials if trial.failures] == []
    assert len(set(late[-5:])) == 1


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
