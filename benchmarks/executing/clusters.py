"""Trials that do nothing on two processes of a cluster on this machine, beside what the cluster does by itself."""

from __future__ import annotations

import os
import sys
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
        ray.init(
            address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, configure_logging=False
        )
        try:
            actor = ray.remote(_Doubles)
            actors = [actor.remote() for _ in range(WORKERS)]
            ray.get([one.of.remote(0.0) for one in actors])
            alone = {name: _called(ray, actors, n_trials, in_flight) for name, in_flight in _IN_FLIGHT.items()}
            for one in actors:
                ray.kill(one)
            ours = await _swept("ray", n_trials)
        finally:
            ray.shutdown()
    return {**alone, "trials": ours, **{f"trials / {name}": ours / rate for name, rate in alone.items()}}


# How many calls each plain actor has at a time; 0 for all at once.
_IN_FLIGHT = {"actors, one call": 1, "actors, two calls": 2, "actors, all calls": 0}


def _called(ray: Any, actors: list[Any], n_calls: int, in_flight: int) -> float:
    """Calls per second of actors that have so many at a time, each of which has its result fetched; the next one goes when one has ended."""
    began_at = time.perf_counter()
    if in_flight:
        n_made = in_flight * len(actors)
        open_calls = {one.of.remote(0.0): one for one in actors for _ in range(in_flight)}
        while open_calls:
            for done in ray.wait(list(open_calls))[0]:
                ray.get(done)
                one = open_calls.pop(done)
                if n_made < n_calls:
                    open_calls[one.of.remote(float(n_made))] = one
                    n_made += 1
    else:
        ray.get([actors[number % len(actors)].of.remote(float(number)) for number in range(n_calls)])
    return n_calls / (time.perf_counter() - began_at)


class _Doubles:
    def of(self, x: float) -> float:
        return _double(x)


class _importable:
    """This process and the clusters' find the objectives, and Ray runs as it would for a user."""

    def __enter__(self) -> None:
        self._before, self._path = dict(os.environ), list(sys.path)
        root = str(Path(__file__).parents[2])
        os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (_FAR, root, os.environ.get("PYTHONPATH")) if part)
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        sys.path.insert(0, _FAR)

    def __exit__(self, *_: object) -> None:
        os.environ.clear()
        os.environ.update(self._before)
        sys.path[:] = self._path
