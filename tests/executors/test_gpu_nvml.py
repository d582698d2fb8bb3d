"""What NVML tells, and what it means when it cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pynvml
import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_nvml import Device, Gone, Look, Nvml
from tests.executors.fake_nvml import DRIVER_BYTES, GIB, FakeMachine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    made = FakeMachine(tmp_path)
    made.install(monkeypatch)
    return made


def test_devices_come_in_the_order_of_the_bus(machine: FakeMachine) -> None:
    devices = Nvml().devices()
    assert devices[3] == Device("GPU-00000003-aaaa", 3, "NVIDIA H100 80GB HBM3", 80 * GIB)
    assert [device.number for device in devices] == list(range(8))


def test_instances_are_devices_in_the_place_of_their_gpu(machine: FakeMachine) -> None:
    machine.divide(2, "1g.10gb", "1g.10gb")
    devices = Nvml().devices()
    name = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    assert devices[2:4] == [
        Device(f"MIG-2{n}ab-bbbb", 2, name, 10 * GIB, "GPU-00000002-aaaa", f"MIG-GPU-00000002-aaaa/{n + 7}/0")
        for n in range(2)
    ]
    assert len(devices) == 9


def test_a_device_that_does_not_answer_is_left_out(machine: FakeMachine) -> None:
    machine.devices[0].error = pynvml.NVML_ERROR_GPU_IS_LOST
    assert [device.number for device in Nvml().devices()] == list(range(1, 8))


def test_a_look_has_memory_processes_and_utilisation(machine: FakeMachine) -> None:
    nvml = Nvml()
    machine.devices[1].others = {7: 2 * GIB}
    used = 2 * GIB + DRIVER_BYTES
    assert nvml.look(nvml.devices()[1]) == Look(80 * GIB - used, used, {7: 2 * GIB}, 0.5)


def test_what_an_instance_cannot_tell_is_left_open(machine: FakeMachine) -> None:
    machine.divide(0, "1g.10gb")
    nvml = Nvml()
    seen = nvml.look(nvml.devices()[0])
    assert isinstance(seen, Look) and seen.utilisation is None


def test_a_driver_that_is_too_old_to_list_processes_lists_none(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_old(device: object) -> object:
        raise pynvml.NVMLLibraryMismatchError("use a versioned function")

    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", too_old)
    nvml = Nvml()
    seen = nvml.look(nvml.devices()[0])
    assert isinstance(seen, Look) and seen.processes is None


@pytest.mark.parametrize("code", ["GPU_IS_LOST", "RESET_REQUIRED", "NOT_FOUND"])
def test_a_device_that_was_there_is_gone(machine: FakeMachine, code: str) -> None:
    nvml = Nvml()
    device = nvml.devices()[0]
    machine.devices[0].error = getattr(pynvml, f"NVML_ERROR_{code}")
    seen = nvml.look(device)
    assert isinstance(seen, Gone) and seen.why.startswith("NVML says of it: ")


def test_an_error_that_may_pass_is_no_loss(machine: FakeMachine) -> None:
    nvml = Nvml()
    device = nvml.devices()[0]
    machine.devices[0].error = pynvml.NVML_ERROR_TIMEOUT
    with pytest.raises(OSError, match=r"NVML cannot tell of GPU 0 \(GPU-00000000-aaaa\): Timeout"):
        nvml.look(device)


def test_an_instance_that_was_dissolved_is_gone(machine: FakeMachine) -> None:
    machine.divide(0, "1g.10gb")
    nvml = Nvml()
    device = nvml.devices()[0]
    machine.devices[0].instances[0].error = pynvml.NVML_ERROR_INVALID_ARGUMENT
    assert isinstance(nvml.look(device), Gone)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ConfigError, match=r"no package nvidia-ml-py.*pip install 'asyncsweep\[gpu\]'"):
        Nvml()


@pytest.mark.parametrize("code", ["LIBRARY_NOT_FOUND", "DRIVER_NOT_LOADED"])
def test_without_a_driver_the_error_says_so(machine: FakeMachine, code: str) -> None:
    machine.init_error = getattr(pynvml, f"NVML_ERROR_{code}")
    with pytest.raises(ConfigError, match=r"no NVIDIA driver \(.*\): `nvidia-smi` has to work here.*--gpus all"):
        Nvml()


def test_a_driver_that_was_exchanged_is_told_of(machine: FakeMachine) -> None:
    machine.init_error = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    with pytest.raises(ConfigError, match=r"driver was exchanged while it was in use.*restart"):
        Nvml()


def test_without_a_gpu_the_error_says_so(machine: FakeMachine) -> None:
    machine.devices.clear()
    with pytest.raises(ConfigError, match=r"no GPU: the driver lists none.*executor='process'"):
        Nvml().devices()


def test_gpus_that_all_are_silent_are_named(machine: FakeMachine) -> None:
    del machine.devices[1:]
    machine.devices[0].error = pynvml.NVML_ERROR_GPU_IS_LOST
    with pytest.raises(ConfigError, match=r"no GPU: none of the 1 that the driver lists answers .GPU 0: GPU is lost"):
        Nvml().devices()
