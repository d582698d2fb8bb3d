"""Objectives for made-up GPUs. Workers import them by name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from asyncsweep.worker.trial import Trial

AT_IMPORT = {name: os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")}


def visible(trial: Trial) -> float:
    """Says which devices it sees, and which it saw when this module was imported."""
    trial.set_user_attr("devices", os.environ["CUDA_VISIBLE_DEVICES"].split(","))
    trial.set_user_attr("at_import", AT_IMPORT)
    trial.set_user_attr("pid", os.getpid())
    return 0.0


def takes(trial: Trial) -> float:
    """Takes `gib` on its devices, reports, and waits until there is a file `go-N` or `go` in `folder`."""
    from tests.executors.fake_nvml import take_memory, wait_for

    visible(trial)
    take_memory(trial.params["gib"])
    folder = Path(trial.params["folder"])
    trial.report(float(os.getpid()), 0)
    (folder / f"began-{trial.number}-{trial.attempt}").touch()
    if trial.params.get("waits", True):
        wait_for(folder / "go")
    return 0.0


def fails_on_its_device(trial: Trial) -> float:
    """The first attempt fails as a program does whose device is gone."""
    takes(trial)
    if trial.attempt == 1:
        raise RuntimeError("CUDA error: unspecified launch failure")
    return 0.0


def dies_on_its_device(trial: Trial) -> float:
    """The first attempt ends its process."""
    takes(trial)
    if trial.attempt == 1:
        os._exit(134)
    return 0.0


def imports_little(trial: Trial) -> float:
    """Whether the worker has imported what only the parent needs."""
    return float("pynvml" in sys.modules)


def may_fail(trial: Trial) -> float:
    """As `takes`; fails when `fails` says so."""
    takes(trial)
    if trial.params["fails"]:
        raise RuntimeError("CUDA error: device-side assert triggered")
    return 0.0


class Unbuildable:
    """Cannot be built."""

    def __init__(self) -> None:
        raise OSError("no worker for it here")

    def __call__(self, trial: Trial) -> float:
        return 0.0
