"""What is to be done: the machine's output, in the imperative, and the updates that users see.

`Ask`, `Launch`, `Judge`, `Suggest`, `Kill`, `TakeBack` and `SetTimer` take time; each ends in exactly one event:

    Ask      Suggested, SpaceExhausted or AskFailed
    Suggest  ParamSuggested or SuggestFailed
    Launch   Started, LaunchFailed or TakenBack; after Started: Finished, Pruned, Failed, Killed or WorkerLost
    Judge    Judged or JudgeFailed
    Kill     Killed (which may be stale when the trial ended by itself)
    TakeBack TakenBack, or whatever else the attempt's launch ends in (Started, when it came too late)
    SetTimer TimerFired, unless cancelled

The others are handed over and done: `Tell` (in order with `Ask`; a fault comes back as `TellFailed`), `AnswerVerdict`,
`AnswerParam`, `CancelTimer`, `Publish`, `PublishReports`, `Finish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.space import Domain


class Effect(msgspec.Struct, frozen=True, gc=False):
    """The root of all effects."""


class Ask(Effect, frozen=True):
    """Ask the sampler for the parameters of a trial; `fixed` ones are given."""

    trial: int
    fixed: dict[str, Any] | None = None


class Tell(Effect, frozen=True):
    """Tell the sampler and the pruner that a trial is final: once for each trial. History has negative numbers."""

    trial: int


class Launch(Effect, frozen=True):
    """Start an attempt on a worker that has a free slot; or, where none is free, have it wait there for the next one."""

    trial: int
    attempt: int
    worker: str


class Judge(Effect, frozen=True):
    """Ask the pruner whether the trial should end, on its reports up to `step`."""

    trial: int
    attempt: int
    step: int


class AnswerVerdict(Effect, frozen=True):
    """Give the waiting objective its verdict."""

    trial: int
    attempt: int
    step: int
    prune: bool


class Suggest(Effect, frozen=True):
    """Ask the sampler for one more parameter of a running trial."""

    trial: int
    attempt: int
    name: str
    domain: Domain


class AnswerParam(Effect, frozen=True):
    """Give the waiting objective the parameter's value, or the error."""

    trial: int
    attempt: int
    name: str
    value: Any = None
    error: ErrorInfo | None = None


class Kill(Effect, frozen=True):
    """End a running attempt: politely first, after `grace_s` by force, with all its children."""

    trial: int
    attempt: int
    reason: str
    grace_s: float


class TakeBack(Effect, frozen=True):
    """Have an attempt given back that waits at a busy worker, unless it has begun meanwhile."""

    trial: int
    attempt: int


class SetTimer(Effect, frozen=True):
    """Post `TimerFired(trial, attempt)` after `delay_s`; trial -1 is the sweep's own timeout."""

    trial: int
    attempt: int
    delay_s: float


class CancelTimer(Effect, frozen=True):
    trial: int
    attempt: int


class Publish(Effect, frozen=True):
    """Show an update to users, exporters and viewers."""

    update: Update


class PublishReports(Effect, frozen=True):
    """Show what a trial reported in one go: each is an update of its own."""

    updates: list[TrialReported]


class Finish(Effect, frozen=True):
    """The sweep is over: the last effect. `error` is set when the sweep itself failed."""

    reason: str
    error: ErrorInfo | None = None


class Update(msgspec.Struct, frozen=True, gc=False, tag=True, kw_only=True):
    """The root of what users see. `at` is seconds since the epoch."""

    at: float


class TrialSuggested(Update, frozen=True):
    """A trial has its parameters and waits for a slot; said again, with all of them, when a running one got one more."""

    trial: int
    params: dict[str, Any]


class TrialStarted(Update, frozen=True):
    """An attempt of a trial runs; `worker` is None for a trial taken with `run.ask()`."""

    trial: int
    attempt: int
    worker: str | None


class TrialReported(Update, frozen=True):
    """A trial reported `value` at `step`; `metrics` holds further ones."""

    trial: int
    step: int
    value: float
    metrics: dict[str, float] | None = None


class TrialUsage(Update, frozen=True):
    """What a running trial uses, as its executor measured it: the newest value of each name."""

    trial: int
    usage: dict[str, float]


class TrialRetried(Update, frozen=True):
    """An attempt ended in `error` and the trial waits for its next attempt."""

    trial: int
    attempt: int
    error: ErrorInfo


class TrialFinished(Update, frozen=True):
    """A trial is final."""

    trial: int
    state: State
    metrics: dict[str, float]
    error: ErrorInfo | None = None


class TrialDropped(Update, frozen=True):
    """A trial is no part of the sweep any more: it waited for its start when the sweep was stopped, or, with
    `reproducible`, it came after the trial at which the sweep stopped.
    """

    trial: int


class SweepPaused(Update, frozen=True):
    """No new trial starts until the sweep is unpaused."""


class SweepUnpaused(Update, frozen=True):
    """Trials start again."""


class SweepStopping(Update, frozen=True):
    """No new trial starts; the sweep ends when the running ones have."""

    reason: str


class SweepFinished(Update, frozen=True):
    """The last update."""

    reason: str


class PluginFailed(Update, frozen=True):
    """A sampler, pruner or hook raised; the sweep goes on."""

    where: str
    error: ErrorInfo


class UpdatesSkipped(Update, frozen=True):
    """This consumer of `updates()` fell behind and missed `count` updates."""

    count: int


def updates_of(effect: Effect) -> Sequence[Update]:
    """What users see of an effect."""
    if type(effect) is Publish:
        return (effect.update,)
    return effect.updates if type(effect) is PublishReports else ()
