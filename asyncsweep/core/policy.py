"""The rules that are no bookkeeping: what counts as a result, as better, and as enough."""

from __future__ import annotations

from asyncsweep.core.events import WorkerLost
from asyncsweep.core.records import Direction, ErrorInfo, State, SweepSpec, TrialRecord
from asyncsweep.space.choices import Constant

# After this many asks in a row that raised, the sampler counts as broken and the sweep ends.
MAX_ASK_FAILURES = 3

# After this many suggestions in a row that may not be tried again, there is no use in asking for more.
MAX_QUARANTINED = 100

KILL_TIMEOUT = "trial_timeout"
KILL_CANCEL = "cancelled"
KILL_STOP = "stop"
# How an attempt ended that ran when the sweep's former process did; it does not count as a retry.
INTERRUPTED = ErrorInfo("Interrupted", "the process that ran this attempt has ended")
# Losses of a worker that say nothing about the trial that ran there: it is tried again, and neither retries nor deaths are counted.
BLAMELESS = frozenset(("DeviceLost",))
# A resumed sweep goes on with what was stopped or too slow, never with what the user cancelled.
_RANK = {None: 0, KILL_TIMEOUT: 1, KILL_STOP: 2, KILL_CANCEL: 3}
# Reading a member off its class costs as much as a call.
_COMPLETE, _CANCELLED = State.COMPLETE, State.CANCELLED


def lost(event: WorkerLost) -> ErrorInfo:
    """The error of an attempt whose worker is gone."""
    bases = () if event.kind == WorkerLost.__name__ else (WorkerLost.__name__,)
    return ErrorInfo(event.kind, event.reason, bases=bases)


def outranks(reason: str, than: str | None) -> bool:
    """True when `reason` counts more than an earlier reason to end an attempt."""
    return _RANK[reason] > _RANK[than]


def key_of(trial: TrialRecord, spec: SweepSpec) -> bytes:
    """What trials with equal parameters have in common. A trial whose parameters all have to be what they are is like no other."""
    chosen = {name: value for name, value in trial.params.items() if not isinstance(spec.space.get(name), Constant)}
    return repr(chosen or trial.number).encode()


def quarantined(n_deaths: int) -> ErrorInfo:
    """The error of a trial whose parameters are not tried again."""
    return ErrorInfo(
        "Quarantined",
        f"these parameters ended {n_deaths} workers, and are not tried again; Retry(quarantine=None) would try them",
    )


def last_straw(error: ErrorInfo, n_deaths: int) -> ErrorInfo:
    """The error of the trial that ended the last worker which its parameters may end."""
    message = f"{error.message} (these parameters ended {n_deaths} workers, and are not tried again)"
    return ErrorInfo(error.type, message, error.traceback, error.bases)


def is_better(direction: Direction, value: float, than: float) -> bool:
    """True when `value` is strictly better."""
    return value < than if direction == "minimize" else value > than


def fault_of(spec: SweepSpec, metrics: dict[str, float]) -> ErrorInfo | None:
    """Why the returned metrics are no result: one that has a direction is missing or NaN."""
    for name in spec.directions:
        value = metrics.get(name)
        if value is None:
            got = ", ".join(map(repr, metrics)) or "none"
            return ErrorInfo("TrialError", f"the objective did not return the metric {name!r} (returned: {got})")
        if value != value:
            return ErrorInfo("TrialError", f"the objective returned NaN for the metric {name!r}")
    return None


def in_order(spec: SweepSpec, metrics: dict[str, float]) -> dict[str, float]:
    """The metrics with those that have a direction first, in the order of the directions."""
    directions = spec.directions
    if len(metrics) == 1:
        return metrics
    return {**{name: metrics[name] for name in directions}, **metrics}


def metrics_of_pruned(spec: SweepSpec, trial: TrialRecord) -> dict[str, float] | None:
    """As in Optuna the value of a PRUNED trial is its report of the highest step; with several directions it has none."""
    last = trial.last_report
    if last is None or len(spec.directions) != 1:
        return None
    return dict.fromkeys(spec.directions, last[1])


class StopRules:
    """Watches the final trials for `target`, `patience` and `max_failures`.

    `target` and `patience` speak of sweeps with one direction; CANCELLED and FAILED trials say nothing about patience.

    Attributes:
        spec: The settings.
        best: The best feasible COMPLETE trial's number; None before the first. With several directions always None.
        has_news: True when the rules may say something else than when it was last set to False.
    """

    __slots__ = ("_best_value", "_direction", "_is_on", "_n_failed", "_since_best", "best", "has_news", "spec")

    def __init__(self, spec: SweepSpec) -> None:
        directions = list(spec.directions.values())
        self._direction: Direction | None = directions[0] if len(directions) == 1 else None
        self._best_value = 0.0
        self._n_failed = 0
        self._since_best = 0
        self.best: int | None = None
        self.follow(spec)

    def follow(self, spec: SweepSpec) -> None:
        """From here on these settings count; what was seen still does."""
        self.spec = spec
        self._is_on = spec.target is not None or spec.patience is not None or spec.max_failures is not None
        self.has_news = self._is_on

    def kept(self) -> tuple[int | None, float, int, int, bool]:
        """For a snapshot: what was seen."""
        return self.best, self._best_value, self._n_failed, self._since_best, self.has_news

    def restore(self, kept: tuple[int | None, float, int, int, bool]) -> None:
        """Become what `kept` told."""
        self.best, self._best_value, self._n_failed, self._since_best, self.has_news = kept

    def see(self, trial: TrialRecord) -> None:
        """Take note of a trial that has just become final."""
        state = trial.state
        if state is _CANCELLED:
            return
        self.has_news = self._is_on
        if state is _COMPLETE:
            if trial.constraints is not None and not trial.is_feasible:
                self._since_best += 1
            elif self._direction is not None:
                self._compare(trial.number, trial.metric_values[0], self._direction)
        elif state is State.FAILED:
            self._n_failed += 1
        else:
            self._since_best += 1

    def _compare(self, number: int, value: float, direction: Direction) -> None:
        if self.best is None or is_better(direction, value, self._best_value):
            self.best, self._best_value, self._since_best = number, value, 0
        else:
            self._since_best += 1

    def reason_to_stop(self) -> str | None:
        """Which of `target` and `patience` says that it is enough; None when neither does."""
        spec = self.spec
        if spec.target is not None and self.best is not None and self._direction is not None:
            if not is_better(self._direction, spec.target, self._best_value):
                return f"target {spec.target} reached"
        if spec.patience is not None and self._since_best >= spec.patience:
            return f"no better value in {self._since_best} trials"
        return None

    def too_many_failures(self) -> ErrorInfo | None:
        """The error of the sweep when more trials failed than `max_failures` allows."""
        limit = self.spec.max_failures
        if limit is None or self._n_failed <= limit:
            return None
        return ErrorInfo("TooManyFailures", f"{self._n_failed} trials failed, max_failures={limit}")
