"""Which of the machine's devices a sweep may use: those that `CUDA_VISIBLE_DEVICES` leaves, and of these what `devices=` names.

`CUDA_VISIBLE_DEVICES` is read as CUDA reads it: a list of numbers, UUIDs or beginnings of UUIDs; the first entry that names no
device (such as -1) hides itself and all that follow; an empty list hides all; a device that is named twice hides all.

Numbers are those of `nvidia-smi`. CUDA counts so only with `CUDA_DEVICE_ORDER=PCI_BUS_ID`, and else has the fastest device first;
where that could be another one, it is said.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_nvml import Device

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
BY_BUS = "PCI_BUS_ID"


def check(devices: object) -> tuple[int | str, ...] | None:
    """The option `devices` as numbers and names; None for all.

    Raises:
        ConfigError: It is something else.
    """
    if devices is None:
        return None
    several = (devices,) if isinstance(devices, int | str) else devices
    is_list = isinstance(several, list | tuple) and several
    if not is_list or not all(_is_name(name) for name in several):  # type: ignore[attr-defined]
        raise ConfigError(
            f'executor.devices={devices!r}: it must be a list of numbers or UUIDs, such as [0, 1] or ["GPU-8f3c"], or None for all'
        )
    return tuple(several)  # type: ignore[arg-type]


def chosen(
    devices: Sequence[Device], names: Sequence[int | str] | None, environment: Mapping[str, str]
) -> list[Device]:
    """The devices that may be used, in the order of their naming.

    Args:
        devices: Those of the machine.
        names: The option, from `check`.
        environment: The environment of this process.

    Raises:
        ConfigError: None is left, or one that was named is not there or not visible.
    """
    seen = visible(devices, environment)
    if names is None:
        return seen
    found: list[Device] = []
    for name in names:
        matching = _named(devices, str(name))
        if not matching:
            raise ConfigError(f"executor.devices: there is no device {name!r}; there are {_listed(devices)}")
        left = [device for device in matching if device in seen]
        if not left:
            raise ConfigError(
                f"executor.devices: {VISIBLE}={environment[VISIBLE]!r} hides the device {name!r} from this process; it leaves {_listed(seen)}"
            )
        if any(device in found for device in left):
            raise ConfigError(f"executor.devices={list(names)}: {name!r} names a device that was named before")
        found += left
    return found


def visible(devices: Sequence[Device], environment: Mapping[str, str]) -> list[Device]:
    """The devices that CUDA would show to this process.

    Raises:
        ConfigError: None is left.
    """
    value = environment.get(VISIBLE)
    if value is None:
        return list(devices)
    found: list[Device] = []
    has_number = False
    for entry in value.split(","):
        name = entry.strip()
        matching = _named(devices, name)
        if not matching:
            break
        if any(device in found for device in matching):
            raise ConfigError(f"{VISIBLE}={value!r} names {name!r} twice: then CUDA shows no device at all")
        has_number = has_number or name.isdecimal()
        found += matching
    if not found:
        raise ConfigError(
            f"executor='gpu': no GPU is left: {VISIBLE}={value!r} hides all of {_listed(devices)} from this process; unset it, or name "
            "some in it"
        )
    models = {device.name for device in devices if not device.gpu}
    if has_number and len(models) > 1 and environment.get(ORDER) != BY_BUS:
        warnings.warn(
            f"{VISIBLE}={value!r} is taken to have the numbers of `nvidia-smi`: {_listed(found)}. Programs that use CUDA have the fastest "
            f"device first, unless {ORDER}={BY_BUS} is set: set it, or name devices by their UUIDs",
            stacklevel=2,
        )
    return found


def environment_of(devices: Sequence[Device]) -> dict[str, str]:
    """What shows a process these devices and no others, before it imports anything."""
    return {VISIBLE: ",".join(device.uuid for device in devices), ORDER: BY_BUS}


def _is_name(name: object) -> bool:
    if isinstance(name, bool):
        return False
    return (isinstance(name, int) and name >= 0) or (isinstance(name, str) and bool(name.strip()))


def _named(devices: Sequence[Device], name: str) -> list[Device]:
    """The devices that a name means: one, the instances of one GPU, or none where it is not clear."""
    if name.isascii() and name.isdecimal():
        return [device for device in devices if device.number == int(name)]
    if not re.match(r"(GPU|MIG)-", name):
        return []
    whole = [device for device in devices if name in (device.uuid, device.legacy)]
    if whole:
        return whole
    begun = [device for device in devices if device.uuid.startswith(name)]
    if begun:
        return begun if len(begun) == 1 else []
    # A GPU that is divided stands for its instances.
    gpus = {device.gpu for device in devices if device.gpu.startswith(name)}
    return [device for device in devices if device.gpu in gpus] if len(gpus) == 1 else []


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.number} ({device.uuid}, {device.name})" for device in devices)
