"""A callback for Lightning: `Trainer(callbacks=[ReportCallback("val_loss")])`.

Runs with `lightning` and, where that is not installed or `pytorch_lightning` alone was imported, with `pytorch_lightning`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal

from asyncsweep.integrations.reporting import Reporter, pruned
from asyncsweep.worker.trial import Trial


def _callback_class() -> type:
    """The class of callbacks of the package that the script uses."""
    from importlib import import_module

    packages = sorted(("lightning.pytorch", "pytorch_lightning"), key=lambda name: name not in sys.modules)
    for name in packages:
        try:
            found: type = import_module(name).Callback
        except ModuleNotFoundError as error:
            if error.name not in (name, name.split(".")[0]):
                raise  # it is installed and lacks something itself
        else:
            return found
    raise ImportError("asyncsweep.integrations.lightning needs Lightning: pip install lightning")


_Callback: Any = _callback_class()


class ReportCallback(_Callback):  # type: ignore[misc]  # which class it is depends on what is installed
    """Reports a monitored metric to the sweep after each validation, and ends the training when the trial is hopeless.

    Without a validation loop it reports after each training epoch. The sanity check and `trainer.validate()` report nothing.
    `trainer.fit` ends by `TrialPruned`, after Lightning has torn everything down; let it pass.

    Of a distributed training the process with rank 0 reports, and all processes end together. Log the metric with
    `sync_dist=True`, or it is the one of rank 0.

    Args:
        monitor: A metric that the model logs, such as "val_loss"; or several, see `asyncsweep.integrations`.
        trial: None for the trial that runs here. Without one, as in a script started by hand, nothing is reported.
        step: What counts as the step of a report: "epoch", or "global_step" (optimizer steps), for a training that
            validates more than once in an epoch.
        every: Report every so many validations.

    Raises:
        ValueError: `step` or `every` is wrong.
    """

    def __init__(
        self,
        monitor: str | Sequence[str] = "val_loss",
        trial: Trial | None = None,
        *,
        step: Literal["epoch", "global_step"] = "epoch",
        every: int = 1,
    ) -> None:
        super().__init__()
        if step not in ("epoch", "global_step"):
            raise ValueError(f'step={step!r}: expected "epoch" or "global_step"')
        self.step = step
        self._reporter = Reporter(monitor, trial, every=every)
        self._n_seen = 0
        self._last_step = -1

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._n_seen, self._last_step = 0, -1

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._report(trainer, "log it in `validation_step`")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.enable_validation:
            self._report(trainer, "log it with `on_epoch=True`")

    def _report(self, trainer: Any, hint: str) -> None:
        self._n_seen += 1
        if not self._reporter.is_due(self._n_seen - 1):
            return
        step = int(trainer.global_step if self.step == "global_step" else trainer.current_epoch)
        if step == self._last_step:
            warnings.warn(
                f'a second validation in epoch {step} is not reported: use asyncsweep\'s ReportCallback(step="global_step")',
                stacklevel=2,
            )
            return
        self._last_step = step
        is_hopeless = trainer.is_global_zero and self._reporter.report(trainer.callback_metrics, step, hint)
        if trainer.world_size > 1:  # one process that left alone would be waited for by the others
            is_hopeless = trainer.strategy.broadcast(is_hopeless)
        if is_hopeless:
            raise pruned(step)
