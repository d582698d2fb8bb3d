"""How the suite gets and opens the executor that it tests."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import anyio
import pytest

from asyncsweep.hooks.contracts import Executor, ObjectiveSpec, Setup, VerdictSteps
from asyncsweep.testing import objectives
from asyncsweep.testing.executor_suite.stand import Stand
from asyncsweep.worker.objective import Call, load

GRACE_S = 0.2


class Bench:
    """What each part of the suite needs: the executor, how to open it, and how to have its worker lost.

    Attributes:
        patience_s: How long an executor may take to start a worker or to end a trial.
        counts_fds: False where a library that the executor uses keeps connections of its own, which come and go.
        n_many: How many trials many short ones are; fewer where each starts a process.
    """

    patience_s: ClassVar[float] = 20.0
    counts_fds: ClassVar[bool] = True
    n_many: ClassVar[int] = 100

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test."""
        raise pytest.UsageError("a subclass of ExecutorSuite needs a fixture `executor`")

    def lose(self, pid: int) -> None:
        """End the process that trials run in, or its whole host, by force; override it where your tests can."""
        raise NotImplementedError

    def skip_without_lose(self) -> None:
        """Leave a test out that cannot have a worker lost."""
        if type(self).lose is Bench.lose:
            pytest.skip("this suite was not told how to have a worker lost")

    @asynccontextmanager
    async def open(
        self,
        executor: Executor,
        objective: str,
        *,
        slots: int = 1,
        verdicts: VerdictSteps | None = None,
        directory: Path | None = None,
    ) -> AsyncIterator[Stand]:
        """Open the executor for an objective of `asyncsweep.testing.objectives`."""
        target = f"{objectives.__name__}:{objective}" + ("_async" if executor.runs == "async" else "")
        names = ("x",) if objective in ("doubles", "ends_at_last", "tells_its_process") else ()
        call = None if executor.remote else Call(load(target), names)
        spec = ObjectiveSpec(target, b"", names, names, ("value",))
        stand = Stand(executor, self.patience_s)
        async with executor.open(Setup(call, spec, slots, verdicts, directory, GRACE_S), stand):
            yield stand


def belongings(counts_fds: bool) -> tuple[int, list[str]]:
    """The tasks of this loop and, if they count, the open file descriptors of this process."""
    gc.collect()
    fds = os.listdir("/proc/self/fd") if counts_fds and os.path.isdir("/proc/self/fd") else []
    return len(anyio.get_running_tasks()), sorted(fds)
