"""Which cluster is meant, where seats are placed, and what trials are like there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import distributed
import psutil
import pytest
import trio
from asyncsweep_dask.executor import DaskExecutor

import asyncsweep as sw

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0)}


def pruned_sweep(executor: Any, **settings: Any) -> sw.Sweep:
    return sw.Sweep(
        "dask_objectives:falls",
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
    there = await pruned_sweep({"name": "dask", "address": stand.address}).run()
    here = await pruned_sweep("process").run()
    assert [(t.params, t.state, t.metrics, list(t.reports)) for t in there.trials] == [
        (t.params, t.state, t.metrics, list(t.reports)) for t in here.trials
    ]
    assert there.counts[sw.State.PRUNED] > 0


async def test_a_client_of_another_thread_tells_which_cluster_and_is_left_as_it_was(stand: Any) -> None:
    factor = 3.0
    client = await anyio.to_thread.run_sync(lambda: distributed.Client(stand.address, set_as_default=False))
    try:
        sweep = sw.Sweep(
            lambda x: factor * x, SPACE, sampler="random", executor=DaskExecutor(client=client), n_trials=3
        )
        result = await sweep.run()
        assert [trial.metrics["value"] for trial in result.trials] == [3 * trial.params["x"] for trial in result.trials]
        assert await anyio.to_thread.run_sync(lambda: client.submit(sum, (1, 2)).result()) == 3
    finally:
        await anyio.to_thread.run_sync(client.close)


async def test_a_local_cluster_is_started_on_request_and_ended() -> None:
    before = psutil.Process().children(recursive=True)
    executor = {"name": "dask", "local": {"n_workers": 1, "threads_per_worker": 2}}
    result = await sw.Sweep("dask_objectives:told", SPACE, sampler="random", executor=executor, n_trials=4).run()
    assert result.counts[sw.State.COMPLETE] == 4
    left = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert [child for child in left if "resource_tracker" not in " ".join(child.cmdline())] == []


async def test_a_class_is_built_once_in_each_seat(stand: Any) -> None:
    executor = {"name": "dask", "address": stand.address}
    sweep = sw.Sweep("dask_objectives:LoadsOnce", SPACE, sampler="random", executor=executor, n_trials=6, concurrency=1)
    assert [trial.user_attrs["calls"] for trial in (await sweep.run()).trials] == [1, 2, 3, 4, 5, 6]


async def test_seats_have_the_resources_that_they_need_and_others_wait(stand: Any, tmp_path: Path) -> None:
    nanny = stand.add_worker("--resources", "accelerator=1 GPU=2")
    try:
        await sw.Sweep(
            "dask_objectives:noted",
            {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.1},
            sampler="random",
            executor={"name": "dask", "address": stand.address, "resources": {"accelerator": 1}},
            needs={"gpus": 1},
            n_trials=4,
            concurrency=3,
        ).run()
    finally:
        stand.kill_node(nanny)
    assert [line.split()[0] for line in (tmp_path / "notes").read_text().splitlines()] == ["began", "ended"] * 4


async def test_seats_that_wait_take_what_joins(stand: Any, tmp_path: Path) -> None:
    sweep = sw.Sweep(
        "dask_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.4},
        sampler="random",
        executor={"name": "dask", "address": stand.address},
        n_trials=1000,
        concurrency=6,
    )
    workers: set[str] = set()
    async with sweep.start() as run:
        nanny = None
        try:
            async for update in run.updates():
                if isinstance(update, sw.TrialStarted):
                    workers.add(str(update.worker))
                if nanny is None and len(workers) == 4:
                    nanny = stand.add_worker()
                if len(workers) == 6:
                    run.stop()
            assert len(workers) == 6
        finally:
            if nanny is not None:
                stand.kill_node(nanny)


async def test_two_sweeps_share_a_cluster(stand: Any) -> None:
    sweeps = [pruned_sweep({"name": "dask", "address": stand.address}) for _ in range(2)]
    results: list[sw.Result] = []

    async def run(sweep: sw.Sweep) -> None:
        results.append(await sweep.run())

    async with anyio.create_task_group() as tasks:
        for sweep in sweeps:
            tasks.start_soon(run, sweep)
    assert [t.params for t in results[0].trials] == [t.params for t in results[1].trials]


async def test_without_concurrency_there_are_as_many_seats_as_there_is_room_for(stand: Any, tmp_path: Path) -> None:
    sweep = sw.Sweep(
        "dask_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.5},
        sampler="random",
        executor={"name": "dask", "address": stand.address},
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
        "dask_objectives:noted",
        {**SPACE, "notes": str(tmp_path / "notes"), "work_s": 0.2},
        sampler="random",
        executor={"name": "dask", "address": stand.address},
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
                    await run.resize("dask", 1)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 30
    assert [trial.failures for trial in result.trials if trial.failures] == []
    assert len(set(late[-5:])) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "tcp://127.0.0.1:1", "local": {}}, r"executor.local: executor.address is given, too"),
        ({"address": "tcp://127.0.0.1:1"}, r"no scheduler answers at tcp://127.0.0.1:1: .*name one as"),
        ({"address": "nonsense://x"}, r"no scheduler answers at nonsense://x"),
        ({}, r"no cluster is known; name one as"),
        ({"local": {"n_wrokers": 1}}, r"executor.local=.*n_wrokers"),
        ({"resources": ["GPU"]}, r"executor.resources=\['GPU'\]: it must be a mapping"),
        ({"resources": {"GPU": 0}}, r"executor.resources\['GPU'\]=0: it must be a number above 0"),
        ({"memory_limit": "much"}, r"executor.memory_limit='much'"),
        ({"pass_env": "HOME"}, r"executor.pass_env='HOME': it must be a list"),
    ],
)
async def test_a_wrong_option_is_refused_with_what_to_do(
    options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep_dask.cluster.TIMEOUT_S", 0.5)
    with pytest.raises(sw.ConfigError, match=message):
        await sw.Sweep("dask_objectives:told", SPACE, executor={"name": "dask", **options}, n_trials=1).run()


def test_under_trio_it_says_that_it_needs_asyncio(anyio_backend: str) -> None:
    sweep = sw.Sweep(
        "dask_objectives:told", SPACE, executor={"name": "dask", "address": "tcp://127.0.0.1:1"}, n_trials=1
    )
    with pytest.raises(sw.ConfigError, match="executor='dask' needs asyncio"):
        trio.run(sweep.run)
