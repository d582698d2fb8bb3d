"""The callback for Lightning, with Lightning."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from tests.integrations.trials import HOPELESS, course, noted, two_trials, warned

# What Lightning itself warns of is its own affair.
pytestmark = [pytest.mark.filterwarnings("ignore:::lightning"), pytest.mark.filterwarnings("ignore:::torch")]

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def callback(*arguments: Any, **options: Any) -> Any:
    from asyncsweep.integrations.lightning import ReportCallback

    return ReportCallback(*arguments, **options)


def fit(
    *callbacks: Any, package: str = "lightning.pytorch", scale: float = 1.0, validates: bool = True, **options: Any
) -> Any:
    """Train a model of one number for three epochs; it logs `scale` times its loss, as "val_loss" and "train_loss"."""
    import torch

    pl = import_module(package)

    class Model(pl.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def loss(self, batch: Any, name: str) -> Any:
            loss = (self.weight * batch).pow(2).sum()
            self.log(name, loss * scale, on_epoch=True, on_step=False)
            return loss

        def training_step(self, batch: Any, index: int) -> Any:
            return self.loss(batch, "train_loss")

        def validation_step(self, batch: Any, index: int) -> None:
            self.loss(batch, "val_loss")

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    loader = torch.utils.data.DataLoader(torch.ones(4, 1))
    trainer = pl.Trainer(**{"max_epochs": 3, **QUIET, "callbacks": list(callbacks), **options})
    trainer.fit(Model(), loader, loader if validates else None)
    return trainer


def test_each_validation_is_reported_and_a_hopeless_training_ends() -> None:
    def objective(trial: sw.Trial) -> float:
        trainer = fit(callback("val_loss"), scale=1e6 if trial.params[HOPELESS] else 1.0)
        return float(trainer.callback_metrics["val_loss"])

    result = two_trials(objective)
    assert course(result) == [("COMPLETE", [0, 1, 2]), ("PRUNED", [0, 1])]
    assert result.trials[0].last_report == (2, result.trials[0].value)


@pytest.mark.deep
def test_a_pruned_fit_raises_when_everything_is_torn_down() -> None:
    pl = import_module("lightning.pytorch")
    seen = []

    class Watch(pl.Callback):  # type: ignore[name-defined,misc]
        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            seen.append((type(exception), trainer.current_epoch))

        def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
            seen.append(stage)

    trial, _ = noted(stop_at=1)
    with pytest.raises(sw.TrialPruned, match="pruned at step 1"):
        fit(callback("val_loss", trial), Watch())
    assert seen == [(sw.TrialPruned, 1)]


@pytest.mark.deep
def test_without_validation_each_training_epoch_is_reported() -> None:
    trial, notes = noted()
    fit(callback("train_loss", trial), validates=False)
    assert notes.steps == [0, 1, 2]


@pytest.mark.deep
def test_neither_the_sanity_check_nor_a_validation_alone_is_reported() -> None:
    import torch

    trial, notes = noted()
    trainer = fit(callback("val_loss", trial), num_sanity_val_steps=2)
    trainer.validate(trainer.lightning_module, torch.utils.data.DataLoader(torch.ones(4, 1)), verbose=False)
    assert notes.steps == [0, 1, 2]


@pytest.mark.deep
def test_steps_may_be_those_of_the_optimizer() -> None:
    trial, notes = noted()
    fit(callback("val_loss", trial, step="global_step"), val_check_interval=2, max_epochs=2)
    assert notes.steps == [2, 4, 6, 8]


@pytest.mark.deep
def test_a_second_validation_in_an_epoch_is_warned_of() -> None:
    trial, notes = noted()
    with warned() as texts:
        fit(callback("val_loss", trial), val_check_interval=2, max_epochs=1)
    assert (notes.steps, len(texts)) == ([0], 1)
    assert 'use asyncsweep\'s ReportCallback(step="global_step")' in texts[0]


@pytest.mark.deep
def test_a_metric_that_is_not_logged_is_answered_with_those_that_are() -> None:
    trial, _ = noted()
    with pytest.raises(sw.TrialError, match=r"monitor='val_acc': there is no such metric; there are 'val_loss'"):
        fit(callback("val_acc", trial))


@pytest.mark.deep
def test_a_training_by_hand_is_not_disturbed() -> None:
    with warned() as texts:
        assert fit(callback("no such")).current_epoch == 3
    assert texts == ["no asyncsweep trial runs here: this training reports to nobody"]


@pytest.mark.deep
def test_the_older_package_takes_the_callback() -> None:
    code = """
import pytorch_lightning
from asyncsweep.integrations.lightning import ReportCallback
assert issubclass(ReportCallback, pytorch_lightning.Callback)
from tests.integrations.test_lightning import fit
from tests.integrations.trials import noted
trial, notes = noted()
fit(ReportCallback("val_loss", trial), package="pytorch_lightning")
print(notes.steps)
"""
    assert run_in_a_process(code).splitlines()[-1] == "[0, 1, 2]"


@pytest.mark.deep
def test_of_a_distributed_training_rank_zero_reports_and_all_end_together(tmp_path: Path) -> None:
    """Two processes on gloo: Lightning starts the second one from the same script."""
    script = tmp_path / "distributed.py"
    script.write_text("""
import os
from asyncsweep.errors import TrialPruned
from asyncsweep.integrations.lightning import ReportCallback
from tests.integrations.test_lightning import fit
from tests.integrations.trials import noted
trial, notes = noted(stop_at=1)
try:
    fit(ReportCallback("val_loss", trial), strategy="ddp", devices=2)
except TrialPruned as error:
    print(f"rank {os.environ.get('LOCAL_RANK', '0')}: {error}, reported {notes.steps}", flush=True)
""")
    lines = [line for line in run_in_a_process(str(script)).splitlines() if line.startswith("rank ")]
    assert sorted(lines) == ["rank 0: pruned at step 1, reported [0, 1]", "rank 1: pruned at step 1, reported []"]


def run_in_a_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, code] if code.endswith(".py") else [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
