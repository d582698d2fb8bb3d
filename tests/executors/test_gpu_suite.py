"""The executor `gpu` passes the suite of all executors, on devices that are made up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from asyncsweep.executors.gpu import GpuExecutor
from asyncsweep.testing import ExecutorSuite
from tests.executors.fake_nvml import FakeMachine

pytestmark = pytest.mark.any_loop


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    made = FakeMachine(tmp_path)
    made.install(monkeypatch)
    return made


@pytest.mark.deep  # with whole devices are the sweeps of test_gpu.py
class TestWholeDevices(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> GpuExecutor:
        return GpuExecutor()

    def lose(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


class TestSharedDevice(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> GpuExecutor:
        return GpuExecutor(per_trial=0.25, devices=0, memory_gib=10, fresh=True)
