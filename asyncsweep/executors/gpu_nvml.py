"""NVIDIA's management library (NVML): which devices there are, and what goes on on them.

Everything here may take its time, and a broken driver may never answer: call it in a thread. `pynvml` comes with the package
`nvidia-ml-py` and is imported when somebody wants a GPU, not before.

A *device* is what a trial is given: a whole GPU, or, where a GPU is divided (MIG), one of its instances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from asyncsweep.errors import ConfigError

# What NVML says of a device that was there and is not any more; of an instance that was dissolved it may say INVALID_ARGUMENT.
_GONE = ("GPU_IS_LOST", "RESET_REQUIRED", "GPU_NOT_FOUND", "NOT_FOUND")


class Device(NamedTuple):
    """A GPU, or an instance of one.

    Attributes:
        uuid: "GPU-..." or "MIG-...": what CUDA knows it by, whatever the order of devices.
        number: The number of the GPU, as `nvidia-smi` has it (in the order of the PCI bus).
        name: What it is called, such as "NVIDIA H100 80GB HBM3".
        memory_bytes: All of its memory.
        gpu: The UUID of the GPU that it is an instance of; "" for a whole GPU.
        legacy: The other name of an instance, "MIG-GPU-.../1/0", which older drivers give it; "" for a whole GPU.
    """

    uuid: str
    number: int
    name: str
    memory_bytes: int
    gpu: str = ""
    legacy: str = ""

    def __str__(self) -> str:
        return f"{'an instance of ' if self.gpu else ''}GPU {self.number} ({self.uuid})"


class Look(NamedTuple):
    """What was seen of a device.

    Attributes:
        free_bytes: The memory that nobody has.
        used_bytes: The memory that somebody has, the driver among them.
        processes: The memory of each process that has some; None for one whose memory is not told. None where the processes are
            not told. In a container that may be those of this container alone, or an empty list.
        utilisation: For which part of the last second it computed, from 0 to 1; None where that is not told.
        dead: Those of the processes that have ended, or that another PID namespace has.
    """

    free_bytes: int
    used_bytes: int
    processes: dict[int, int | None] | None = None
    utilisation: float | None = None
    dead: frozenset[int] = frozenset()


class Gone(NamedTuple):
    """A device is not there any more, and why."""

    why: str


class Nvml:
    """NVML, open until `close`.

    Raises:
        ConfigError: There is no package, no driver, or no GPU; it says which, and the mend.
    """

    def __init__(self) -> None:
        self._nvml = _imported()
        self._handles: dict[str, Any] = {}
        error_class: type[Exception] = self._nvml.NVMLError
        self._errors = error_class
        # A driver that is too old for one function of this library; no `NVMLError`.
        self._too_old: type[Exception] = getattr(self._nvml, "NVMLLibraryMismatchError", error_class)
        try:
            self._nvml.nvmlInit()
        except error_class as error:
            raise ConfigError(self._why_not(error)) from error

    def close(self) -> None:
        """Take leave of the driver."""
        self._handles.clear()
        try:
            self._nvml.nvmlShutdown()
        except self._errors:  # a driver that is gone needs no leave
            return

    def devices(self) -> list[Device]:
        """Every device of this machine that answers, in the order of the PCI bus.

        Raises:
            ConfigError: There is none.
        """
        found: list[Device] = []
        silent: list[str] = []
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._errors as error:
            raise ConfigError(self._why_not(error)) from error
        for index in range(count):
            try:
                found += self._at(index)
            except self._errors as error:
                silent.append(f"GPU {index}: {error}")
        if not found:
            why = (
                f"none of the {count} that the driver lists answers ({'; '.join(silent)})"
                if silent
                else "the driver lists none"
            )
            raise ConfigError(
                f"executor='gpu': no GPU: {why}. Look at `nvidia-smi`; where there is none, use executor='process'"
            )
        return found

    def look(self, device: Device) -> Look | Gone:
        """Look at a device.

        Raises:
            OSError: NVML cannot tell now.
        """
        handle = self._handles[device.uuid]
        try:
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            processes = self._told(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle)
            rates = self._told(self._nvml.nvmlDeviceGetUtilizationRates, handle)
        except self._errors as error:
            if self._is(error, *_GONE, *(("INVALID_ARGUMENT",) if device.gpu else ())):
                return Gone(f"NVML says of it: {error}")
            raise OSError(f"NVML cannot tell of {device}: {error}") from error
        # A process has one entry for each of the instances that it uses.
        taken = None if processes is None else {int(found.pid): found.usedGpuMemory for found in processes}
        return Look(int(memory.free), int(memory.used), taken, None if rates is None else rates.gpu / 100)

    def _at(self, index: int) -> list[Device]:
        """The GPU with this number, or its instances."""
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        gpu = self._device(handle, index)
        mode = self._told(self._nvml.nvmlDeviceGetMigMode, handle)
        if mode is None or mode[0] != self._nvml.NVML_DEVICE_MIG_ENABLE:
            return [gpu]
        del self._handles[gpu.uuid]
        instances = []
        for place in range(self._told(self._nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            try:
                instance = self._nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
            except self._errors as error:
                if self._is(error, "NOT_FOUND", "INVALID_ARGUMENT"):
                    continue  # this place is empty
                raise
            parts = (
                self._nvml.nvmlDeviceGetGpuInstanceId(instance),
                self._nvml.nvmlDeviceGetComputeInstanceId(instance),
            )
            legacy = f"MIG-{gpu.uuid}/{parts[0]}/{parts[1]}"
            instances.append(self._device(instance, index, gpu.uuid, legacy))
        return instances

    def _device(self, handle: Any, index: int, gpu: str = "", legacy: str = "") -> Device:
        uuid, name = _text(self._nvml.nvmlDeviceGetUUID(handle)), _text(self._nvml.nvmlDeviceGetName(handle))
        total = int(self._nvml.nvmlDeviceGetMemoryInfo(handle).total)
        self._handles[uuid] = handle
        return Device(uuid, index, name, total, gpu, legacy)

    def _told(self, ask: Callable[[Any], Any], handle: Any) -> Any:
        """An answer; None where this device, driver or user has none."""
        try:
            return ask(handle)
        except (self._errors, self._too_old) as error:
            if type(error) is self._too_old or self._is(
                error, "NOT_SUPPORTED", "NO_PERMISSION", "FUNCTION_NOT_FOUND", "NO_DATA"
            ):
                return None
            raise

    def _is(self, error: Exception, *names: str) -> bool:
        return getattr(error, "value", None) in {getattr(self._nvml, f"NVML_ERROR_{name}", None) for name in names}

    def _why_not(self, error: Exception) -> str:
        """What is missing, and the mend."""
        if self._is(error, "LIB_RM_VERSION_MISMATCH"):
            return (
                f"executor='gpu': the NVIDIA driver was exchanged while it was in use ({error}): restart the machine, or unload and "
                "load its kernel modules"
            )
        if self._is(error, "GPU_NOT_FOUND", "NOT_FOUND"):
            return f"executor='gpu': no GPU: {error}. Look at `nvidia-smi`; where there is none, use executor='process'"
        return (
            f"executor='gpu': no NVIDIA driver ({error}): `nvidia-smi` has to work here. Install the driver; in a container, start that "
            "with its GPUs (`docker run --gpus all`); without a GPU use executor='process'"
        )


def _imported() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise ConfigError(
            "executor='gpu': no package nvidia-ml-py, by which devices are found: pip install 'asyncsweep[gpu]'"
        ) from error
    return pynvml


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
