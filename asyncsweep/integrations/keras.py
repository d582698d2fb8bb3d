"""A callback for Keras 3, with any of its backends: `model.fit(..., callbacks=[ReportCallback("val_loss")])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from asyncsweep.errors import TrialError
from asyncsweep.integrations.reporting import Reporter
from asyncsweep.worker.trial import Trial


class ReportCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Reports a metric to the sweep after each epoch, and ends `fit` by `TrialPruned` when the trial is hopeless.

    An epoch without validation (`validation_freq=2`, say) reports no metric that begins with "val_".

    Args:
        monitor: A metric of Keras' logs, such as "val_loss"; or several, see `asyncsweep.integrations`.
        trial: None for the trial that runs here. Without one, as in a script started by hand, nothing is reported.
        every: Report every so many epochs.
    """

    def __init__(
        self, monitor: str | Sequence[str] = "val_loss", trial: Trial | None = None, *, every: int = 1
    ) -> None:
        super().__init__()
        self._reporter = Reporter(monitor, trial, every=every)
        self._needs_validation = any(name.startswith("val_") for name in self._reporter.names)
        self._was_validated = False
        self._n_epochs = self._n_seen = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._n_epochs = self._n_seen = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._was_validated = False

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._was_validated = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._n_epochs += 1
        if self._was_validated or not self._needs_validation:
            self._n_seen += 1
            self._reporter.report_or_prune(lambda: logs or {}, epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._n_epochs and not self._n_seen and self._reporter.find_trial() is not None:
            names = ", ".join(map(repr, self._reporter.names))
            raise TrialError(
                f"monitor={names}: nothing was validated; give `validation_data` to fit(), or monitor 'loss'"
            )
