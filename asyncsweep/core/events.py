"""What happened: the machine's input, and the journal's content.

Events are named in the past tense. `seq` and `at` are stamped by the driver when it takes the event from its inbox:
`seq` counts from 1 without gaps, `at` is seconds since the epoch and never goes back. An event is not changed after that.

The tags and the order of the fields are the journal's format: a released event never changes; a new shape is a new class
with a new tag.

Events from workers (`WORKER_EVENTS`) can say anything about any attempt: a stale one is ignored and counted. The others
come from our own driver, and one that cannot happen is an `InvalidTransition`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from asyncsweep.core.kept import KeptState, KeptTrials
from asyncsweep.core.records import ErrorInfo, PastTrial, SweepSpec
from asyncsweep.space import Domain

# Reports in one event: to take one in is a millisecond's work at most.
MOST_IN_SERIES = 1_000
Step = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Event(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """The root of all events. In the encoded array `seq` and `at` are the last two items."""

    seq: int = 0
    at: float = 0.0


class SweepOpened(Event, tag=1, kw_only=False):
    """The first event of every sweep."""

    spec: SweepSpec


class Reopened(Event, tag=2, kw_only=False):
    """A new process goes on with the sweep; `spec` holds the settings from here on."""

    spec: SweepSpec


class WorkerCame(Event, tag=3, kw_only=False):
    """What `WorkerJoined` was before workers told more than their slots: in journals alone."""

    worker: str
    slots: int = 1


class WorkerLost(Event, tag=4, kw_only=False):
    """A worker is gone, with everything that ran on it; `reason` names the exit code, signal or cause.

    `kind` is the class of the error that its trials end in: `WorkerLost`, or one that is derived from it.
    """

    worker: str
    reason: str = ""
    kind: str = "WorkerLost"


class Enqueued(Event, tag=5, kw_only=False):
    """The user wants these parameters (all or some of the space) tried next."""

    params: dict[str, Any]


class ExternalAsked(Event, tag=6, kw_only=False):
    """The user took a trial with `run.ask()`: it counts towards the budget and holds no slot."""


class Suggested(Event, tag=7, kw_only=False):
    """The sampler answered `Ask`. `params` holds every active parameter and constant, in the space's order."""

    trial: int
    params: dict[str, Any]
    attrs: dict[str, Any] | None = None


class SpaceExhausted(Event, tag=8, kw_only=False):
    """The sampler answered `Ask`: there is nothing left to try."""

    trial: int


class AskFailed(Event, tag=9, kw_only=False):
    """The sampler answered `Ask` with an exception."""

    trial: int
    error: ErrorInfo


class TellFailed(Event, tag=10, kw_only=False):
    """The sampler or pruner raised when it was told of a final trial."""

    trial: int
    error: ErrorInfo


class LaunchFailed(Event, tag=11, kw_only=False):
    """An executor could not start the attempt; its slot is free again."""

    trial: int
    attempt: int
    error: ErrorInfo


class Started(Event, tag=12, kw_only=False):
    """The attempt was handed to a ready worker."""

    trial: int
    attempt: int


class ParamAsked(Event, tag=13, kw_only=False):
    """The objective called `suggest_*` for a name that has no value yet."""

    trial: int
    attempt: int
    name: str
    domain: Domain


class ParamSuggested(Event, tag=14, kw_only=False):
    """The sampler answered `Suggest`."""

    trial: int
    attempt: int
    name: str
    value: Any


class SuggestFailed(Event, tag=15, kw_only=False):
    """The sampler answered `Suggest` with an exception."""

    trial: int
    attempt: int
    name: str
    error: ErrorInfo


class Reported(Event, tag=16, kw_only=False):
    """The objective reported `value` (the first metric) at `step`; `metrics` holds further ones."""

    trial: int
    attempt: int
    step: Step
    value: float
    metrics: dict[str, float] | None = None


class VerdictAsked(Event, tag=17, kw_only=False):
    """The objective waits for the pruner's verdict on what it reported up to `step`."""

    trial: int
    attempt: int
    step: Step


class Judged(Event, tag=18, kw_only=False):
    """The pruner answered `Judge`. `attrs` are its own JSON attributes of the attempt, as far as they are new."""

    trial: int
    attempt: int
    step: Step
    prune: bool
    attrs: dict[str, Any] | None = None


class JudgeFailed(Event, tag=19, kw_only=False):
    """The pruner answered `Judge` with an exception: the trial goes on unpruned."""

    trial: int
    attempt: int
    step: Step
    error: ErrorInfo


class AttrSet(Event, tag=20, kw_only=False):
    """The objective called `set_user_attr`."""

    trial: int
    attempt: int
    key: str
    value: Any


class Finished(Event, tag=21, kw_only=False):
    """The objective returned. Missing or NaN metrics make it a failure."""

    trial: int
    attempt: int
    metrics: dict[str, float]


class Pruned(Event, tag=22, kw_only=False):
    """The objective raised `TrialPruned`."""

    trial: int
    attempt: int


class Failed(Event, tag=23, kw_only=False):
    """The objective raised, or broke a rule."""

    trial: int
    attempt: int
    error: ErrorInfo


class Killed(Event, tag=24, kw_only=False):
    """An executor carried out `Kill`: nothing of the attempt runs any more and its slot is free."""

    trial: int
    attempt: int


class TimerFired(Event, tag=25, kw_only=False):
    """A timer set by `SetTimer` ran out. `trial` is -1 for the sweep's own timeout."""

    trial: int
    attempt: int = 0


class Paused(Event, tag=26, kw_only=False):
    """The user paused: running trials go on, no new one starts."""


class Unpaused(Event, tag=27, kw_only=False):
    """The user lets the sweep go on."""


class TrialCancelled(Event, tag=28, kw_only=False):
    """The user cancelled one trial."""

    trial: int


class StopRequested(Event, tag=29, kw_only=False):
    """The user stops the sweep; `now` also ends the running trials."""

    reason: str = ""
    now: bool = False


class ExecutorFailed(Event, tag=30, kw_only=False):
    """No worker can be started any more: the sweep ends with this error."""

    error: ErrorInfo


class ConstraintSet(Event, tag=31, kw_only=False):
    """The objective called `set_constraint`; the first value of a name stands."""

    trial: int
    attempt: int
    name: str
    value: float


class SeriesReported(Event, tag=40, kw_only=False):
    """The objective reported these values of the first metric, each as (step, value), one right after the other."""

    trial: int
    attempt: int
    reports: Annotated[list[tuple[Step, float]], msgspec.Meta(min_length=1, max_length=MOST_IN_SERIES)]


class SeriesUpForVerdict(VerdictAsked, tag=41, kw_only=False):
    """The objective reported these values, as in a `SeriesReported`, and waits for the verdict on what it reported up to `step`."""

    reports: Annotated[list[tuple[Step, float]], msgspec.Meta(min_length=1, max_length=MOST_IN_SERIES)]


class Adopted(Event, tag=32, kw_only=False):
    """A trial of an earlier search is taken in, before the first trial of this one: the sampler and the pruner learn of it."""

    past: PastTrial


class Kept(Event, tag=33, kw_only=False):
    """Trials as they were at event number `seq`: a part of a snapshot, which stands at the beginning of a journal."""

    trials: KeptTrials


class Snapshot(Event, tag=34, kw_only=False):
    """Everything else as it was at event number `seq`: what was before it is not in the journal any more."""

    state: KeptState

    @property
    def spec(self) -> SweepSpec:
        """The settings that held then."""
        return self.state.spec


class WorkerJoined(WorkerCame, tag=35, kw_only=False):
    """A worker is ready to take `slots` trials at a time. Its name was never used before in this process's part.

    Attributes:
        worker: Its name.
        slots: So many attempts run there at a time.
        ahead: So many more may be given to it while all slots are taken: they wait there, and begin by themselves, in their order.
        resources: What each of its slots offers; see `asyncsweep.core.resources`.
    """

    ahead: int = 0
    resources: dict[str, Any] = {}


class SlotsChanged(Event, tag=37, kw_only=False):
    """A worker offers another number of slots from now on. Beyond them nothing is ended, and nothing is launched before there is room.

    With none it is about to leave: what waits ahead there is taken back.
    """

    worker: str
    slots: int


class Used(Event, tag=38, kw_only=False):
    """The executor measured what a running attempt uses: numbers by name, such as `gpu_memory_gib`. Of each the newest counts."""

    trial: int
    attempt: int
    usage: dict[str, float]


class TakenBack(Event, tag=36, kw_only=False):
    """An attempt that was launched has not begun, and never will: its executor gave it back, for `TakeBack` or unasked."""

    trial: int
    attempt: int


WorkerEvent = (
    Started
    | ParamAsked
    | Reported
    | SeriesReported
    | VerdictAsked
    | SeriesUpForVerdict
    | AttrSet
    | ConstraintSet
    | Used
    | Finished
    | Pruned
    | Failed
)
WORKER_EVENTS: tuple[type[Event], ...] = (
    Started,
    ParamAsked,
    Reported,
    SeriesReported,
    VerdictAsked,
    SeriesUpForVerdict,
    AttrSet,
    ConstraintSet,
    Used,
    Finished,
    Pruned,
    Failed,
)
EVENTS: tuple[type[Event], ...] = (
    SweepOpened,
    Reopened,
    WorkerCame,
    WorkerLost,
    Enqueued,
    ExternalAsked,
    Suggested,
    SpaceExhausted,
    AskFailed,
    TellFailed,
    LaunchFailed,
    Started,
    ParamAsked,
    ParamSuggested,
    SuggestFailed,
    Reported,
    VerdictAsked,
    Judged,
    JudgeFailed,
    AttrSet,
    Finished,
    Pruned,
    Failed,
    Killed,
    TimerFired,
    Paused,
    Unpaused,
    TrialCancelled,
    StopRequested,
    ExecutorFailed,
    ConstraintSet,
    SeriesReported,
    Adopted,
    Kept,
    Snapshot,
    WorkerJoined,
    TakenBack,
    SlotsChanged,
    Used,
    SeriesUpForVerdict,
)
