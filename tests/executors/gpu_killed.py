"""A sweep on made-up GPUs that other processes kill: `python -m tests.executors.gpu_killed FOLDER` begins it, or goes on with it.

Its trials wait for the file `go`. In the end it prints a JSON object: the state, the attempt and the devices of each trial, and whom the sampler was told of.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from tests.executors import gpu_objectives
from tests.executors.fake_nvml import FakeMachine

N_TRIALS = 8
# On two devices, half of one each.
N_SLOTS = 4
EXECUTOR = {"name": "gpu", "devices": [0, 1], "per_trial": 0.5}


class Tells:
    """A sampler that notes whom it is told of."""

    host = "inline"

    def __init__(self) -> None:
        self.told: list[int] = []

    def open(self, space: Any, directions: Any, seed: int) -> None:
        pass

    def ask(self, trial: Any) -> dict[str, float]:
        return {"x": float(trial.number)}

    def suggest(self, trial: Any, name: str, domain: Any) -> float:
        return 0.0

    def tell(self, trial: Any) -> None:
        self.told.append(trial.number)


async def main(folder: Path) -> None:
    (folder / "nvml").mkdir(exist_ok=True)
    tells = Tells()
    with pytest.MonkeyPatch.context() as patch:
        FakeMachine(folder / "nvml").install(patch)
        if (folder / "sweep").exists():
            result = await sw.Sweep.resume(folder / "sweep", gpu_objectives.takes, sampler=tells)
        else:
            space = {"x": sw.Float(0.0, 1e6), "gib": 30.0, "folder": str(folder)}
            result = await sw.Sweep(
                gpu_objectives.takes, space, sampler=tells, executor=EXECUTOR, n_trials=N_TRIALS, concurrency=N_SLOTS,
                grace_s=0.5, directory=folder / "sweep",
            ).run()  # fmt: skip
    trials = [[trial.state.value, trial.attempt, trial.user_attrs["devices"]] for trial in result.trials]
    sys.stdout.write(json.dumps({"trials": trials, "told": sorted(tells.told)}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
