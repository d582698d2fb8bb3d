"""What a sampler, a pruner, an executor and an exporter are.

A sampler or pruner is built with its options alone and is used from one thread of one process, which need not be the
application's: a class whose `host` attribute is "inline" answers on the application's loop and must do so in
microseconds; one with "thread" gets a thread of its own; any other runs in the sampler host, a child process. Whoever makes
the sweep may choose another place.

Beyond the methods of its contract a sampler may have these, which are called where they exist:

    attrs(trial) -> dict      after `ask`: JSON attributes, kept in the journal and given back as `sampler_attrs` of the trial
    pending(trial)            after a restart: a trial that runs; its `params` are known, and were not asked for here
    hurry(asks)               before so many asks in a row: workers are idle, so answer them from one fit if that is quicker

and a pruner these:

    verdict_steps()           the steps at which a verdict can be "stop", so that workers ask there alone; None: at no step
    attrs(trial) -> dict      after `judge`: JSON attributes that are new; given back as `pruner_attrs` of the trial. A key with a
                              colon tells of the pruner ("asha:min_resource"), others tell of the trial
    restore(trial, attrs)     after a restart: a trial that runs had these `pruner_attrs`; its reports follow
    reads_records             an attribute: True when `finish` takes the reports from the trial, and need not be given them
    only_highest              an attribute: True when of all reports that are new the one with the highest step is enough

With `Sweep(reproducible=...)` each running trial has a pruner of its own, all made alike. A sampler whose `suggest` depends on
the sweep's seed, the trial's number and the parameter's name alone says so by an attribute `by_number = True`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec

from asyncsweep.core.effects import AnswerParam, AnswerVerdict, Update
from asyncsweep.core.events import Event
from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.space import Domain, Space
from asyncsweep.worker.objective import Call

Host = Literal["inline", "thread", "process"]
Params = dict[str, Any]


class TrialRef(msgspec.Struct, frozen=True):
    """A trial that needs parameters: its number (from 0) and those that are fixed."""

    number: int
    fixed: Mapping[str, Any] = {}


class FinishedTrial(Protocol):
    """A final trial as samplers and pruners see it; `TrialRecord` is one.

    The number of a trial of an earlier search (`Sweep(history=...)`) is negative; such trials are told first.
    """

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> State: ...
    @property
    def params(self) -> dict[str, Any]: ...
    @property
    def metrics(self) -> dict[str, float]: ...
    @property
    def reports(self) -> Iterator[tuple[int, float]]: ...
    @property
    def sampler_attrs(self) -> dict[str, Any] | None: ...
    @property
    def pruner_attrs(self) -> dict[str, Any] | None: ...
    @property
    def domains(self) -> dict[str, Domain] | None: ...
    @property
    def constraints(self) -> dict[str, float] | None: ...
    @property
    def user_attrs(self) -> dict[str, Any]: ...


@runtime_checkable
class Sampler(Protocol):
    """Suggests parameters. `ask` and `tell` come in the order of the sweep; asks may be ahead of tells."""

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Get ready; called once, before anything else. A wrong option raises `ConfigError` here or in the constructor."""

    def ask(self, trial: TrialRef) -> Params:
        """Values for every active parameter of the space (see `Space.walk`).

        Raises:
            SpaceExhausted: There is nothing left to try.
        """

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from a final trial. On resume every earlier trial is told again, in order, before the first `ask`."""

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """A value for a parameter that the objective asked for while it runs."""


class VerdictSteps(msgspec.Struct, frozen=True, array_like=True):
    """The steps at which a verdict can be anything but "go on".

    With `factor` 1 they are `first`, `first + every`, ... With a greater one there is a verdict whenever the reports have
    reached one of `first`, `first * factor`, `first * factor**2`, ... since the last verdict; `every` plays no part then.
    """

    first: int = 0
    every: int = 1
    factor: int = 1

    @property
    def parts(self) -> tuple[int, int, int]:
        """The fields in order, for the worker's own form of them."""
        return self.first, self.every, self.factor


@runtime_checkable
class Pruner(Protocol):
    """Decides whether a running trial should end early. Incremental: O(log n) for a call, not O(trials)."""

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Get ready; called once, before anything else."""

    def report(self, trial: int, step: int, value: float) -> None:
        """A running trial's value at a step. Reports of a trial arrive before the `judge` or `finish` that needs them."""

    def restart(self, trial: int) -> None:
        """A retry of the trial begins: what it reported before does not count."""

    def judge(self, trial: int, step: int) -> bool:
        """True when the trial should end; `step` is the highest that it reported."""

    def finish(self, trial: FinishedTrial) -> None:
        """A trial is final. All its reports were given before. On resume every earlier trial is given again."""


class ObjectiveSpec(msgspec.Struct, frozen=True, array_like=True):
    """How a worker gets and calls the objective.

    Attributes:
        target: "package.module:name", or "" when `pickled` carries it.
        pickled: The objective by cloudpickle; b"" when `target` names it.
        names: The parameters of the space in order, constants included.
        required: Those of them that every trial has.
        metrics: The metrics' names in the order of `direction`.
    """

    target: str
    pickled: bytes
    names: tuple[str, ...]
    required: tuple[str, ...]
    metrics: tuple[str, ...]


class Setup(msgspec.Struct, frozen=True):
    """What an executor is told once.

    Attributes:
        call: The objective, for executors that run it in this process; None for those that are `remote`.
        objective: The objective, for another process.
        slots: How many trials may run at a time; 0: as many as it has slots.
        verdicts: See `VerdictSteps`; None when no pruner is set, so that `should_prune()` is False at no cost.
        directory: The sweep's directory; None when the sweep is in memory only.
        grace_s: Seconds between the polite and the forced end.
        folders: Where each trial has a folder, named by its number and made when it is first used: in the sweep's directory,
            or in a temporary one that goes with the run. An executor that shares no disk with us makes its own.
        needs: What each trial needs; nothing is launched on workers that offer less (`asyncsweep.core.resources`).
    """

    call: Call | None
    objective: ObjectiveSpec
    slots: int
    verdicts: VerdictSteps | None
    directory: Path | None
    grace_s: float
    folders: str = ""
    needs: Mapping[str, Any] = {}


class JobId(NamedTuple):
    """One attempt of one trial."""

    trial: int
    attempt: int


class Job(msgspec.Struct, frozen=True):
    """An attempt to start, on a worker that the executor announced with `WorkerJoined`.

    One for a worker that is gone meanwhile is dropped: its loss is known. One for a worker that is busy, which comes only where
    `WorkerJoined.ahead` offers it, begins when the worker has a slot for it, and `Started` tells.
    """

    trial: int
    attempt: int
    worker: str
    params: Params


Answer = AnswerVerdict | AnswerParam


class Inbox(Protocol):
    """Where executors put what happened."""

    def post(self, *events: Event) -> None:
        """Put events in order and have them handled before this returns. Call it on the event loop's thread alone."""


@runtime_checkable
class Executor(Protocol):
    """Runs attempts. See `asyncsweep.core.effects` for the events that each call ends in.

    `launch`, `kill` and `answer` are called on the loop's thread and return at once; whatever takes time is done by the
    tasks that `open` started. They do not raise: a failure is an event.

    After `WorkerLost` or `TakenBack` nothing more may be posted of the attempts that had not begun, and they are to be forgotten
    before either is posted: the next launch has the same number.

    Beyond these methods it may have:

        take_back(job)         needed where it offers places ahead: posts `TakenBack` when the job has not begun and never will; does
                               nothing when it has, for its `Started` tells. It may also post `TakenBack` unasked
        resize(slots)          offer another number of slots from now on: `WorkerJoined`, `SlotsChanged`, `WorkerLost`
        resources              an attribute: what each slot of any of its workers offers, where that is known before it is opened
        own_slots              an attribute: True when it knows by itself how many slots it has. Then `Sweep(concurrency=...)` may be
                               left out, and `Setup.slots` is 0

    Where it has a method `output(job: JobId, offset: int, limit_bytes: int) -> Output | None`, that gives what a running attempt
    printed (`asyncsweep.executors.worker.Output`); see `ProcessExecutor.output`.

    Attributes:
        remote: True when the objective runs in another process and so has to be importable or picklable.
        runs: "async" when it takes only `async def` objectives, "sync" when only plain ones, "both" otherwise.
    """

    remote: bool
    runs: Literal["async", "sync", "both"]

    def open(self, setup: Setup, inbox: Inbox) -> AbstractAsyncContextManager[None]:
        """While the context is entered, trials run; on leaving it, everything still running is ended and cleaned up."""

    def launch(self, job: Job) -> None: ...
    def kill(self, job: JobId, grace_s: float) -> None: ...
    def answer(self, job: JobId, answer: Answer) -> None: ...


class SweepInfo(NamedTuple):
    """What an exporter is told of the sweep that it exports.

    Attributes:
        name: The name of the sweep's directory; "sweep" for one in memory.
        directory: Where the sweep lives; None for one in memory.
        space: The parameters and their domains; empty when the objective asks for them while it runs.
        directions: The metrics that are optimised, in order.
        objective: The name of what is evaluated.
        trials: Called on the event loop, it gives every trial so far by its number, those of earlier processes too. The
            records of final trials do not change any more; read the others at once, and change nothing.
    """

    name: str
    directory: Path | None
    space: Space
    directions: Mapping[str, Direction]
    objective: str
    trials: Callable[[], Sequence[TrialRecord]]


@runtime_checkable
class Exporter(Protocol):
    """Receives the updates of a sweep in batches, in its own task; it is an async context manager.

    Where it has a method `begin(info: SweepInfo) -> None`, that is called before it is entered.
    """

    async def __aenter__(self) -> Exporter: ...
    async def __aexit__(self, *exc: object) -> None: ...
    async def export(self, updates: Sequence[Update]) -> None: ...
