"""Watches one machine, event by event.

`effect_laws` and `laws` have the invariants. Two need a memory and are kept here: a final record never changes again, and
the state before a stale message equals the state after it. What a watch does for an event grows with what is open, not with
what is final; `state_of` compares whole machines, as after a replay.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import astuple

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.ahead import Ahead
from asyncsweep.core.effects import Effect, Publish, SweepStopping, updates_of
from asyncsweep.core.invariants.effect_laws import BUDGET, ONCE, WINDOW, of_effect
from asyncsweep.core.invariants.laws import LAWS
from asyncsweep.core.invariants.ledger import Ledger
from asyncsweep.core.invariants.onlooker import Onlooker
from asyncsweep.core.invariants.scene import Scene, key_of
from asyncsweep.core.launching import Launching
from asyncsweep.core.machine import SWEEP_TIMER, Machine, Phase
from asyncsweep.core.order import Order
from asyncsweep.core.policy import StopRules
from asyncsweep.core.questions import Questions
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.core.slots import Slots

FINAL = "final states are final"
INVARIANTS = (*LAWS, FINAL, BUDGET, WINDOW)

# So many final records are compared with what they were, after each event: all of them come round in turn.
_RECHECKED = 16
# What stops a sweep besides its stop rules.
_OTHER_STOPS = ev.StopRequested | ev.TimerFired | ev.ExecutorFailed | ev.AskFailed
# What handling any event changes, and what no event does.
_NOT_STATE = {
    *("seq", "at", "stale", "_moves", "_settle", "out", "_names", "_domains", "_steps", "spec", "trials", "history"),
    # Parts, each looked at for itself.
    *("life", "_life", "course", "_course", "answers", "rules", "slots", "questions", "order", "ahead", "launching"),
}
# Compared as they are. What else there is has no equality of its own, or one of which NaN, -0.0 and True are no part: its text.
_PLAIN = (int, type(None))
_STATES = {state: repr(state) for state in State}


class InvariantBroken(AssertionError):
    """The machine broke its own rules: a fault of asyncsweep.

    Attributes:
        broken: (invariant, what was found) for each complaint.
        event: The event after which it was found.
    """

    def __init__(self, broken: Sequence[tuple[str, str]], event: ev.Event, story: Sequence[str]) -> None:
        lines = [f"invariant broken: {name}: {found}" for name, found in broken]
        super().__init__("\n  ".join([*lines, f"after {event}", *story]))
        self.broken = tuple(broken)
        self.event = event


def state_of(machine: Machine) -> tuple[object, ...]:
    """Everything that a machine knows, as a value: equal for machines that saw equal events."""
    past = map(_whole, machine.history)
    return (machine.seq, machine.at, machine.stale, *past, *_open_state(machine, machine.trials))


def _open_state(machine: Machine, trials: Sequence[TrialRecord]) -> tuple[object, ...]:
    life = machine.life
    known = [_items(vars(part)) for part in (machine, machine.course, machine.answers, life)]
    course = machine.course
    known += [_slots(part) for part in (life.slots, life.questions, life.order, course.ahead, course.launching)]
    spec = None
    if machine.phase is not Phase.NEW:
        spec = machine.spec
        known.append(_slots(machine.rules))
    return (spec, len(machine.trials), *known, *map(_whole, trials))


def _items(fields: dict[str, Any]) -> tuple[object, ...]:
    return tuple(
        [value if type(value) in _PLAIN else repr(value) for name, value in fields.items() if name not in _NOT_STATE]
    )


def _slots(part: Slots | Questions | StopRules | Order | Ahead | Launching) -> tuple[object, ...]:
    values = [getattr(part, name) for name in part.__slots__ if name not in _NOT_STATE]
    return tuple([value if type(value) in _PLAIN else repr(value) for value in values])


def _whole(trial: TrialRecord) -> tuple[object, ...]:
    """A record by value: later changes do not reach it, and NaN equals NaN."""
    return tuple([_value(field) for field in astuple(trial)])


def _value(field: Any) -> object:
    kind = type(field)
    if kind is int or kind is str or field is None:
        return field
    if kind is State:
        return _STATES[field]
    return field.tobytes() if isinstance(field, array) else repr(field)


class Watch:
    """The invariants of one machine.

    Attributes:
        machine: The machine that is watched.
        ledger: What the outside owes and holds.
        onlooker: What the updates told.
    """

    def __init__(self, machine: Machine) -> None:
        if machine.phase is not Phase.NEW:
            raise ValueError("a watch begins before its machine's first event")
        self.machine = machine
        self.ledger = Ledger()
        self.onlooker = Onlooker()
        self._open: dict[int, None] = {}
        self._final: dict[int, tuple[State, tuple[object, ...]]] = {}
        self._n_in_order = 0
        self._is_blind = False
        self._deaths: dict[str, int] = {}
        self._n_final: dict[State, int] = {}
        self._next_recheck = 0
        self._n_trials = 0
        self._before = _open_state(machine, ())
        self._best: int | None = None
        self._cancelled: dict[int, None] = {}
        self._stop_now = False
        self._n_judged: int | None = None
        self._worked_s = 0.0
        self._at: float | None = None

    def see(self, event: ev.Event, effects: list[Effect]) -> None:
        """Check what the machine did with an event; call it after each `handle`, also for a replayed event.

        A watch has to have seen everything, so from a snapshot on it checks nothing.

        Raises:
            InvariantBroken: One or several invariants do not hold.
        """
        if isinstance(event, ev.Kept | ev.Snapshot):
            self._is_blind = True
        broken = [] if self._is_blind else list(self._complaints(event, effects))
        if broken:
            raise InvariantBroken(broken, event, self.machine.story(event))

    def _complaints(self, event: ev.Event, effects: list[Effect]) -> Iterator[tuple[str, str]]:
        ledger = self.ledger
        if not ledger.finished and not ledger.is_due(event):
            yield ONCE, "the answer was not asked for, and the machine took it"
            return
        scene = self._scene(event, effects)
        self._prepare(event, scene)
        for effect in effects:
            yield from of_effect(scene, effect)
            ledger.did(effect)
            for update in updates_of(effect):
                self.onlooker.read(update)
                # A stop that is not the user's own ends what runs.
                if isinstance(update, SweepStopping) and not isinstance(event, ev.StopRequested):
                    self._stop_now = True
        yield from self._sort_records(scene)
        yield from self._look_beyond_the_stop(scene)
        scene.stop_now = self._stop_now
        after = _open_state(self.machine, scene.open)
        scene.unchanged = after == self._before and not scene.ended
        self._before = after
        for name, law in LAWS.items():
            for complaint in law(scene):
                yield name, complaint
        yield from self._recheck(scene)

    def _scene(self, event: ev.Event, effects: list[Effect]) -> Scene:
        ledger = self.ledger
        over = ledger.finished and not isinstance(event, ev.Reopened)
        about = (getattr(event, "trial", None), getattr(event, "attempt", None))
        return Scene(
            machine=self.machine,
            ledger=ledger,
            onlooker=self.onlooker,
            spec=self.machine.spec,
            event=event,
            effects=effects,
            stale=ledger.is_stale(event),
            over=over,
            was_stopping=ledger.stopping,
            was_running=not over and about in ledger.running.items(),
            was_timed=not over and about in ledger.timers,
            cancelled=self._cancelled,
            worked_s=self._worked_s,
            deaths=self._deaths,
            n_final=self._n_final,
        )

    def _prepare(self, event: ev.Event, scene: Scene) -> None:
        """Read the event, before its effects are."""
        if not scene.over and not isinstance(event, ev.SweepOpened | ev.Reopened) and self._at is not None:
            self._worked_s += event.at - self._at
        self._at = event.at
        if isinstance(event, ev.Reopened):
            self._stop_now = False
            self._n_judged = None
            self.onlooker.reopened()
        elif scene.over:
            pass
        elif isinstance(event, ev.StopRequested):
            self._stop_now = self._stop_now or event.now
        elif isinstance(event, ev.ExecutorFailed):
            self._stop_now = True
        elif isinstance(event, ev.TimerFired):
            self._stop_now = self._stop_now or (event.trial == SWEEP_TIMER and scene.was_timed)
        elif isinstance(event, ev.TrialCancelled):
            self._cancelled[event.trial] = None
        elif isinstance(event, ev.WorkerLost) and event.kind not in policy.BLAMELESS:
            self._count_deaths(event.worker)
        self.ledger.took(event)

    def _count_deaths(self, worker: str) -> None:
        """A worker is lost: what ran on it, and was not to be ended, may be why."""
        ledger = self.ledger
        for number, attempt in (held for held, holder in ledger.held.items() if holder == worker):
            seen = self.onlooker.trials.get(number)  # the machine may have dropped the trial by now
            if (number, attempt) not in ledger.kills and seen is not None:
                key = key_of(self.machine.spec, number, seen.params)
                self._deaths[key] = self._deaths.get(key, 0) + 1

    def _sort_records(self, scene: Scene) -> Iterator[tuple[str, str]]:
        """Find which trials are open, which became final and which were withdrawn."""
        trials = self.machine.trials
        for number in range(len(trials), self._n_trials):
            if number in self.ledger.dropped:
                self.ledger.dropped.pop(number)
                self._forget_final(number)
            elif number not in self.ledger.withdrawn or number in self._final:
                yield FINAL, f"trial {number} vanished"
            self.ledger.asked = min(self.ledger.asked, number)
            self._open.pop(number, None)
            self._cancelled.pop(number, None)
        for number in range(self._n_trials, len(trials)):
            self._open[number] = None
        self._n_trials = len(trials)
        for number in list(self._open):
            trial = trials[number]
            if trial.is_final:
                del self._open[number]
                self._note_final(trial)
                scene.ended.append(trial)
            else:
                scene.open.append(trial)
        if self.ledger.window and (self.ledger.finished or not self.ledger.stopping):
            self._note_in_order()
        scene.best = self._best

    def _note_final(self, trial: TrialRecord) -> None:
        self._final[trial.number] = trial.state, _whole(trial)
        self._n_final[trial.state] = self._n_final.get(trial.state, 0) + 1
        if not self.ledger.window:
            self._note_best(trial)

    def _note_in_order(self) -> None:
        """With a window trials count in the order of their numbers, and those beyond a stop do not."""
        trials = self.machine.trials
        while self._n_in_order < len(trials) and trials[self._n_in_order].is_final:
            self._note_best(trials[self._n_in_order])
            self._n_in_order += 1

    def _look_beyond_the_stop(self, scene: Scene) -> Iterator[tuple[str, str]]:
        """With a window nothing stays that had not ended, in the order of the numbers, when a stop rule spoke."""
        stops = [effect for effect in scene.did(Publish) if isinstance(effect.update, SweepStopping)]
        if stops and self.ledger.window and not isinstance(scene.event, _OTHER_STOPS):
            cancelled = (trial.number for trial in scene.ended if trial.state is State.CANCELLED)
            unasked = (number for number in cancelled if number not in (self._cancelled | self.ledger.withdrawn))
            self._n_judged = min((*(trial.number for trial in scene.open), *unasked), default=None)
        if self.ledger.finished and self._n_judged is not None and self._n_trials > self._n_judged:
            yield WINDOW, f"{self._n_trials} trials are left, and {self._n_judged} were judged when the sweep stopped"

    def _forget_final(self, number: int) -> None:
        """A trial was dropped, which may have become final in the same event."""
        if number in self._final:
            state, _ = self._final.pop(number)
            self._n_final[state] -= 1

    def _note_best(self, trial: TrialRecord) -> None:
        directions = list(self.machine.spec.directions.values())
        if trial.state is not State.COMPLETE or not trial.is_feasible or len(directions) != 1:
            return
        best = None if self._best is None else self.machine.trials[self._best].value
        sign = -1.0 if directions[0] == "maximize" else 1.0
        if best is None or (trial.value is not None and sign * trial.value < sign * best):
            self._best = trial.number

    def _recheck(self, scene: Scene) -> Iterator[tuple[str, str]]:
        """Compare final records with what they were: the one that the event speaks of, and some in turn."""
        n_final = len(self._final)
        if not n_final:
            return
        numbers = list(self._final) if scene.ledger.finished and not scene.over else self._in_turn()
        about = getattr(scene.event, "trial", -1)
        for number in (*numbers, *([about] if about in self._final else [])):
            if number < self._n_trials and _whole(self.machine.trials[number]) != self._final[number][1]:
                yield FINAL, f"trial {number} changed to {self.machine.trials[number]}"

    def _in_turn(self) -> list[int]:
        known = range(self._n_trials)
        start = self._next_recheck if self._next_recheck < self._n_trials else 0
        self._next_recheck = start + _RECHECKED
        return [number for number in known[start : start + _RECHECKED] if number in self._final]
