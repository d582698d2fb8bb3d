"""A sampler, a pruner, or both, asked and told.

Whatever they raise becomes the event that says so, and what they give is checked before it is believed.
"""

from __future__ import annotations

from typing import Any

from asyncsweep.core.events import (
    AskFailed,
    Event,
    Judged,
    JudgeFailed,
    ParamSuggested,
    SpaceExhausted,
    Suggested,
    SuggestFailed,
    TellFailed,
)
from asyncsweep.core.records import ErrorInfo, TrialRecord
from asyncsweep.errors import SpaceExhausted as Exhausted
from asyncsweep.errors import TrialError
from asyncsweep.hooks.contracts import Sampler, TrialRef, VerdictSteps
from asyncsweep.search.lanes import Pruning
from asyncsweep.space import Domain, Space
from asyncsweep.worker.outcome import describe


class Desk:
    """The sampler and the pruner of one sweep, both opened.

    Args:
        space: The space.
        sampler: None when it is elsewhere.
        pruning: None when it is elsewhere, or there is none.
        window: W of a `reproducible` sweep; 0 when results count as they come.
    """

    def __init__(self, space: Space, sampler: Sampler | None, pruning: Pruning | None, window: int) -> None:
        self._space = space
        self._sampler: Any = sampler
        self._pruning = pruning
        self._attrs = getattr(sampler, "attrs", None)
        self._pending = getattr(sampler, "pending", None)
        self._hurry = getattr(sampler, "hurry", None)
        # Our own samplers walk the space; what others give is checked.
        self._is_ours = sampler is not None and type(sampler).__module__.startswith("asyncsweep.samplers.")
        # What a sampler suggests while trials run depends on which of them came first, unless it goes by their numbers.
        self._suggests = not window or getattr(sampler, "by_number", False)

    def ask(self, number: int, fixed: dict[str, Any] | None) -> Event:
        try:
            params = self._sampler.ask(TrialRef(number, fixed or {}))
            if not self._is_ours:
                params = self._space.check(params, partial=False)
            attrs = None if self._attrs is None else self._attrs(number) or None
        except Exhausted:
            return SpaceExhausted(number)
        except Exception as error:
            return AskFailed(number, _info(error))
        return Suggested(number, params, attrs)

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> Event:
        try:
            if not self._suggests:
                raise TrialError(
                    f"{name!r} is not in the space: with `reproducible` every parameter must be, unless the sampler is "
                    "'random', 'grid' or 'sobol'"
                )
            checked = domain.checked(f"suggest {name!r}")
            value = self._sampler.suggest(TrialRef(trial), name, checked)
            if not checked.contains(value):
                raise ValueError(f"the sampler suggested {value!r}, which is not in {checked}")
        except Exception as error:
            return SuggestFailed(trial, attempt, name, _info(error))
        return ParamSuggested(trial, attempt, name, value)

    def judge(self, trial: TrialRecord, step: int) -> Event:
        assert self._pruning is not None
        try:
            prune, attrs = self._pruning.judge(trial, step)
        except Exception as error:
            return JudgeFailed(trial.number, trial.attempt, step, _info(error))
        return Judged(trial.number, trial.attempt, step, prune, attrs)

    def verdict_steps(self) -> VerdictSteps | None:
        """The steps at which the pruner may say "stop"; None for never."""
        if self._pruning is None:
            return None
        steps: VerdictSteps | None = getattr(self._pruning.pruner, "verdict_steps", VerdictSteps)()
        return steps

    def tell(self, trial: TrialRecord) -> Event | None:
        """Tell of a final trial; None when all went well."""
        try:
            if self._pruning is not None:
                self._pruning.feed_last(trial)
            if self._sampler is not None:
                self._sampler.tell(trial)
            if self._pruning is not None:
                self._pruning.finish(trial)
        except Exception as error:
            return TellFailed(trial.number, _info(error))
        return None

    def pending(self, trial: TrialRecord) -> Event | None:
        """Tell of a trial that an earlier sampler was asked for, and that is not final; None when all went well."""
        if self._pending is not None:
            try:
                self._pending(trial)
            except Exception as error:
                return TellFailed(trial.number, _info(error))
        return None

    def hurry(self, asks: int) -> None:
        """So many asks follow, and workers wait for them."""
        if self._hurry is not None:
            self._hurry(asks)


def _info(error: BaseException) -> ErrorInfo:
    return ErrorInfo(*describe(error))
