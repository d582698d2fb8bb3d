"""Objectives that print, for tests of logs. They wait for files, so that a test decides what is printed when."""
# ruff: noqa: T201  printing is what they are about

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any


def in_turns(trial: Any) -> float:
    """Print "trial N line K" for K = 0, 1, ... each when there is a file of that name; end at the file "end"."""
    folder = Path(trial.params["folder"])
    for line in range(100):
        print(f"trial {trial.number} line {line}", flush=True)
        while not (folder / f"{line}").exists():
            if (folder / "end").exists():
                return float(trial.number)
            time.sleep(0.005)
    return 0.0


def says_and_ends(trial: Any) -> float:
    """Print the text of the parameter `text`, `times` times."""
    text = trial.params["text"]
    os.write(1, (text if isinstance(text, bytes) else text.encode()) * trial.params["times"])
    return float(trial.number)


def fails_twice(trial: Any) -> float:
    print(f"attempt {trial.attempt}", flush=True)
    if trial.attempt < 3:
        raise ValueError("again")
    return 0.0


def dies_when_told(trial: Any) -> float:
    """Print, wait for the file "go", print without a line break, and die."""
    print("before", flush=True)
    while not (Path(trial.params["folder"]) / "go").exists():
        time.sleep(0.005)
    sys.stdout.write("last words")
    sys.stdout.flush()
    os.abort()


def saves(trial: Any) -> float:
    """Leave a file, a file in a folder, and a text of its own."""
    (trial.dir / "notes.txt").write_text(f"notes of {trial.number}")
    trial.save(trial.dir / "notes.txt", "plots/copy of notes.txt")
    return float(trial.number)


def in_turns_with_a_key(trial: Any) -> float:
    key = trial.params["key"]
    print(f"key {key} before", flush=True)
    while not (Path(trial.params["folder"]) / "go").exists():
        time.sleep(0.005)
    print(f"after {key}\nthe end", flush=True)
    return 0.0
