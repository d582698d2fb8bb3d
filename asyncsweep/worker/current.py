"""The trial that runs here and now, for code that was not handed it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Any

from asyncsweep.errors import TrialError
from asyncsweep.worker.outcome import metric_name
from asyncsweep.worker.tree import MARK, PROGRAM
from asyncsweep.worker.trial import Trial
from asyncsweep.worker.values import real, shown


class Current:
    """Which trial runs: for each thread and task, or, in a process that is a trial's own, for all of them.

    Attributes:
        was_set: True once a trial ran anywhere in this process.
    """

    def __init__(self) -> None:
        self._here: ContextVar[Trial] = ContextVar("asyncsweep_current_trial")
        self._of_process: Trial | None = None
        self._finish: Callable[[dict[str, float]], None] | None = None
        self.was_set = False

    def set(self, trial: Trial) -> Token[Trial]:
        self.was_set = True
        return self._here.set(trial)

    def reset(self, token: Token[Trial]) -> None:
        self._here.reset(token)

    def get(self) -> Trial | None:
        return self._here.get(None) or self._of_process

    def take_process(self, trial: Trial, finish: Callable[[dict[str, float]], None]) -> None:
        """This process is the trial's own from now on: it is a script's.

        Args:
            trial: The trial, of all threads.
            finish: Keeps what the script calls its result.
        """
        self.set(trial)
        self._of_process, self._finish = trial, finish

    @property
    def finish(self) -> Callable[[dict[str, float]], None] | None:
        """Keeps a result; None where the trial is not a script's."""
        return self._finish


CURRENT = Current()

_warned: list[str] = []


def current_trial() -> Trial:
    """The trial whose objective is running in this thread or task; in a script, in any of its threads.

    Raises:
        TrialError: No trial runs here.
    """
    trial = CURRENT.get()
    if trial is None:
        raise TrialError(
            "no trial runs here: call current_trial(), report() and finish() from inside an objective or a script of a sweep"
        )
    return trial


def report(value: float | Mapping[str, float] | None = None, /, *, step: int | None = None, **metrics: float) -> None:
    """Report metrics of the running trial, and end it when the pruner says so: `report(loss=0.1, step=3)`.

    In a script that no sweep runs it does nothing but warn once, so that the script can be run by hand; so it is in a process that
    a trial has started.

    Args:
        value: The sweep's first metric, or metric names with numbers; or give metrics by keyword, which may have any name where
            the sweep has one metric that was not given a name.
        step: A whole number >= 0; left out, it is one more than the highest so far.
        metrics: Metrics by their names.

    Raises:
        TrialPruned: The pruner wants the trial to end; let it pass.
        TrialError: No trial runs in this thread, but one does in this process; or there is no metric.
    """
    if not _is_by_hand("report"):
        trial = current_trial()
        trial.report_or_prune(_given("report", value, metrics, trial._metrics), step)


def finish(value: float | Mapping[str, float] | None = None, /, **metrics: float) -> None:
    """Say what a script's result is: `finish(loss=0.1)`. The script goes on, and the last word counts.

    Without it, what the script reported last is its result. In a script that no sweep runs it does nothing but warn once.

    Args:
        value: The metric of a sweep that has one, or metric names with numbers; or give metrics by keyword, see `report`.
        metrics: Metrics by their names.

    Raises:
        TrialError: The trial is not a script's (an objective returns its value), or a metric is missing or is no number.
    """
    if _is_by_hand("finish"):
        return
    trial, keep = current_trial(), CURRENT.finish
    if keep is None:
        raise TrialError("finish() is for scripts: this objective is a function, so return the value")
    given = _given("finish", value, metrics, trial._metrics)
    if not isinstance(given, Mapping):
        if len(trial._metrics) > 1:
            raise TrialError(
                f"finish({shown(given)}): one value for {len(trial._metrics)} metrics; give each by its name: "
                f"finish({', '.join(f'{name}=...' for name in trial._metrics)})"
            )
        given = {trial._metrics[0]: given}
    found = {metric_name(name): _number(name, number) for name, number in given.items()}
    missing = [name for name in trial._metrics if name not in found]
    if missing:
        raise TrialError(f"finish(): the metric {missing[0]!r} is missing; it got {', '.join(found) or 'nothing'}")
    keep(found)


def _is_by_hand(what: str) -> bool:
    """Whether no sweep has anything to do with this process; warns at the first call."""
    if CURRENT.was_set:
        return False
    if what not in _warned:
        _warned.append(what)
        warnings.warn(f"asyncsweep.{what}() does nothing here: {_why_by_hand()}", UserWarning, stacklevel=3)
    return True


def _why_by_hand() -> str:
    if os.environ.get(PROGRAM):
        return 'this process is one of a Command, which reports by what it prints, such as {"loss": 0.1}'
    if os.environ.get(MARK):
        return "this process was started by a trial: report from the process that runs the script"
    return "no sweep runs this process"


def _given(
    what: str, value: float | Mapping[str, float] | None, metrics: dict[str, float], names: Sequence[str]
) -> float | Mapping[str, float]:
    if value is not None:
        if metrics:
            raise TrialError(f"{what}(): give a value, or metrics by keyword, not both")
        return value
    if not metrics:
        raise TrialError(f"{what}() needs a metric: {what}({names[0]}=...)")
    if len(metrics) == 1 and list(names) == ["value"]:  # a sweep whose metric has no name of its own
        return next(iter(metrics.values()))
    return metrics


def _number(name: Any, value: Any) -> float:
    try:
        if isinstance(value, (str, bytes, bytearray)):
            raise TypeError
        return real(value)
    except (TypeError, ValueError, OverflowError):
        raise TrialError(
            f"finish({name}=...): it must be a number, not {shown(value)} ({type(value).__name__})"
        ) from None
