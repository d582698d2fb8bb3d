"""Carries out `Ask`, `Tell`, `Suggest` and `Judge`: sends each to who answers for the sampler or for the pruner.

What answers at once does so on the loop (`OnLoop`); all else is in a sampler host. The two may be in one place or in two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from asyncsweep.core.effects import Ask, Judge, Suggest, Tell
from asyncsweep.core.events import Event, TellFailed
from asyncsweep.core.records import TrialRecord
from asyncsweep.errors import PluginError
from asyncsweep.hooks.contracts import VerdictSteps
from asyncsweep.search.desk import Desk
from asyncsweep.search.rest import Rest
from asyncsweep.search.retelling import Script
from asyncsweep.space import Domain


class Answerer(Protocol):
    """Who answers, by posting an event, for a sampler, a pruner, or both."""

    async def opened(self) -> VerdictSteps | None:
        """Wait until it can answer; gives the pruner's verdict steps."""

    def ask(self, trial: int, fixed: dict[str, Any] | None) -> None: ...
    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> None: ...
    def judge(self, trial: int, attempt: int, step: int) -> None: ...
    def tell(self, trial: TrialRecord) -> None: ...


class OnLoop:
    """A desk that answers before the question returns.

    Args:
        desk: The desk.
        samples: Whether the sampler is here.
        trials: The sweep's trials.
        post: Takes answers, as events.
    """

    def __init__(self, desk: Desk, samples: bool, trials: Sequence[TrialRecord], post: Callable[[Event], None]) -> None:
        self._desk = desk
        self._samples = samples
        self._trials = trials
        self._post = post

    async def opened(self) -> VerdictSteps | None:
        return self._desk.verdict_steps()

    def ask(self, trial: int, fixed: dict[str, Any] | None) -> None:
        self._post(self._desk.ask(trial, fixed))

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> None:
        self._post(self._desk.suggest(trial, attempt, name, domain))

    def judge(self, trial: int, attempt: int, step: int) -> None:
        self._post(self._desk.judge(self._trials[trial], step))

    def tell(self, trial: TrialRecord) -> None:
        fault = self._desk.tell(trial)
        if fault is not None:
            self._post(fault)

    async def retell(self, script: Script) -> None:
        """Bring a new sampler and a new pruner to where the former ones were.

        Raises:
            PluginError: The sampler or pruner raised.
        """
        rest = Rest()
        for what, trial in script:
            if rest.is_due:
                await rest.take()
            if what == "ask":
                if self._samples:
                    self._desk.ask(trial.number, trial.fixed)
                continue
            fault = self._desk.tell(trial) if what == "tell" else self._desk.pending(trial)
            if isinstance(fault, TellFailed):
                raise PluginError(f"the sampler or pruner cannot be told of trial {trial.number} again: {fault.error}")


class WithFirst:
    """Another answerer, but for the first trials: those are drawn here, while its process still starts.

    Args:
        other: Who answers from then on; it is told of these trials as of any others.
        desk: Draws the first ones.
        n_first: How many.
        post: Takes its answers, as events.
    """

    def __init__(self, other: Answerer, desk: Desk, n_first: int, post: Callable[[Event], None]) -> None:
        self._other = other
        self._desk = desk
        self._n_first = n_first
        self._post = post
        self.opened = other.opened
        self.suggest = other.suggest
        self.judge = other.judge
        self.tell = other.tell

    def ask(self, trial: int, fixed: dict[str, Any] | None) -> None:
        if trial < self._n_first:
            self._post(self._desk.ask(trial, fixed))
        else:
            self._other.ask(trial, fixed)


class Search:
    """The sampler and the pruner of one sweep, wherever they are.

    Args:
        sampler: Who answers for the sampler.
        pruner: Who answers for the pruner, which may be the same; None without a pruner.
        history: Trials of earlier searches.
        trials: The sweep's trials.
    """

    def __init__(
        self,
        sampler: Answerer,
        pruner: Answerer | None,
        history: Sequence[TrialRecord],
        trials: Sequence[TrialRecord],
    ) -> None:
        self._sampler = sampler
        self._pruner = pruner
        self._is_apart = pruner is not None and pruner is not sampler
        self._history = history
        self._trials = trials

    async def opened(self) -> None:
        """Wait until all can answer; raises what `SamplerHost.opened` does."""
        await self._sampler.opened()
        if self._pruner is not None:
            await self._pruner.opened()

    def ask(self, effect: Ask) -> None:
        self._sampler.ask(effect.trial, effect.fixed)

    def suggest(self, effect: Suggest) -> None:
        self._sampler.suggest(effect.trial, effect.attempt, effect.name, effect.domain)

    def judge(self, effect: Judge) -> None:
        assert self._pruner is not None  # workers ask for no verdict without one
        self._pruner.judge(effect.trial, effect.attempt, effect.step)

    def tell(self, effect: Tell) -> None:
        number = effect.trial
        trial = self._trials[number] if number >= 0 else self._history[-1 - number]
        self._sampler.tell(trial)
        if self._is_apart:
            assert self._pruner is not None
            self._pruner.tell(trial)

    async def retell(self, window: int) -> None:
        """Have what answers on the loop know what happened before; hosts see to it by themselves.

        Raises:
            PluginError: The sampler or pruner raised.
        """
        for answerer in (self._sampler, self._pruner) if self._is_apart else (self._sampler,):
            if isinstance(answerer, OnLoop):
                await answerer.retell(Script(self._history, self._trials, window))
