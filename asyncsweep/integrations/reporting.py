"""What the callbacks of all libraries share: which trial they report to, and what they say when a metric is not there."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.worker import current_trial
from asyncsweep.worker.trial import Trial


class Reporter:
    """Reports monitored metrics to a trial.

    Args:
        monitor: The metric that the sweep shall see, by the library's own name; or several, which are reported under these
            names, the sweep's first metric among them.
        trial: The trial; None for the one that runs where the first report is made. When none runs there, as in a script that
            was started by hand, nothing is reported, with one warning.
        every: Report every so many steps: at `every` - 1, 2 `every` - 1, ...

    Raises:
        TypeError: `monitor` is no name, nor a sequence of names.
        ValueError: `every` is below 1, or `monitor` is empty.
    """

    def __init__(self, monitor: str | Sequence[str], trial: Trial | None = None, *, every: int = 1) -> None:
        names = (monitor,) if isinstance(monitor, str) else monitor
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"monitor={monitor!r}: expected the name of a metric, or a list of names")
        if not names or not all(names):
            raise ValueError(f"monitor={monitor!r}: expected the name of a metric, it is empty")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every={every!r}: expected a whole number of steps, from 1")
        self.names = tuple(names)
        self.is_alone = isinstance(monitor, str)
        self.every = every
        self._given = trial
        self._was_warned = False

    def is_due(self, step: int) -> bool:
        """Whether a report is wanted at this step, counted from 0."""
        return (step + 1) % self.every == 0

    def find_trial(self) -> Trial | None:
        """The trial to report to: asked for each time, because a callback may outlive one. Where there is none, it warns once."""
        if self._given is not None:
            return self._given
        try:
            return current_trial()
        except TrialError:
            self._warn()
            return None

    def _warn(self) -> None:
        if not self._was_warned:
            self._was_warned = True
            warnings.warn("no asyncsweep trial runs here: this training reports to nobody", stacklevel=4)

    def report(self, found: Mapping[str, Any], step: int, hint: str = "") -> bool:
        """Report the monitored metrics at a step.

        Args:
            found: What the library measured, by name.
            step: A whole number >= 0.
            hint: What the user may do when a metric is not among these.

        Returns:
            Whether the pruner wants the trial to end.

        Raises:
            TrialError: A monitored metric is not there.
        """
        trial = self.find_trial()
        if trial is None:
            return False
        values = {name: float(_of(found, name, hint)) for name in self.names}
        trial.report(values[self.names[0]] if self.is_alone else values, step)
        return trial.should_prune()

    def report_or_prune(self, found: Callable[[], Mapping[str, Any]], step: int, hint: str = "") -> None:
        """Report what `found` tells, where it is due; it is not asked for in vain.

        Raises:
            TrialPruned: The pruner wants the trial to end; let it pass.
            TrialError: A monitored metric is not there.
        """
        if self.is_due(step) and self.find_trial() is not None and self.report(found(), step, hint):
            raise pruned(step)


def pruned(step: int) -> TrialPruned:
    """The exception that ends a hopeless trial."""
    return TrialPruned(f"pruned at step {step}")


def _of(found: Mapping[str, Any], name: str, hint: str) -> Any:
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    there = f"there are {', '.join(map(repr, found))}" if found else "there is none"
    meant = f"; did you mean {near[0]!r}?" if near else f"; {hint}" if hint else ""
    raise TrialError(f"monitor={name!r}: there is no such metric; {there}{meant}")
