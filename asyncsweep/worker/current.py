"""The trial that runs here and now, for code that was not handed it."""

from __future__ import annotations

from contextvars import ContextVar

from asyncsweep.errors import TrialError
from asyncsweep.worker.trial import Trial

CURRENT: ContextVar[Trial] = ContextVar("asyncsweep_current_trial")


def current_trial() -> Trial:
    """The trial whose objective is running in this thread or task.

    Raises:
        TrialError: No trial runs here.
    """
    trial = CURRENT.get(None)
    if trial is None:
        raise TrialError("no trial runs here: call current_trial() and report() from inside an objective")
    return trial


def report(*, step: int | None = None, **metrics: float) -> None:
    """Report metrics of the running trial, and end it when the pruner says so: `report(loss=0.1, step=3)`.

    Raises:
        TrialPruned: The pruner wants the trial to end; let it pass.
        TrialError: No trial runs here.
    """
    current_trial().report_or_prune(metrics, step)
