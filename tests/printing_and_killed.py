"""A sweep whose process is killed while its trials run: `python -m tests.printing_and_killed DIRECTORY KIND`.

Every trial prints, says so through the pipe "told", and waits, until there is the file "go": then it ends at once.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import anyio

import asyncsweep as sw

WORDS = "said before the kill"
SCRIPT = f"""\
import os, signal, sys
import asyncsweep as sw
folder = sys.argv[1].partition("=")[2]
if not os.path.exists(folder + "/go"):
    print("{WORDS}", flush=True)
    told = open(folder + "/told", "wb", buffering=0)
    told.write(b".")
    signal.pause()
sw.finish(value=1.0)
"""


def waits(trial: Any) -> float:
    folder = Path(trial.params["folder"])
    if not (folder / "go").exists():
        print(WORDS, flush=True)  # noqa: T201  it is what this is about
        with (folder / "told").open("wb", buffering=0) as told:
            told.write(b".")
            signal.pause()
    return 1.0


def objective_of(kind: str, directory: Path) -> Any:
    return waits if kind == "objective" else sw.Script(directory.with_name("train.py"))


def sweep(directory: Path, kind: str) -> sw.Sweep:
    return sw.Sweep(
        objective_of(kind, directory),
        {"folder": str(directory.parent)},
        sampler="random",
        executor="process",
        n_trials=2,
        concurrency=2,
        directory=directory,
    )


if __name__ == "__main__":
    from tests import printing_and_killed  # the objective's name for worker processes

    anyio.run(printing_and_killed.sweep(Path(sys.argv[1]), sys.argv[2]).run)
