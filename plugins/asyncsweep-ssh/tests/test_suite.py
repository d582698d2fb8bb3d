"""The contract of executors, over SSH to a host whose Python has no packages."""

from __future__ import annotations

import psutil
import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Server

from asyncsweep.testing import ExecutorSuite


class TestSsh(ExecutorSuite):
    @pytest.fixture
    def executor(self, keys: Keys, near: Server) -> SshExecutor:
        return SshExecutor([{"host": near.name, "slots": 2, "python": BARE_PYTHON}], config=str(keys.config), lease=5.0)

    def lose(self, pid: int) -> None:
        """The agent, with which the whole host is lost."""
        psutil.Process(pid).parents()[1].kill()  # above the guard
