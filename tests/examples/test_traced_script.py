"""Scripts that know nothing of sweeps, with a hook that reports for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw

EXAMPLES = Path(__file__).parents[2] / "examples"

LIBRARY = """
class Trainer:
    def __init__(self, epochs, callbacks=()):
        self.epochs = epochs
        self.callbacks = callbacks

    def fit(self, lr):
        for epoch in range(self.epochs):
            for callback in self.callbacks:
                callback(epoch, lr * (epoch + 1))
"""
SCRIPT = """
import sys
from tinytrainer import Trainer

assert [argument.split("=")[0] for argument in sys.argv[1:]] == ["--lr"]
Trainer(4).fit(float(sys.argv[1].split("=")[1]))
"""


def with_report(original: Any, trainer: Any, epochs: int, callbacks: Any = ()) -> None:
    """What the tutorial's tracer did: every trainer gets a callback more."""
    original(trainer, epochs, [*callbacks, lambda epoch, loss: sw.report(loss, step=epoch)])


def test_every_trainer_of_an_untouched_script_gets_a_callback(tmp_path: Path) -> None:
    (tmp_path / "tinytrainer.py").write_text(LIBRARY)
    (tmp_path / "train.py").write_text(SCRIPT)
    sweep = sw.Sweep(
        sw.Script(tmp_path / "train.py", patch={"tinytrainer:Trainer": with_report}),
        {"lr": sw.Categorical([1.0, 100.0])},
        enqueue=[{"lr": 1.0}, {"lr": 100.0}],
        pruner={"name": "threshold", "upper": 50.0, "n_warmup_steps": 1},
        sampler="random",
        n_trials=2,
    )
    result = anyio.run(sweep.run)
    assert [(trial.state.value, list(trial.reports), trial.error) for trial in result.trials] == [
        ("COMPLETE", [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)], None),
        ("PRUNED", [(0, 100.0), (1, 200.0)], None),
    ]
    assert result.trials[0].value == 4.0


@pytest.mark.deep
def test_an_untouched_lightning_script_is_swept(tmp_path: Path) -> None:
    """examples/traced_script.py with examples/scripts/plain_lightning.py."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "traced_script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sorted(line.split()[1] for line in lines if line.startswith("Trial ")) == ["0", "1", "2", "3"]
    assert re.fullmatch(r"The best loss is 0\.\d{4}, with \{'lr': \S+\}", lines[-1])
    assert list(tmp_path.iterdir()) == []
