"""One cluster for all tests: a scheduler in a process of its own, and workers with nannies, as `dask worker` starts them.

Without the plugin (`pip install -e plugins/asyncsweep-dask`), its tests are left out, but not under CI=true.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

if os.environ.get("CI") != "true" and not (find_spec("asyncsweep_dask") and find_spec("distributed")):
    collect_ignore_glob = ["test_*.py"]
else:
    from distributed import Client

HERE = str(Path(__file__).parent)
MARK = f"ASYNCSWEEP_TEST_{os.getpid()}"
# The mark is in the environment of whatever the cluster starts, trials too.
ENVIRONMENT = {**os.environ, "PYTHONPATH": HERE, MARK: "1", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}


@pytest.fixture
def anyio_backend() -> str:
    """Dask is built on asyncio."""
    return "asyncio"


class Stand:
    """A cluster whose parts can be killed.

    Args:
        folder: Where its processes run.
        host: Where the scheduler listens.
        environment: What of Dask's settings its processes find in their environment.

    Attributes:
        address: The scheduler's.
        folder: See above.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._host = host
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._nannies: list[subprocess.Popen[bytes]] = []
        self._names = 0
        self.address = ""
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """Start the scheduler, or another one in its place."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] or "0"
        self._scheduler = self._start(
            *("scheduler", "--port", port, "--host", self._host, "--no-dashboard", "--scheduler-file", str(file))
        )
        self.address = self._address(file)

    async def state(self) -> dict[str, list[str]]:
        """What of ours is on the cluster: tasks, queues, topics, plugins, and processes of trials."""
        async with Client(self.address, asynchronous=True, set_as_default=False) as client:
            found = await client.run_on_scheduler(_state, client.id)
        return {**found, "processes": [str(pid) for pid in self.trials()]}

    def trials(self) -> list[int]:
        """The processes that trials run in, with their guards and children."""
        found = []
        for process in psutil.process_iter():
            try:
                if MARK in process.environ() and "asyncsweep.worker" in " ".join(process.cmdline()):
                    found.append(process.pid)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it has ended
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes of workers, without their nannies, which are their parents."""
        nannies = [process.pid for process in self._nannies if process.poll() is None]
        return [
            child
            for nanny in nannies
            for child in psutil.Process(nanny).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]

    def add_worker(
        self, *arguments: str, threads: int = 2, host: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """A worker with its nanny: the process is the nanny's. `prefix` is what its command line begins with."""
        self._names += 1
        nanny = self._start(
            *("worker", self.address, "--nthreads", str(threads), "--no-dashboard", "--host", host),
            *("--name", f"w{self._names}", "--local-directory", str(self.folder / "scratch"), *arguments),
            prefix=prefix,
        )
        self._nannies.append(nanny)
        return nanny

    add_node = add_worker

    async def joined(self, count: int) -> None:
        """Wait until so many workers are there."""
        async with Client(self.address, asynchronous=True, set_as_default=False) as client:
            await client.wait_for_workers(count, timeout=20)

    async def known(self) -> list[str]:
        """The workers that the scheduler knows of."""
        async with Client(self.address, asynchronous=True, set_as_default=False) as client:
            return list((await client.scheduler.identity())["workers"])

    def kill_node(self, nanny: subprocess.Popen[bytes]) -> None:
        """Kill a nanny and its worker at once."""
        children = psutil.Process(nanny.pid).children()
        nanny.kill()
        for child in children:
            child.kill()
        nanny.wait()

    def kill_scheduler(self) -> None:
        assert self._scheduler is not None
        self._scheduler.kill()
        self._scheduler.wait()

    def close(self) -> None:
        self.kill_scheduler()
        for nanny in self._nannies:
            if nanny.poll() is None:
                self.kill_node(nanny)

    def _start(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{arguments[0]}-{self._names}.log", "ab") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment,
            )

    def _address(self, file: Path) -> str:
        import json
        import time

        for _ in range(300):
            if self._scheduler is None or self._scheduler.poll() is not None:
                raise RuntimeError("\n".join(log.read_text() for log in self.folder.glob("scheduler-*.log")))
            try:
                return str(json.loads(file.read_text())["address"])
            except (FileNotFoundError, ValueError):
                time.sleep(0.1)  # another process makes it, and tells nobody
        raise TimeoutError("no scheduler")


def _state(client: str, dask_scheduler: Any) -> dict[str, list[str]]:
    """At the scheduler."""
    queues = dask_scheduler.handlers["queue_put"].__self__
    return {
        "tasks": [str(key) for key in dask_scheduler.tasks],
        "queues": list(queues.queues),
        "topics": [name for name in dask_scheduler._broker._topics if name.startswith("asyncsweep")],
        "plugins": sorted(dask_scheduler.plugins),
        "clients": [name for name in dask_scheduler.clients if "asyncsweep" in name],
    }


@pytest.fixture(scope="session")
def stands() -> type[Stand]:
    """For who needs a cluster of their own."""
    return Stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A scheduler and two workers of two threads each."""
    stand = Stand(tmp_path_factory.mktemp("dask"))
    try:
        stand.add_worker()
        stand.add_worker()
        yield stand
    finally:
        stand.close()


@pytest.fixture(autouse=True)
def _objectives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep's process and the cluster's find the same module of objectives."""
    monkeypatch.syspath_prepend(HERE)
