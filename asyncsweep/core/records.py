"""What the machine remembers of a trial, and the settings of the sweep that it must know.

A `TrialRecord` is kept for each trial for as long as the sweep lives, so it is small: parameters and metrics are
two tuples (the tuple of names is shared between trials), reports are two arrays.
"""

from __future__ import annotations

import copy
import enum
import math
from array import array
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from asyncsweep.core import retry_rules
from asyncsweep.space import Domain


class State(enum.StrEnum):
    """The state of a trial; the last four are final."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL_STATES = (State.COMPLETE, State.PRUNED, State.FAILED, State.CANCELLED)
_WAITING, _RUNNING = State.WAITING, State.RUNNING


class ErrorInfo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An exception as data.

    Attributes:
        type: The name of its class.
        message: Its text.
        traceback: As text; "" where there is none.
        bases: The names of the classes that its class is made from, up to `Exception` and without it.
    """

    type: str
    message: str = ""
    traceback: str = ""
    bases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


class PluginSpec(msgspec.Struct, frozen=True):
    """A sampler, pruner or executor as the journal knows it.

    Attributes:
        name: The registered name, or the class's name of an object that the user gave.
        options: Keyword options; empty for an object.
        host: Where the user wants it to run: "inline", "thread" or "process"; "" leaves it to the class.
        given: True for an object: it is not in the journal and has to be given again on resume.
    """

    name: str
    options: dict[str, Any] = {}
    host: str = ""
    given: bool = False


class Retry(msgspec.Struct, frozen=True):
    """When a failed attempt is repeated.

    An attempt that ran when the sweep's own process ended is no failure: it is repeated when the sweep is resumed, and does
    not count, unless `interrupted` is "fail".

    Args:
        times: How often a trial is tried again, from 0.
        on: Exceptions, by class or by the name of one, after which it is; those that are derived from them too. Empty: after
            every one.
        backoff_s: Seconds (least, most) before an attempt is repeated: least, then twice as long each time, at most `most`.
        quarantine: Parameters under which so many workers died are not tried again, whatever is left, nor launched in other
            trials. None: they are, as often as `times` says.
        interrupted: "retry" or "fail": what becomes of an attempt that the end of the sweep's process cut short.

    Raises:
        ConfigError: A value is wrong.
    """

    times: int = 0
    on: tuple[str, ...] = ()
    backoff_s: tuple[float, float] = (0.0, 0.0)
    quarantine: int | None = 3
    interrupted: Literal["retry", "fail"] = "retry"

    def __post_init__(self) -> None:
        retry_rules.check(self)

    def allows(self, error: ErrorInfo, n_failures: int) -> bool:
        """Whether a trial that failed so often before is tried again after this error."""
        if n_failures >= self.times:
            return False
        return not self.on or error.type in self.on or any(base in self.on for base in error.bases)

    def delay_s(self, n_failures: int) -> float:
        """Seconds between the failure number `n_failures` (from 1) and the next attempt."""
        least, most = self.backoff_s
        return min(most, least * 2.0 ** min(n_failures - 1, 1000)) if least else 0.0


Direction = Literal["minimize", "maximize"]
Fsync = Literal["always", "batch", "never"]
Keep = Literal["all", "failed", "best"]


class SweepSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting that the sweep's course depends on; the first record of a journal carries it.

    Attributes:
        concurrency: How many trials run at a time; 0: as many as the executors have slots.
        needs: What each trial needs of a worker's resources (see `resources`).
        reproducible: W: the ask for trial k, and every verdict on it, know the trials up to k - W and no others. 0: off.
        n_history: How many trials of earlier searches were taken in.
        fsync: When what was written is made to survive a power loss: before anything else happens, within 50 ms, or never.
        keep: Of which trials logs and checkpoints are kept once they are final.
        attached: What of the user's code goes along with the sweep: "exporters", and "stop_when", which is always given.
    """

    space: dict[str, Domain]
    directions: dict[str, Direction]
    n_trials: int | None = None
    concurrency: int = 1
    needs: dict[str, Any] = {}
    timeout: float | None = None
    trial_timeout: float | None = None
    grace_s: float = 5.0
    retries: Retry = Retry()
    reproducible: int = 0
    max_failures: int | None = None
    target: float | None = None
    patience: int | None = None
    seed: int = 0
    n_history: int = 0
    fsync: Fsync = "batch"
    keep: Keep = "all"
    sampler: PluginSpec = PluginSpec("random")
    pruner: PluginSpec = PluginSpec("nop")
    executor: PluginSpec = PluginSpec("inline")
    objective: str = ""
    attached: dict[str, tuple[PluginSpec, ...]] = {}


class PastTrial(msgspec.Struct, frozen=True, array_like=True):
    """A trial of an earlier search, from which this sweep's sampler and pruner learn before they begin.

    Attributes:
        params: Values for parameters of the space, each within its domain; constants may be missing.
        state: COMPLETE, PRUNED or FAILED.
        metrics: For a COMPLETE trial one number for each direction; further ones are kept.
        steps: The steps of its reports, whole numbers >= 0, each once.
        values: The reported values.
        constraints: As in `TrialRecord`.
    """

    params: dict[str, Any]
    state: State = State.COMPLETE
    metrics: dict[str, float] = {}
    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    constraints: dict[str, float] | None = None


class TrialRecord(msgspec.Struct, gc=False):
    """One trial: what was suggested, what was reported, how it ended.

    Times are seconds since the epoch; 0.0 means "not yet".

    Attributes:
        number: Counts from 0 in the order of asking.
        state: See `State`.
        attempt: The current or last attempt, from 1; 0 before the first launch.
        worker: Where the current attempt runs; None when it holds no slot.
        external: True for a trial taken with `run.ask()`, which runs outside the sweep.
        error: Why the trial is FAILED, or CANCELLED by neither the user nor a stop; None otherwise.
        failures: The errors of the attempts that were retried, oldest first.
        attrs: What the objective set with `set_user_attr`; None when nothing.
        domains: The domains of the parameters that the objective asked for while it ran (define-by-run); None when none.
        sampler_attrs: The sampler's own JSON attributes, given back to it when it is retold; None when nothing.
        pruner_attrs: The pruner's own JSON attributes of this attempt, given back in the same way; None when nothing.
        constraints: What the objective set with `set_constraint`: a trial is feasible when none is above 0; None when nothing.
        fixed: Parameters that the user enqueued and the sampler may not change; None when nothing.
        kill_reason: Why the running attempt is being ended; None otherwise.
        rising: True while each report of the attempt had a higher step than the one before it.
        usage: What its executor measured of the last attempt, by name, newest values; None when nothing.
    """

    number: int
    state: State = State.WAITING
    attempt: int = 0
    worker: str | None = None
    external: bool = False
    param_names: tuple[str, ...] | None = None
    param_values: tuple[Any, ...] = ()
    metric_names: tuple[str, ...] = ()
    metric_values: tuple[float, ...] = ()
    steps: array[int] | None = None
    reported: array[float] | None = None
    report_metrics: list[tuple[int, dict[str, float]]] | None = None
    error: ErrorInfo | None = None
    failures: tuple[ErrorInfo, ...] = ()
    attrs: dict[str, Any] | None = None
    sampler_attrs: dict[str, Any] | None = None
    pruner_attrs: dict[str, Any] | None = None
    domains: dict[str, Domain] | None = None
    constraints: dict[str, float] | None = None
    fixed: dict[str, Any] | None = None
    kill_reason: str | None = None
    asked_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    rising: bool = True
    usage: dict[str, float] | None = None

    def copied(self) -> TrialRecord:
        """A record that the sweep does not change any more."""
        copied = copy.copy(self)
        # All else is replaced when it changes.
        copied.steps, copied.reported = copy.copy(self.steps), copy.copy(self.reported)
        copied.report_metrics = copy.copy(self.report_metrics)
        return copied

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, constants included; empty until the sampler answered."""
        return dict(zip(self.param_names or (), self.param_values, strict=True))

    @property
    def metrics(self) -> dict[str, float]:
        """The final metrics by name; for a PRUNED trial the last reported value."""
        return dict(zip(self.metric_names, self.metric_values, strict=True))

    @property
    def value(self) -> float | None:
        """The first metric; None when there is none."""
        return self.metric_values[0] if self.metric_values else None

    @property
    def user_attrs(self) -> dict[str, Any]:
        """What the objective stored with `set_user_attr`."""
        return dict(self.attrs or {})

    @property
    def is_feasible(self) -> bool:
        """True when no constraint is above 0; a trial without constraints is feasible."""
        return self.constraints is None or all(value <= 0 for value in self.constraints.values())

    @property
    def duration_s(self) -> float | None:
        """Seconds from the start of the last attempt to the end; None unless both are known."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None

    @property
    def is_final(self) -> bool:
        return self.state is not _WAITING and self.state is not _RUNNING

    @property
    def reports(self) -> Iterator[tuple[int, float]]:
        """(step, value) of the last attempt, in the order in which they were reported."""
        if self.steps is None or self.reported is None:
            return iter(())
        return zip(self.steps, self.reported, strict=True)

    @property
    def last_report(self) -> tuple[int, float] | None:
        """The report with the highest step; None when there is none or its value is NaN."""
        if not self.steps or not self.reported:
            return None
        step, value = max(zip(self.steps, self.reported, strict=True), key=lambda pair: pair[0])
        return None if math.isnan(value) else (step, value)
