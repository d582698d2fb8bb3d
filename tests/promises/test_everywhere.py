"""The same sweep wherever its trials run: the tutorial's Iris sweep with `reproducible=4`, trial by trial."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import pytest

import asyncsweep as sw

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
CODE = str(Path(__file__).parent / "everywhere")
N_TRIALS = 16


@pytest.fixture
def anyio_backend() -> str:
    """What the executors for hosts and clusters need."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(CODE)
    monkeypatch.setenv("PYTHONPATH", CODE)
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


async def told(executor: Any, concurrency: int) -> list[tuple[Any, ...]]:
    """What became of each trial. Each process that runs some imports scikit-learn, which takes seconds."""
    sweep = sw.Sweep(
        "iris_everywhere:objective",
        {"alpha": sw.Float(1e-5, 1e-1, log=True)},
        sampler="tpe",
        pruner="median",
        n_trials=N_TRIALS,
        concurrency=concurrency,
        seed=7,
        reproducible=4,
        executor=executor,
    )
    result = await sweep.run()
    return [(trial.number, trial.params, trial.state, trial.value, list(trial.reports)) for trial in result.trials]


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[Any]:
    yield "process"


@asynccontextmanager
async def hosts(folder: Path) -> AsyncIterator[Any]:
    """Three SSH hosts, each in a network namespace of its own."""
    from asyncsweep_ssh.testing import Keys, three_hosts, why_no_namespaces, why_no_sshd

    reason = why_no_sshd() or why_no_namespaces()
    if reason:
        pytest.skip(reason)
    keys = Keys(folder)
    with three_hosts(keys) as found:
        machines = [{"host": host.name, "slots": 1, "python": sys.executable} for host in found]
        yield {"name": "ssh", "hosts": machines, "code": CODE, "config": str(keys.config)}


@asynccontextmanager
async def dask(folder: Path) -> AsyncIterator[Any]:
    # In a process of its own: what its workers are started with stays for as long as the process does that started them.
    cluster = await anyio.open_process([sys.executable, "-c", _CLUSTER, str(folder)], stdin=PIPE, stdout=PIPE)
    async with cluster:
        assert cluster.stdin is not None and cluster.stdout is not None
        with anyio.fail_after(60):
            address = (await cluster.stdout.receive()).decode().strip()
        try:
            yield {"name": "dask", "address": address}
        finally:
            await cluster.stdin.aclose()
            await cluster.wait()


@asynccontextmanager
async def ray(folder: Path) -> AsyncIterator[Any]:
    import ray

    if ray.is_initialized():
        ray.shutdown()  # the plugin's own tests, which ran in this process before, have left their connection for the last of them
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield "ray"
    finally:
        ray.shutdown()


_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=sys.argv[1]) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
PLACES: dict[str, tuple[Callable[[Path], AbstractAsyncContextManager[Any]], str, int]] = {
    "process": (processes, "asyncsweep", 2),
    "ssh": (hosts, "asyncsweep_ssh", 3),
    "dask": (dask, "asyncsweep_dask", 2),
    "ray": (ray, "asyncsweep_ray", 2),
}


@pytest.mark.parametrize("place", PLACES)
async def test_the_iris_sweep_is_the_same_wherever_it_runs(
    place: str, tmp_path: Path, expected: list[tuple[Any, ...]]
) -> None:
    where, module, concurrency = PLACES[place]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    async with where(tmp_path) as executor:
        found = await told(executor, concurrency)
    assert found == expected


@pytest.fixture(scope="module")
def expected() -> list[tuple[Any, ...]]:
    """The same in one process alone, one trial after the other."""
    sys.path.insert(0, CODE)
    try:
        found = anyio.run(told, "thread", 1)
    finally:
        sys.path.remove(CODE)
    assert {sw.State.COMPLETE, sw.State.PRUNED} == {state for _, _, state, _, _ in found}
    return found
