"""Pruners, each fed with the reports that its next verdict needs, and with no others.

A pruner is fed when it is asked, not report by report. Where results count as they come one pruner knows everything. In a
sweep with a window each running trial has a pruner of its own, a lane, which is told of exactly those trials that its verdicts
may know: W lanes are enough, because trial k + W begins when trial k is final, and has to know of it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import msgspec

from asyncsweep.core.records import TrialRecord
from asyncsweep.hooks.contracts import Pruner

_NONE: array[Any] = array("d")


class Lane:
    """A pruner, and how much it knows of each running trial."""

    def __init__(self, pruner: Pruner) -> None:
        self.pruner = pruner
        self.n_told = 0
        self._attrs: Callable[[int], dict[str, Any]] | None = getattr(pruner, "attrs", None)
        self._restore: Callable[[int, dict[str, Any]], None] | None = getattr(pruner, "restore", None)
        # A pruner that reads final records itself is not fed with them.
        self._is_fed_at_end = not getattr(pruner, "reads_records", False)
        self._only_highest = getattr(pruner, "only_highest", False)
        # The attempt of each running trial, and how many of its reports the pruner has.
        self._known: dict[int, tuple[int, int]] = {}

    def judge(self, trial: TrialRecord, step: int) -> tuple[bool, dict[str, Any] | None]:
        """The verdict, and what the pruner wants kept with the attempt."""
        self._feed(trial)
        prune = bool(self.pruner.judge(trial.number, step))
        return prune, (self._attrs(trial.number) or None) if self._attrs is not None else None

    def feed_last(self, trial: TrialRecord) -> None:
        """Give the pruner the rest of a final trial's reports."""
        if self._is_fed_at_end and (trial.steps is not None or trial.number in self._known):
            self._feed(trial)

    def finish(self, trial: TrialRecord) -> None:
        """The pruner has all reports of the trial, which is final."""
        self.pruner.finish(trial)
        self._known.pop(trial.number, None)

    def _feed(self, trial: TrialRecord) -> None:
        number = trial.number
        attempt, known = self._known.get(number, (0, 0))
        if attempt != trial.attempt:
            if attempt:
                self.pruner.restart(number)
            elif trial.pruner_attrs and self._restore is not None and not trial.is_final:
                self._restore(number, trial.pruner_attrs)
            known = 0
        steps, values = trial.steps or _NONE, trial.reported or _NONE
        new = steps[known:]
        if self._only_highest and new:
            highest = max(new)
            self.pruner.report(number, highest, values[known + new.index(highest)])
        else:
            report = self.pruner.report
            for step, value in zip(new, values[known:], strict=True):
                report(number, step, value)
        self._known[number] = (trial.attempt, len(steps))


class Pruning:
    """The pruner of one sweep.

    Args:
        make: Gives a pruner, opened.
        window: W of a `reproducible` sweep; 0 when results count as they come.
    """

    def __init__(self, make: Callable[[], Pruner], window: int) -> None:
        self._make = make
        self._window = window
        self._lanes = {0: Lane(make())}
        # With a window: all that is final, in the order of the numbers.
        self._past: list[TrialRecord] = []

    @property
    def pruner(self) -> Pruner:
        return self._lanes[0].pruner

    def judge(self, trial: TrialRecord, step: int) -> tuple[bool, dict[str, Any] | None]:
        """The verdict on a running trial, and what the pruner wants kept with the attempt."""
        return (self._caught_up(trial.number) if self._window else self._lanes[0]).judge(trial, step)

    def feed_last(self, trial: TrialRecord) -> None:
        """First half of `tell`: what must come before a sampler that shares the pruner's study is told."""
        if not self._window:
            self._lanes[0].feed_last(trial)

    def finish(self, trial: TrialRecord) -> None:
        """Second half of `tell`."""
        if self._window:
            self._past.append(trial)
        else:
            self._lanes[0].finish(trial)

    def _caught_up(self, number: int) -> Lane:
        """The lane of a trial, told of all that the trial's verdicts may know."""
        lane = self._lanes.get(number % self._window)
        if lane is None:
            lane = self._lanes[number % self._window] = Lane(self._make())
        last = max(-1, number - self._window)  # trials of earlier searches are known to all
        while lane.n_told < len(self._past) and self._past[lane.n_told].number <= last:
            past = self._past[lane.n_told]
            if (past.number - number) % self._window:
                past = _without_learnt(past)
            lane.feed_last(past)
            lane.finish(past)
            lane.n_told += 1
        return lane


def _without_learnt(trial: TrialRecord) -> TrialRecord:
    """The trial without what a pruner learnt for itself by then: that of another lane knew other trials."""
    attrs = trial.pruner_attrs
    if attrs is None or not any(":" in key for key in attrs):
        return trial
    return msgspec.structs.replace(trial, pruner_attrs={key: value for key, value in attrs.items() if ":" not in key})
