"""The executors that ship pass the suite that everybody's executors have to pass."""

from __future__ import annotations

import os
import signal

import pytest

from asyncsweep.executors.inline import InlineExecutor
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.executors.thread import ThreadExecutor
from asyncsweep.testing import ExecutorSuite


class TestInline(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> InlineExecutor:
        return InlineExecutor()


class TestThread(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> ThreadExecutor:
        return ThreadExecutor()


class TestProcess(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> ProcessExecutor:
        return ProcessExecutor()

    def lose(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.any_loop  # what is fresh is a process; on this side of the link it is as above
class TestFreshProcess(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> ProcessExecutor:
        return ProcessExecutor(fresh=True)
