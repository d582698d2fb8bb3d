"""A machine with GPUs that are not there: the functions of `pynvml` that are used, on devices that tests make up.

Processes take memory by `take_memory`, which writes a file in a folder that the fake looks at: it is theirs until they have ended, as
with a driver. What else can happen to a device is set here.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

GIB = 2**30
FOLDER = "ASYNCSWEEP_FAKE_NVML"
# What the driver itself has.
DRIVER_BYTES = GIB // 2


def take_memory(gib: float) -> None:
    """For objectives: have so much on each visible device, instead of what this process had."""
    uuids = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    path = Path(os.environ[FOLDER], str(os.getpid()))
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(dict.fromkeys(uuids, int(gib * GIB))))
    new.rename(path)


class FakeDevice:
    """A GPU or an instance.

    Attributes:
        others: The memory of other programs' processes, by their ids.
        stuck_bytes: Memory that is taken, and by no process that is told.
        error: The code of the error that all questions about it end in; 0 for none.
    """

    def __init__(self, uuid: str, index: int, name: str, total: int) -> None:
        self.uuid, self.index, self.name, self.total = uuid, index, name, total
        self.instances: list[FakeDevice] = []
        self.ids = (0, 0)
        self.others: dict[int, int] = {}
        self.stuck_bytes = 0
        self.utilisation = 50
        self.error = 0


class FakeMachine:
    """Devices, by their numbers.

    Attributes:
        tells_processes: False as in a container that does not see them.
        keeps_dead: The memory of processes that have ended stays theirs.
        hangs: While it is set, every question waits.
        threads: From which threads it was asked.
        n_open: How often it is open.
    """

    def __init__(self, folder: Path, n_devices: int = 8, gib: int = 80, name: str = "NVIDIA H100 80GB HBM3") -> None:
        self.folder = folder
        self.devices = [FakeDevice(f"GPU-{n:08x}-aaaa", n, name, gib * GIB) for n in range(n_devices)]
        self.tells_processes = True
        self.keeps_dead = False
        self.hangs: threading.Event | None = None
        self.threads: set[int] = set()
        self.init_error = 0
        self.n_open = 0
        self._looks = threading.Semaphore(0)

    def divide(self, index: int, *names: str) -> None:
        """Make a GPU one of instances (MIG), of 10 GiB each."""
        gpu = self.devices[index]
        for place, name in enumerate(names):
            instance = FakeDevice(f"MIG-{index}{place}ab-bbbb", index, f"{gpu.name} MIG {name}", 10 * GIB)
            instance.ids = (place + 7, 0)
            gpu.instances.append(instance)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Take the place of the functions of `pynvml`, and of what this process says of its devices."""
        for name in vars(FakeMachine):
            if name.startswith("nvml"):
                patch.setattr(pynvml, name, self._asked(getattr(self, name)))
        for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
            patch.delenv(variable, raising=False)
        patch.setenv(FOLDER, str(self.folder))

    def wait_for_looks(self, count: int) -> None:
        """Wait until devices were looked at so often more. Call it in a thread."""
        while self._looks.acquire(blocking=False):
            pass  # these were before
        for _ in range(count):
            if not self._looks.acquire(timeout=20):
                raise TimeoutError("nobody looks")

    def _asked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any) -> Any:
            self.threads.add(threading.get_ident())
            if self.hangs is not None:
                self.hangs.wait(60)
            for device in arguments:
                if isinstance(device, FakeDevice) and device.error:
                    raise pynvml.NVMLError(device.error)
            return call(*arguments)

        return asked

    def owners(self, device: FakeDevice) -> dict[int, int]:
        """Who has which memory there."""
        found = dict(device.others)
        for path in self.folder.iterdir():
            if path.suffix:
                continue
            if not self.keeps_dead and not Path("/proc", path.name).exists():
                continue
            taken = json.loads(path.read_text()).get(device.uuid, 0)
            if taken:
                found[int(path.name)] = taken
        return found

    # -- as in pynvml -------------------------------------------------------------------------------------------------

    def nvmlInit(self) -> None:
        if self.init_error:
            raise pynvml.NVMLError(self.init_error)
        self.n_open += 1

    def nvmlShutdown(self) -> None:
        self.n_open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeDevice:
        if self.devices[index].error:
            raise pynvml.NVMLError(self.devices[index].error)
        return self.devices[index]

    def nvmlDeviceGetUUID(self, device: FakeDevice) -> str:
        return device.uuid

    def nvmlDeviceGetName(self, device: FakeDevice) -> str:
        return device.name

    def nvmlDeviceGetMemoryInfo(self, device: FakeDevice) -> Any:
        self._looks.release()
        used = DRIVER_BYTES + device.stuck_bytes + sum(self.owners(device).values())
        return SimpleNamespace(total=device.total, used=used, free=device.total - used)

    def nvmlDeviceGetComputeRunningProcesses(self, device: FakeDevice) -> Any:
        if not self.tells_processes:
            return []
        return [SimpleNamespace(pid=pid, usedGpuMemory=taken) for pid, taken in self.owners(device).items()]

    def nvmlDeviceGetUtilizationRates(self, device: FakeDevice) -> Any:
        if device.ids != (0, 0):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=device.utilisation, memory=0)

    def nvmlDeviceGetMigMode(self, device: FakeDevice) -> list[int]:
        if device.index == 1:  # some GPUs know nothing of it
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [1, 1] if device.instances else [0, 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: FakeDevice) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: FakeDevice, place: int) -> FakeDevice:
        if place >= len(device.instances):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return device.instances[place]

    def nvmlDeviceGetGpuInstanceId(self, device: FakeDevice) -> int:
        return device.ids[0]

    def nvmlDeviceGetComputeInstanceId(self, device: FakeDevice) -> int:
        return device.ids[1]


def wait_for(path: Path, within_s: float = 30.0) -> None:
    """For objectives: wait until a test has made a file."""
    until = time.monotonic() + within_s
    while not path.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"nobody made {path}")
        time.sleep(0.005)
