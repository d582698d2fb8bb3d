"""What a host has: processors, memory, and GPUs as `nvidia-smi` lists them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import Any

_ASK = ["nvidia-smi", "--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits"]
_PATIENCE_S = 60


def info() -> dict[str, Any]:
    """What is known at once."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cpus = os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable,
        "hostname": platform.node(),
        "cpus": cpus,
        "memory_bytes": memory,
    }


def gpus() -> list[dict[str, Any]]:
    """The GPUs, in the order of their numbers. Takes as long as the driver takes to wake up.

    Raises:
        LookupError: There is no `nvidia-smi`, or it does not know.
    """
    try:
        done = subprocess.run(
            _ASK, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except FileNotFoundError:
        raise LookupError("there is no nvidia-smi: install the driver, or leave `gpus` out") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"nvidia-smi: {error}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise LookupError(f"nvidia-smi ended with exit code {done.returncode}: {said[-500:]}")
    found = []
    for line in done.stdout.splitlines():
        parts = [part.strip() for part in line.split(",", 3)]
        if len(parts) != 4 or not parts[0].isdigit():
            raise LookupError(f"nvidia-smi said what is not understood: {line[:200]!r}")
        memory = float(parts[2]) / 1024 if parts[2].replace(".", "", 1).isdigit() else 0.0
        found.append({"index": int(parts[0]), "uuid": parts[1], "memory_gib": memory, "name": parts[3]})
    return found
