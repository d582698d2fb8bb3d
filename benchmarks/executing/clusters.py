"""Trials that do nothing on two processes of a cluster on this machine, beside what the cluster does by itself."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncsweep as sw
from benchmarks.peers.shared import measured

WORKERS = 2
_SPACE: dict[str, Any] = {"x": sw.Float(0.0, 1.0)}
_FAR = str(Path(__file__).parent / "far")


def _double(x: float) -> float:
    return 2 * x


async def _swept(executor: Any, n_trials: int) -> float:
    """Trials per second, from the first trial's begin."""
    sweep = sw.Sweep(
        "far_objectives:nothing", _SPACE, sampler="random", n_trials=n_trials, concurrency=WORKERS, executor=executor
    )
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                break
        began_at = time.perf_counter()
        result = await run.result()
        took_s = time.perf_counter() - began_at
    measured.check(n_trials, result.counts[sw.State.COMPLETE])
    return n_trials / took_s


@asynccontextmanager
async def dask() -> AsyncIterator[Any]:
    """A client of a cluster of two processes with a thread each."""
    from distributed import Client, LocalCluster

    with _importable():
        async with (
            LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, asynchronous=True) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            yield client


async def with_dask(n_trials: int) -> dict[str, float]:
    """Trials per second, and what `Client.map` does of a function that does nothing."""
    async with dask() as client:
        await client.gather(client.map(_double, range(20)))
        began_at = time.perf_counter()
        await client.gather(client.map(_double, range(100, 100 + n_trials)))
        alone = n_trials / (time.perf_counter() - began_at)
        ours = await _swept({"name": "dask", "address": client.scheduler.address}, n_trials)
    return {"Client.map": alone, "trials": ours, "trials / Client.map": ours / alone}


async def with_ray(n_trials: int) -> dict[str, float]:
    """Trials per second, and what two plain actors do."""
    import ray

    with _importable():
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, configure_logging=False)
        try:
            actor = ray.remote(_Doubles)
            actors = [actor.remote() for _ in range(WORKERS)]
            ray.get([one.of.remote(0.0) for one in actors])
            began_at = time.perf_counter()
            ray.get([actors[number % WORKERS].of.remote(float(number)) for number in range(n_trials)])
            alone = n_trials / (time.perf_counter() - began_at)
            for one in actors:
                ray.kill(one)
            ours = await _swept("ray", n_trials)
        finally:
            ray.shutdown()
    return {"actors": alone, "trials": ours, "trials / actors": ours / alone}


class _Doubles:
    def of(self, x: float) -> float:
        return _double(x)


class _importable:
    """The clusters' processes find the objectives as this one does."""

    def __enter__(self) -> None:
        self._before = os.environ.get("PYTHONPATH")
        root = str(Path(__file__).parents[2])
        os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (_FAR, root, self._before) if part)
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = self._before
