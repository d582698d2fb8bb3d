"""One cluster of two nodes for all tests, started by Ray's own `cluster_utils`, on this machine.

Without the plugin (`pip install -e plugins/asyncsweep-ray`), its tests are left out, but not under CI=true. Where Ray has no wheel
for this Python, `test_here.py` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

HAS_RAY = find_spec("ray") is not None
if not HAS_RAY:
    collect_ignore_glob = ["test_[!h]*.py"]
elif os.environ.get("CI") != "true" and not find_spec("asyncsweep_ray"):
    collect_ignore_glob = ["test_*.py"]
else:
    collect_ignore_glob = ["test_here.py"]

HERE = str(Path(__file__).parent)
# A node that was killed is missed sooner than after the half minute that Ray gives it: who is asked there refuses at once. One that is slow to
# answer on a busy machine is not dead. Processes for actors import what seats need while nobody waits for them.
_QUICK = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 250,
    "health_check_timeout_ms": 60_000,
    "health_check_failure_threshold": 2,
    "preload_python_modules": ["asyncsweep_ray.actor"],
}
# A deadline for what nobody tells of; a quiet machine needs a second or two.
PATIENCE_S = 60.0
MARK = f"ASYNCSWEEP_TEST_{os.getpid()}"


@pytest.hookimpl(tryfirst=True)  # before groups are looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One cluster for all: one process runs these tests. They wait for facts, which on a busy machine may be late."""
    for item in items:
        if Path(HERE) in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("ray"))
            item.add_marker(pytest.mark.timeout(3 * PATIENCE_S))


@pytest.fixture
def anyio_backend() -> str:
    """Ray gives its results on asyncio."""
    return "asyncio"


class Stand:
    """A cluster whose nodes can be killed, and this process's connection to it."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            connect=False,
            head_node_args={"num_cpus": 2, "include_dashboard": False, "_system_config": _QUICK},
        )
        self.add_node(resources={"only_one": 1})
        self.address = self._cluster.address

    def add_node(self, **arguments: Any) -> Any:
        """One more node, of two CPUs if nothing else is said. Ray does that in the main thread alone."""
        return self._cluster.add_node(**{"num_cpus": 2, **arguments})

    async def kill_node(self, node: Any) -> None:
        """End a node's processes by force, and wait until Ray has missed it: what is asked of the cluster next may count on that."""
        import ray

        self._cluster.remove_node(node, allow_graceful=False)
        with anyio.fail_after(PATIENCE_S):
            while node.node_id in [known["NodeID"] for known in ray.nodes() if known["Alive"]]:  # noqa: ASYNC110
                await anyio.sleep(0.05)  # Ray tells nobody

    def close(self) -> None:
        self._cluster.shutdown()

    def trials(self) -> list[int]:
        """The processes that trials run in, with their guards and children."""
        return _processes("asyncsweep.worker")

    async def state(self) -> dict[str, Any]:
        """What of ours is on the cluster: actors, CPUs that they hold, and processes of trials."""
        return {"actors": _processes("ray::Post"), "taken": _taken("CPU"), "processes": self.trials()}

    async def comes_to_take(self, taken: dict[str, float]) -> None:
        """Wait until so much of the cluster's resources is taken."""
        with anyio.fail_after(PATIENCE_S):
            while {name: _taken(name) for name in taken} != taken:  # noqa: ASYNC110
                await anyio.sleep(0.05)  # Ray tells nobody


def _taken(resource: str) -> float:
    import ray

    there: float = ray.cluster_resources()[resource]
    return there - float(ray.available_resources().get(resource, 0.0))


def _processes(text: str) -> list[int]:
    """The processes of this cluster whose command line has a text in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if MARK in process.environ() and text in " ".join(process.cmdline()):
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended
    return found


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """Two nodes of two CPUs each, and this process connected to them."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        # What Ray starts inherits it, trials too.
        patch.setenv(MARK, "1")
        patch.setenv("PYTHONPATH", HERE)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        stand = Stand()
        try:
            ray.init(address=stand.address, log_to_driver=False)
            yield stand
        finally:
            ray.shutdown()
            stand.close()


@pytest.fixture(autouse=True)
def _objectives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep's process and the cluster's find the same module of objectives."""
    monkeypatch.syspath_prepend(HERE)
