"""The executor `gpu` on a real GPU; `make test-gpu` runs this where there is one."""

from __future__ import annotations

import datetime
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.executors.gpu_nvml import Device, Look, Nvml
from asyncsweep.executors.gpu_shares import SLACK_BYTES
from tests.gpu import objectives, seen

pytestmark = [pytest.mark.gpu, pytest.mark.anyio, pytest.mark.timeout(400)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def nvml() -> Iterator[Nvml]:
    opened = Nvml()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def device(nvml: Nvml) -> Device:
    return nvml.devices()[0]


@pytest.fixture(scope="module")
def saw(request: pytest.FixtureRequest, nvml: Nvml) -> Iterator[list[str]]:
    """What the tests say here is written to docs/gpu.md when all of them have passed."""
    lines: list[str] = []
    n_failed = request.session.testsfailed
    yield lines
    if request.session.testsfailed == n_failed:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout.split()[0]
        names = [found.name for found in nvml.devices()]
        hardware = f"{len(names)} x {' and '.join(dict.fromkeys(names))}, driver {driver}"
        seen.write(seen.PAGE, datetime.datetime.now(datetime.UTC).date(), hardware, lines)


def memory_of(nvml: Nvml, device: Device) -> Look:
    found = nvml.look(device)
    assert isinstance(found, Look)
    return found


async def sweep(device: Device, folder: Path, together: int, executor: dict[str, Any], **settings: Any) -> sw.Result:
    space = {"lr": sw.Float(1e-4, 1e-2, log=True), "folder": str(folder), "together": together}
    options = {"name": "gpu", "devices": [device.uuid], **executor}
    return await sw.Sweep(objectives.trains, space, executor=options, sampler="random", seed=1, **settings).run()


def check_all(result: sw.Result, device: Device) -> None:
    assert [str(trial.error) for trial in result.trials if trial.error is not None] == []
    for trial in result.trials:
        assert trial.user_attrs["env"] == device.uuid
        assert trial.user_attrs["n_devices"] == 1
        assert device.uuid.endswith(trial.user_attrs["uuid"].removeprefix("GPU-"))


async def test_four_trials_share_a_device_and_give_its_memory_back(
    nvml: Nvml, device: Device, tmp_path: Path, saw: list[str]
) -> None:
    before = memory_of(nvml, device)
    options = {"per_trial": 0.25, "memory_gib": 1}
    result = await sweep(device, tmp_path, 4, options, n_trials=4, concurrency=8)
    check_all(result, device)
    attrs = [trial.user_attrs for trial in result.trials]
    assert max(attr["began"] for attr in attrs) < min(attr["ended"] for attr in attrs)
    after = memory_of(nvml, device)
    left = after.used_bytes - before.used_bytes
    assert left <= SLACK_BYTES
    saw.append(
        f"4 trials with `per_trial=0.25` trained a small torch model on one device at the same time, each in "
        f"{max(attr['allocated_mib'] for attr in attrs):.0f} MiB of torch's; afterwards {max(0, left) / 2**20:.0f} MiB more were "
        "taken than before"
    )


async def test_a_process_that_has_a_context_makes_room_for_another(
    nvml: Nvml, device: Device, tmp_path: Path, saw: list[str]
) -> None:
    result = await sweep(device, tmp_path, 1, {}, n_trials=3, concurrency=1)
    check_all(result, device)
    attrs = [trial.user_attrs for trial in result.trials]
    assert len({attr["pid"] for attr in attrs}) == 3
    pauses = [after["began"] - before["ended"] for before, after in itertools.pairwise(attrs)]
    saw.append(
        f"3 trials in a row had 3 processes; between the end of one and the first line of the next after `import torch` were "
        f"{max(pauses):.1f} s at most"
    )


async def test_no_other_device_can_be_reached(device: Device, saw: list[str]) -> None:
    options = {"name": "gpu", "devices": [device.uuid]}
    result = await sw.Sweep(
        objectives.looks_for_another, {"x": sw.Float(0, 1)}, executor=options, sampler="random", n_trials=1
    ).run()
    assert [str(trial.error) for trial in result.trials if trial.error is not None] == []
    assert result.best_value == 0.0
    saw.append(
        "a trial found no device but its own, by no number, and not by changing `CUDA_VISIBLE_DEVICES` after CUDA had begun"
    )
