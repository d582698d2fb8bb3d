"""Asynchronous successive halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2).

A trial completes a *rung* when its reports reach the rung's step, and goes on only if its value there is among the best
`1 / reduction_factor` of all that completed the rung so far. Which trial is told of first therefore matters. The rules are
those of Optuna's `SuccessiveHalvingPruner`:

- A rung is completed by a verdict, with the value at the highest step then, not by a report; NaN completes none.
- Everything that completed a rung competes there for ever, whatever became of the trial. Only a retry takes back what its
  trial won before.
- While the first few trials would all be out of the best part, the best of them goes on.

What a trial won is in the attributes that it brings back from the journal, `completed_rung_0` and so on: Optuna's own names.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import FinishedTrial, Host
from asyncsweep.pruners.order import RunningTop
from asyncsweep.pruners.tail import Tail

MOST_STEPS = 2**62
"""The highest step that can be reported."""

_RUNG = "completed_rung_"


class Contender:
    """A running trial.

    Attributes:
        tail: The end of its curve.
        won: Its values at the rungs that it completed, from the lowest on.
        news: Attributes that nobody has asked for yet.
        knows_resource: Whether its attributes tell what "auto" stands for.
    """

    __slots__ = ("knows_resource", "news", "tail", "won")

    def __init__(self) -> None:
        self.tail = Tail()
        self.won: list[float] = []
        self.news: dict[str, Any] = {}
        self.knows_resource = False


class Bracket:
    """The rungs of one competition.

    Args:
        first: The step of the lowest rung; each further rung is `reduction_factor` times as high.
        reduction_factor: Of so many trials one goes on.
        bootstrap_count: No trial goes on from a rung that no more than so many completed.
        maximize: Whether higher values are better.
    """

    def __init__(self, first: int, reduction_factor: int, bootstrap_count: int, *, maximize: bool) -> None:
        self._first = first
        self._factor = reduction_factor
        self._bootstrap_count = bootstrap_count
        self._sign = -1.0 if maximize else 1.0
        self._rungs: list[RunningTop] = []

    def judge(self, contender: Contender) -> bool:
        """Let a trial complete the rungs that its reports have reached; True when it is out."""
        step, value = contender.tail.step, contender.tail.value
        while step >= self._first * self._factor ** len(contender.won):
            if math.isnan(value):
                return True
            contender.news[f"{_RUNG}{len(contender.won)}"] = value
            rung = self.enter(contender, value)
            if rung.count <= self._bootstrap_count or self._sign * value > rung.last:
                return True
        return False

    def enter(self, contender: Contender, value: float) -> RunningTop:
        """Let a trial complete its next rung."""
        number = len(contender.won)
        if number == len(self._rungs):
            self._rungs.append(RunningTop(self._factor))
        contender.won.append(value)
        self._rungs[number].add(self._sign * value)
        return self._rungs[number]

    def withdraw(self, contender: Contender) -> None:
        """Take back all that a trial won."""
        for rung, value in zip(self._rungs, contender.won, strict=False):
            rung.remove(self._sign * value)
        contender.won.clear()


class HalvingPruner(ABC):
    """What ASHA and Hyperband have in common: running trials, and brackets that open once a number of steps is known.

    Args:
        resource: That number; "auto" when it is to be learnt from the first COMPLETE trials.
    """

    host: ClassVar[Host] = "inline"
    only_highest: ClassVar[bool] = True

    _RESOURCE: ClassVar[str]
    """The attribute that keeps what was learnt: other trials may be COMPLETE when the sweep is resumed."""

    def __init__(self, resource: int | str) -> None:
        self._is_learnt = resource == "auto"
        self._resource = resource if isinstance(resource, int) else None
        self._longest = -1
        self._maximize = False
        self._sweep = ""
        self._running: dict[int, Contender] = {}
        self._brackets: list[Bracket] = []
        # What trials bring along before there are brackets.
        self._early: dict[int, tuple[Contender, Mapping[str, Any]]] = {}

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Learn which way is better."""
        self._maximize = direction == "maximize"
        self._sweep = sweep
        if self._resource is not None:
            self._brackets = self._opened(self._resource)

    def report(self, trial: int, step: int, value: float) -> None:
        """Remember the value if no step was higher."""
        contender = self._running.get(trial)
        if contender is None:
            contender = self._running[trial] = Contender()
        contender.tail.add(step, value)

    def restart(self, trial: int) -> None:
        """Forget the trial's earlier attempt, and take back the rungs that it completed."""
        self._early.pop(trial, None)
        contender = self._running.pop(trial, None)
        if contender is not None and contender.won:
            self._bracket(trial).withdraw(contender)

    def judge(self, trial: int, step: int) -> bool:
        """True when the trial's last value is not among the best at a rung that its reports have reached."""
        contender = self._running.get(trial)
        if contender is None or contender.tail.step < 0:
            return False
        if self._is_learnt and not contender.knows_resource:
            if self._resource is None:
                if self._longest < 0:
                    return False
                self._begin(self._learnt(self._longest))
            contender.news[self._RESOURCE] = self._resource
            contender.knows_resource = True
        return bool(self._brackets) and self._bracket(trial).judge(contender)

    def attrs(self, trial: int) -> dict[str, Any]:
        """The rungs that the trial completed since the last call, with its values there."""
        contender = self._running.get(trial)
        if contender is None or not contender.news:
            return {}
        news, contender.news = contender.news, {}
        return news

    def restore(self, trial: int, attrs: Mapping[str, Any]) -> None:
        """Give back to a running trial the rungs that it completed before the restart."""
        contender = self._running.get(trial)
        if contender is None:
            contender = self._running[trial] = Contender()
        self._take_in(trial, contender, attrs)

    def finish(self, trial: FinishedTrial) -> None:
        """Forget the trial but for its rungs; one that was not judged here brings them along in its attributes."""
        contender = self._running.pop(trial.number, None) or Contender()
        if trial.pruner_attrs:
            self._take_in(trial.number, contender, trial.pruner_attrs)
        if self._is_learnt and self._resource is None and trial.state == State.COMPLETE:
            self._longest = max([self._longest, *(step for step, _ in trial.reports)])

    def _take_in(self, trial: int, contender: Contender, attrs: Mapping[str, Any]) -> None:
        resource = attrs.get(self._RESOURCE)
        if self._is_learnt and isinstance(resource, int):
            contender.knows_resource = True
            if self._resource is None:
                self._begin(resource)
        if not self._brackets:
            self._early[trial] = contender, attrs
        # Rungs that it completed here are counted already.
        while self._brackets and f"{_RUNG}{len(contender.won)}" in attrs:
            self._bracket(trial).enter(contender, float(attrs[f"{_RUNG}{len(contender.won)}"]))

    def _begin(self, resource: int) -> None:
        """The number of steps is known from now on."""
        self._resource = resource
        self._brackets = self._opened(resource)
        early, self._early = self._early, {}
        for trial, (contender, attrs) in early.items():
            self._take_in(trial, contender, attrs)

    @abstractmethod
    def _learnt(self, longest: int) -> int:
        """The number of steps that "auto" stands for when the longest COMPLETE trial got to the step `longest`."""

    @abstractmethod
    def _opened(self, resource: int) -> list[Bracket]:
        """The brackets for a number of steps."""

    @abstractmethod
    def _bracket(self, trial: int) -> Bracket:
        """The bracket that a trial competes in; there is one."""
