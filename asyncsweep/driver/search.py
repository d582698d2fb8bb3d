"""Carries out `Ask`, `Tell`, `Suggest` and `Judge`: here for samplers and pruners that answer at once, in the host otherwise.

Whatever a sampler or pruner raises becomes the event that says so; what it returns is checked before it is believed.
A pruner is fed a trial's reports when it is asked about the trial or told of its end, not one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asyncsweep.core.effects import Ask, Judge, Suggest
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
from asyncsweep.errors import PluginError
from asyncsweep.errors import SpaceExhausted as Exhausted
from asyncsweep.hooks.contracts import Pruner, Sampler, TrialRef
from asyncsweep.samplers.hosted import SamplerHost
from asyncsweep.space import Space
from asyncsweep.worker.outcome import describe


class Search:
    """The sampler and the pruner of one sweep.

    Args:
        space: The space.
        trials: The sweep's trials.
        sampler: A sampler that answers here; None when it is in the host.
        pruner: A pruner that answers here; None when it is in the host, or there is none.
        host: The host; None when neither is in it.
        post: Takes answers, as events.
    """

    def __init__(
        self,
        space: Space,
        trials: Sequence[TrialRecord],
        sampler: Sampler | None,
        pruner: Pruner | None,
        host: SamplerHost | None,
        post: Callable[[Event], None],
    ) -> None:
        self._space = space
        self._trials = trials
        self._sampler = sampler
        self._pruner = pruner
        self._host = host
        self._post = post
        # Our own samplers walk the space; what others give is checked.
        self._is_ours = type(sampler).__module__.startswith("asyncsweep.samplers.")
        # How many reports of a running attempt the pruner here knows.
        self._fed: dict[int, tuple[int, int]] = {}

    async def opened(self) -> None:
        """Wait until the host can answer; raises what `SamplerHost.opened` does."""
        if self._host is not None:
            await self._host.opened()

    def ask(self, effect: Ask) -> None:
        if self._sampler is None:
            assert self._host is not None
            self._host.ask(effect.trial, effect.fixed)
            return
        try:
            params = self._sampler.ask(TrialRef(effect.trial, effect.fixed or {}))
            if not self._is_ours:
                params = self._space.check(params, partial=False)
        except Exhausted:
            self._post(SpaceExhausted(effect.trial))
        except Exception as error:
            self._post(AskFailed(effect.trial, _info(error)))
        else:
            self._post(Suggested(effect.trial, params))

    def suggest(self, effect: Suggest) -> None:
        trial, attempt, name = effect.trial, effect.attempt, effect.name
        if self._sampler is None:
            assert self._host is not None
            self._host.suggest(trial, attempt, name, effect.domain)
            return
        try:
            domain = effect.domain.checked(f"suggest {name!r}")
            value = self._sampler.suggest(TrialRef(trial), name, domain)
            if not domain.contains(value):
                raise ValueError(f"the sampler suggested {value!r}, which is not in {domain}")
        except Exception as error:
            self._post(SuggestFailed(trial, attempt, name, _info(error)))
        else:
            self._post(ParamSuggested(trial, attempt, name, value))

    def judge(self, effect: Judge) -> None:
        trial, attempt, step = effect.trial, effect.attempt, effect.step
        if self._pruner is None:
            assert self._host is not None
            self._host.judge(trial, attempt, step)
            return
        try:
            self._feed(self._pruner, self._trials[trial])
            prune = bool(self._pruner.judge(trial, step))
        except Exception as error:
            self._post(JudgeFailed(trial, attempt, step, _info(error)))
        else:
            self._post(Judged(trial, attempt, step, prune))

    def tell(self, number: int) -> None:
        trial = self._trials[number]
        try:
            if self._sampler is not None:
                self._sampler.tell(trial)
            if self._pruner is not None:
                if trial.steps is not None:
                    self._feed(self._pruner, trial)
                self._pruner.finish(trial)
                self._fed.pop(number, None)
        except Exception as error:
            self._post(TellFailed(number, _info(error)))
        if self._host is not None:
            self._host.tell(trial)

    def retell(self) -> None:
        """Tell every final trial again to what answers here; the host retells by itself.

        Raises:
            PluginError: The sampler or pruner raised.
        """
        for trial in self._trials:
            if trial.is_final:
                try:
                    if self._sampler is not None:
                        self._sampler.tell(trial)
                    if self._pruner is not None:
                        self._feed(self._pruner, trial)
                        self._pruner.finish(trial)
                except Exception as error:
                    raise PluginError(
                        f"the sampler or pruner cannot be told of trial {trial.number} again: {error!r}"
                    ) from error
        self._fed.clear()

    def _feed(self, pruner: Pruner, trial: TrialRecord) -> None:
        attempt, known = self._fed.get(trial.number, (trial.attempt, 0))
        if attempt != trial.attempt:
            pruner.restart(trial.number)
            known = 0
        steps, values = trial.steps or (), trial.reported or ()
        for at in range(known, len(steps)):
            pruner.report(trial.number, steps[at], values[at])
        self._fed[trial.number] = (trial.attempt, len(steps))


def _info(error: BaseException) -> ErrorInfo:
    return ErrorInfo(*describe(error))
