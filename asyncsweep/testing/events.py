"""Builders for events and settings, and a bench on which a machine runs without a driver.

    bench = Bench(spec(n_trials=1), worker_joined("w"))
    bench.send(suggested(0, x=0.5), started(0))
    assert bench.send(finished(0, 1.0))[-1] == Finish("n_trials reached")

A builder fills in what a test does not care about; `seq` and `at` are stamped by the bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Effect
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import ErrorInfo, PastTrial, Retry, State, SweepSpec, TrialRecord
from asyncsweep.space import Domain, Float

ERROR = ErrorInfo("ValueError", "boom")


def spec(**changes: Any) -> SweepSpec:
    """Settings of a small sweep: one parameter `x` in [0, 1], `value` minimized, two trials, no retries.

    `retries` may be a number.
    """
    defaults: dict[str, Any] = {"space": {"x": Float(0.0, 1.0)}, "directions": {"value": "minimize"}, "n_trials": 2}
    if isinstance(changes.get("retries"), int):
        changes["retries"] = Retry(changes["retries"])
    return SweepSpec(**{**defaults, **changes})


def worker_joined(worker: str = "w", slots: int = 1, ahead: int = 0, **resources: Any) -> ev.WorkerJoined:
    """What each of its slots offers by keyword."""
    return ev.WorkerJoined(worker, slots, ahead, resources)


def slots_changed(worker: str = "w", slots: int = 1) -> ev.SlotsChanged:
    return ev.SlotsChanged(worker, slots)


def worker_lost(worker: str = "w", reason: str = "killed by SIGKILL") -> ev.WorkerLost:
    return ev.WorkerLost(worker, reason)


def suggested(trial: int, attrs: dict[str, Any] | None = None, **params: Any) -> ev.Suggested:
    """The sampler's answer; `x` is 0.5 unless parameters are given."""
    return ev.Suggested(trial, params or {"x": 0.5}, attrs)


def ask_failed(trial: int, error: ErrorInfo = ERROR) -> ev.AskFailed:
    return ev.AskFailed(trial, error)


def launch_failed(trial: int, attempt: int = 1, error: ErrorInfo = ERROR) -> ev.LaunchFailed:
    return ev.LaunchFailed(trial, attempt, error)


def taken_back(trial: int, attempt: int = 1) -> ev.TakenBack:
    return ev.TakenBack(trial, attempt)


def started(trial: int, attempt: int = 1) -> ev.Started:
    return ev.Started(trial, attempt)


def series_reported(trial: int, *reports: tuple[int, float], attempt: int = 1) -> ev.SeriesReported:
    """The objective reported these (step, value), one right after the other."""
    return ev.SeriesReported(trial, attempt, list(reports))


def reported(trial: int, step: int, value: float, attempt: int = 1, **metrics: float) -> ev.Reported:
    """A report of `value`; further metrics by keyword."""
    return ev.Reported(trial, attempt, step, value, metrics or None)


def verdict_asked(trial: int, step: int, attempt: int = 1) -> ev.VerdictAsked:
    return ev.VerdictAsked(trial, attempt, step)


def series_up_for_verdict(
    trial: int, step: int, *reports: tuple[int, float], attempt: int = 1
) -> ev.SeriesUpForVerdict:
    """The objective reported these (step, value), and asks for a verdict."""
    return ev.SeriesUpForVerdict(trial, attempt, step, list(reports))


def judged(trial: int, step: int, prune: bool, attempt: int = 1, attrs: dict[str, Any] | None = None) -> ev.Judged:
    return ev.Judged(trial, attempt, step, prune, attrs)


def param_asked(trial: int, name: str, domain: Domain | None = None, attempt: int = 1) -> ev.ParamAsked:
    """The objective wants one more parameter, in [0, 1] unless a domain is given."""
    return ev.ParamAsked(trial, attempt, name, domain or Float(0.0, 1.0))


def param_suggested(trial: int, name: str, value: Any, attempt: int = 1) -> ev.ParamSuggested:
    return ev.ParamSuggested(trial, attempt, name, value)


def attr_set(trial: int, key: str, value: Any, attempt: int = 1) -> ev.AttrSet:
    return ev.AttrSet(trial, attempt, key, value)


def constraint_set(trial: int, name: str, value: float, attempt: int = 1) -> ev.ConstraintSet:
    return ev.ConstraintSet(trial, attempt, name, value)


def adopted(value: float | None = 1.0, state: State = State.COMPLETE, **params: Any) -> ev.Adopted:
    """A trial of an earlier search, which returned `value`; `x` is 0.5 unless parameters are given."""
    return ev.Adopted(PastTrial(params or {"x": 0.5}, state, {} if value is None else {"value": value}))


def used(trial: int, attempt: int = 1, **usage: float) -> ev.Used:
    """What the attempt uses, by keyword."""
    return ev.Used(trial, attempt, usage)


def finished(trial: int, value: float = 0.0, attempt: int = 1, **metrics: float) -> ev.Finished:
    """The objective returned `value`; further metrics by keyword."""
    return ev.Finished(trial, attempt, {"value": value, **metrics})


def pruned(trial: int, attempt: int = 1) -> ev.Pruned:
    return ev.Pruned(trial, attempt)


def failed(trial: int, attempt: int = 1, error: ErrorInfo = ERROR) -> ev.Failed:
    return ev.Failed(trial, attempt, error)


def killed(trial: int, attempt: int = 1) -> ev.Killed:
    return ev.Killed(trial, attempt)


class Bench:
    """A machine with its invariants watched, and no driver: what is sent is stamped, handled and kept.

    Attributes:
        machine: The machine.
        watch: Its invariants; `watch.ledger` tells which answers are due.
        journal: Every event, stamped.
        effects: What each event of the journal led to.
    """

    def __init__(self, settings: SweepSpec, *then: ev.Event) -> None:
        self.machine = Machine()
        self.watch = Watch(self.machine)
        self.journal: list[ev.Event] = []
        self.effects: list[list[Effect]] = []
        self.send(ev.SweepOpened(settings), *then)

    def send(self, *events: ev.Event, after_s: float = 0.0) -> list[Effect]:
        """Handle events, each `after_s` seconds after the one before; gives the effects of all, in order.

        Raises:
            InvalidTransition: An event cannot happen; the machine did not change.
            InvariantBroken: The machine broke its own rules.
        """
        return [effect for event in events for effect in self._handle(self.stamped(event, after_s))]

    def stamped(self, event: ev.Event, after_s: float = 0.0) -> ev.Event:
        """The event with the next `seq`, at the machine's time plus `after_s` seconds; the event given is left as it is."""
        return msgspec.structs.replace(event, seq=self.machine.seq + 1, at=self.machine.at + after_s)

    def trial(self, number: int) -> TrialRecord:
        """The record of a trial."""
        return self.machine.trials[number]

    def _handle(self, event: ev.Event) -> Sequence[Effect]:
        self.machine.check(event)
        effects = self.machine.handle(event)
        self.journal.append(event)
        self.effects.append(effects)
        self.watch.see(event, effects)
        return effects
