"""The executor passes the suite that everybody's executors have to pass, on a real cluster."""

from __future__ import annotations

import psutil
import pytest
from asyncsweep_dask.executor import DaskExecutor

from asyncsweep.testing import ExecutorSuite


class TestDask(ExecutorSuite):
    @pytest.fixture
    def executor(self, stand) -> DaskExecutor:
        return DaskExecutor(stand.address)

    def lose(self, pid: int) -> None:
        """The cluster's worker."""
        psutil.Process(pid).parents()[1].kill()  # above the guard
