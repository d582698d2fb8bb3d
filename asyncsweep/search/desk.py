"""A sampler, a pruner, or both, asked and told.

Whatever they raise becomes the event that says so, and what they give is checked before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable
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
from asyncsweep.errors import ConfigError, PluginError, TrialError
from asyncsweep.errors import SpaceExhausted as Exhausted
from asyncsweep.hooks.contracts import Sampler, TrialRef, VerdictSteps
from asyncsweep.search.lanes import Pruning
from asyncsweep.space import Domain, Space
from asyncsweep.space.values import plain, shown
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
        is_ours = sampler is not None and type(sampler).__module__.startswith("asyncsweep.samplers.")
        self._is_ours = is_ours and getattr(sampler, "is_ours", True)
        # What a sampler suggests while trials run depends on which of them came first, unless it goes by their numbers.
        self._suggests = not window or getattr(sampler, "by_number", False)

    def ask(self, number: int, fixed: dict[str, Any] | None) -> Event:
        try:
            params = self._sampler.ask(TrialRef(number, fixed or {}))
            if not self._is_ours:
                params = self._checked(params)
            attrs = None if self._attrs is None else _stored(self._attrs(number), "sampler.attrs")
        except Exhausted:
            return SpaceExhausted(number)
        except Exception as error:
            return AskFailed(number, _info(error, self._sampler))
        return Suggested(number, params, attrs)

    def _checked(self, params: Any) -> dict[str, Any]:
        try:
            return self._space.check(params, partial=False)
        except ConfigError as error:  # the sampler's fault, and no setting of the user's
            raise ValueError(str(error)) from error

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> Event:
        try:
            if not self._suggests:
                raise TrialError(
                    f"{name!r} is not in the space: with `reproducible` every parameter must be, unless the sampler is "
                    "'random' or 'sobol'"
                )
            checked = domain.checked(f"suggest {name!r}")
            value = checked.normalise(self._sampler.suggest(TrialRef(trial), name, checked))
        except Exception as error:
            return SuggestFailed(trial, attempt, name, _info(error))
        return ParamSuggested(trial, attempt, name, value)

    def judge(self, trial: TrialRecord, step: int) -> Event:
        assert self._pruning is not None
        try:
            prune, given = self._pruning.judge(trial, step)
            attrs = _stored(given, "pruner.attrs")
        except Exception as error:
            return JudgeFailed(trial.number, trial.attempt, step, _info(error))
        return Judged(trial.number, trial.attempt, step, prune, attrs)

    def verdict_steps(self) -> VerdictSteps | None:
        """The steps at which the pruner may say "stop"; None for never."""
        if self._pruning is None:
            return None
        steps = getattr(self._pruning.pruner, "verdict_steps", VerdictSteps)()
        if steps is None:
            return None
        fits = isinstance(steps, VerdictSteps) and steps.first >= 0 and steps.every >= 1 and steps.factor >= 1
        if not fits:
            raise PluginError(
                f"{type(self._pruning.pruner).__name__}.verdict_steps returned {steps!r}; expected None or VerdictSteps with "
                "first >= 0, every >= 1 and factor >= 1"
            )
        return steps

    def tell(self, trial: TrialRecord) -> Event | None:
        """Tell of a final trial; None when all went well. A fault of the one keeps nothing from the other."""
        pruning = self._pruning
        if pruning is None:
            return self._told(self._sampler.tell, trial, self._sampler)
        faults = [self._told(pruning.feed_last, trial, pruning.pruner)]
        if self._sampler is not None:
            faults.append(self._told(self._sampler.tell, trial, self._sampler))
        faults.append(self._told(pruning.finish, trial, pruning.pruner))
        return next((fault for fault in faults if fault is not None), None)

    def _told(self, tell: Callable[[TrialRecord], None], trial: TrialRecord, part: object) -> Event | None:
        try:
            tell(trial)
        except Exception as error:
            return TellFailed(trial.number, _info(error, part))
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


def _stored(attrs: Any, what: str) -> dict[str, Any] | None:
    """Attributes as the journal holds them; None for none.

    Raises:
        TypeError: They are no dict with texts as keys.
        ConfigError: A value cannot be stored.
    """
    if not attrs:
        return None
    if not isinstance(attrs, dict) or not all(isinstance(key, str) for key in attrs):
        raise TypeError(f"{what} gave {shown(attrs)}; expected a dict with texts as keys")
    stored: dict[str, Any] = plain(attrs, what)
    return stored


def _info(error: BaseException, part: object = None) -> ErrorInfo:
    """The error, with the class of the sampler or pruner that raised it, which users may not know from the traceback."""
    kind, message, trace, bases = describe(error)
    name = getattr(part, "called", type(part).__name__)
    return ErrorInfo(kind, message if part is None else f"{message} (in {name})", trace, bases)
