"""What a host says that it has, checked, and what of it each slot gets."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncsweep_ssh.faults import HostFault
from asyncsweep_ssh.hosts import Host


class Gpu(msgspec.Struct, frozen=True):
    """A GPU of a host."""

    index: int
    uuid: str
    memory_gib: float
    name: str


class Info(msgspec.Struct, frozen=True):
    """What a host says of itself.

    Attributes:
        python: The version of its Python.
        executable: Where that is.
        hostname: Its own name.
        cpus: How many processors we may use.
        memory_bytes: Its memory; 0 where it does not tell.
        folders: Where trials have their folders there.
        code: Where the user's code is there.
        path: Where its Python looks for modules, ours first.
        claims: The number of its file of claims, by which attempts may wait at busy workers; None where there is none.
        gpus: What `nvidia-smi` lists.
    """

    python: str
    executable: str
    hostname: str
    cpus: int
    memory_bytes: int
    folders: str
    code: str
    path: list[str]
    claims: int | None = None
    gpus: list[Gpu] = []


class Share(msgspec.Struct, frozen=True):
    """What a slot of a host offers.

    Attributes:
        resources: As `WorkerJoined` has them.
        environment: The variables that see to it.
    """

    resources: dict[str, Any]
    environment: dict[str, str]


def info_of(given: Any) -> Info:
    """The answer of a host.

    Raises:
        ValueError: It has another shape.
    """
    return msgspec.convert(given, Info)


def shares_of(host: Host, info: Info) -> list[Share]:
    """What each slot gets: GPUs are dealt out evenly, or shared evenly where there are more slots than GPUs.

    Raises:
        HostFault: A GPU is not there, or they cannot be dealt out.
    """
    gpus = _chosen(host, info)
    slots = host.slots or len(gpus) or 1
    base = {"host": host.name, "cpus": info.cpus / slots}
    if info.memory_bytes:
        base["memory_gib"] = info.memory_bytes / slots / 2**30
    if host.gpus is None:
        return [Share(base, {})] * slots
    if len(gpus) % slots and slots % len(gpus):
        raise HostFault(
            f"{host.shown}: {len(gpus)} GPUs cannot be dealt out to {slots} slots: give a number of slots that divides "
            "that of the GPUs, or is a multiple of it",
            is_final=True,
        )
    each = max(1, len(gpus) // slots)
    found = []
    for slot in range(slots):
        mine = [gpus[(slot * each + at) % len(gpus)] for at in range(each)]
        visible = ",".join(gpu.uuid for gpu in mine)
        resources = {**base, "gpus": len(gpus) / slots}
        found.append(Share(resources, {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}))
    return found


def _chosen(host: Host, info: Info) -> list[Gpu]:
    if host.gpus is None:
        return []
    if host.gpus == "all":
        if not info.gpus:
            raise HostFault(f"{host.shown}: gpus='all': nvidia-smi lists none there", is_final=True)
        return info.gpus
    found = []
    for name in host.gpus:
        matches = [gpu for gpu in info.gpus if name in (gpu.uuid, str(gpu.index))]
        if not matches:
            there = ", ".join(f"{gpu.index} ({gpu.name})" for gpu in info.gpus) or "none"
            raise HostFault(f"{host.shown}: gpus: there is no {name!r}; nvidia-smi lists {there}", is_final=True)
        found += matches
    return found
