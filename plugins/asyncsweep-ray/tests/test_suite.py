"""The executor passes the suite that everybody's executors have to pass, on a real cluster."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
from asyncsweep_ray.executor import RayExecutor

from asyncsweep.testing import ExecutorSuite


class TestRay(ExecutorSuite):
    counts_fds = False  # Ray's channels to nodes and actors are opened and closed when it likes

    @pytest.fixture
    def executor(self, stand: Any) -> RayExecutor:
        return RayExecutor()

    def lose(self, pid: int) -> None:
        """The actor."""
        psutil.Process(pid).parents()[1].kill()  # above the guard
