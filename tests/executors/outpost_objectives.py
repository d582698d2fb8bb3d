"""Objectives for outposts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import asyncsweep as sw


def leaves_things(trial: sw.Trial) -> float:
    """Prints, and saves a file and a folder."""
    sys.stdout.write(f"printed by {trial.number}\n")
    path = Path(trial.dir) / "made.txt"
    path.write_text(f"made by {trial.number}")
    trial.save(path, name="plots/made.txt")
    trial.save(path, name="other.txt")
    large = Path(trial.dir) / "large.bin"
    large.write_bytes(b"x" * int(trial.params["size"]))
    trial.save(large)
    return 0.0


def prints_and_dies(trial: sw.Trial) -> float:
    """Prints, and takes its process with it; the second attempt goes well."""
    sys.stdout.write(f"attempt {trial.attempt}\n")
    sys.stdout.flush()
    if trial.attempt == 1:
        os._exit(7)
    return 0.0
