"""One event with everything that an invariant may compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Effect
from asyncsweep.core.invariants.ledger import Ledger
from asyncsweep.core.invariants.onlooker import Onlooker
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import ErrorInfo, State, SweepSpec, TrialRecord
from asyncsweep.space.choices import Constant


def key_of(spec: SweepSpec, number: int, params: Mapping[str, Any]) -> str:
    """What trials with equal parameters have in common; parameters that cannot be different leave each trial to itself."""
    fixed = [name for name, domain in spec.space.items() if isinstance(domain, Constant)]
    return repr([params[name] for name in params if name not in fixed] or number)


@dataclass
class Scene:
    """One event and everything that a law may compare.

    Attributes:
        stale: The event is a worker's message that came too late.
        over: The sweep was finished before the event.
        was_stopping: Nothing new was to start before the event.
        was_running: The attempt that the event speaks of ran before it.
        was_timed: A timer ran for it.
        stop_now: Running trials are to end, too.
        cancelled: Trials that the user cancelled.
        worked_s: How long this and former processes worked on the sweep before the event.
        open: The records that are not final.
        ended: The records that this event made final.
        deaths: How many workers died under trials with the same parameters (see `key_of`).
        n_final: How many of all final trials are in each state.
        best: The number of the best COMPLETE trial by the invariants' own reckoning.
        unchanged: The state is what it was before the event, `seq`, `at` and `stale` left aside.
    """

    machine: Machine
    ledger: Ledger
    onlooker: Onlooker
    spec: SweepSpec
    event: ev.Event
    effects: list[Effect]
    stale: bool = False
    over: bool = False
    was_stopping: bool = False
    was_running: bool = False
    was_timed: bool = False
    stop_now: bool = False
    cancelled: Mapping[int, None] = field(default_factory=dict)
    worked_s: float = 0.0
    deaths: Mapping[str, int] = field(default_factory=dict)
    open: list[TrialRecord] = field(default_factory=list)
    ended: list[TrialRecord] = field(default_factory=list)
    n_final: Mapping[State, int] = field(default_factory=dict)
    best: int | None = None
    unchanged: bool = False

    def did(self, kind: type[Effect]) -> list[Any]:
        """The effects of a kind."""
        return [effect for effect in self.effects if type(effect) is kind]

    def record(self, number: int) -> TrialRecord | None:
        """A trial's record; None where there is none."""
        return self.machine.trials[number] if 0 <= number < len(self.machine.trials) else None

    @property
    def budget_left(self) -> bool:
        """Whether a new trial may still be created."""
        n_trials = self.spec.n_trials
        left = n_trials is None or len(self.machine.trials) < n_trials
        return left and not self.ledger.exhausted and not self.ledger.stopping

    @property
    def may_begin(self) -> bool:
        """Whether the next trial's ask could know what it has to."""
        window = self.ledger.window
        return not window or all(trial.number > len(self.machine.trials) - window for trial in self.open)

    @property
    def waiting(self) -> list[int]:
        """Trials that have all they need but a slot."""
        return [
            trial.number
            for trial in self.open
            if trial.state is State.WAITING
            and trial.param_names is not None
            and trial.worker is None
            and trial.number not in self.ledger.resting
        ]

    def is_retryable(self, error: ErrorInfo, n_failures: int) -> bool:
        """Whether the settings have a trial tried again after this error."""
        rules = self.spec.retries
        return n_failures < rules.times and (not rules.on or not {error.type, *error.bases}.isdisjoint(rules.on))

    def is_deadly(self, trial: TrialRecord) -> bool:
        """Whether so many workers died under these parameters that they are not to be tried again."""
        limit = self.spec.retries.quarantine
        return limit is not None and self.deaths.get(key_of(self.spec, trial.number, trial.params), 0) >= limit

    @property
    def n_asked(self) -> int:
        """How many trials that will need a slot wait for parameters."""
        asks, external = self.ledger.asks, self.ledger.external
        return sum(1 for trial in self.open if trial.number in asks and trial.number not in external)
