"""A world around a machine: workers that join and die, a sampler, a pruner, executors and a user, none of them reliable.

Each action takes two small numbers, `pick` (which one) and `roll` (how), so that Hypothesis and a seeded random generator
drive the same world. What may be answered is read from the ledger; what is sent is legal, but for `garble` and `wrong`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Effect
from asyncsweep.core.invariants import state_of
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import ErrorInfo, PastTrial, Retry, State, SweepSpec
from asyncsweep.errors import InvalidTransition
from asyncsweep.space import Float, Int
from asyncsweep.testing.events import Bench, spec

ERROR = ErrorInfo("RuntimeError", "it broke")
VALUES = (0.0, 1.0, -1.0, 0.5, 2.0, -0.0, 3.5, math.inf, -math.inf, math.nan)
RETRIES = (
    *(0, 1, 2),
    *(Retry(4), Retry(2, ("WorkerLost",)), Retry(3, (RuntimeError,), (1.0, 3.0)), Retry(1, interrupted="fail")),
    *(Retry(9, quarantine=None), Retry(4, quarantine=1), Retry(9, quarantine=2)),
)
STEPS = (0, 1, 2, 3, 7, 2**62)


def chosen(items: Sequence[Any], pick: int) -> Any:
    return items[pick % len(items)]


def some_spec(pick: int, roll: int) -> SweepSpec:
    """Settings, from plain ones to every limit at once."""
    changes: dict[str, Any] = {
        "n_trials": chosen((5, 12, 3, 8, None, 1), pick),
        "retries": chosen(RETRIES, roll),
        "trial_timeout": chosen((None, 10.0), roll // 3),
        "timeout": chosen((None, None, 500.0), roll // 6),
        "max_failures": chosen((None, None, 2, 0), roll // 10),
        "target": chosen((None, None, None, 0.0), roll // 20),
        "patience": chosen((None, None, 3), pick // 5),
        "concurrency": chosen((1, 2, 3, 2, 0), pick // 2),
        "needs": chosen(({}, {}, {}, {"gpus": 1.0}), roll // 4),
        "reproducible": chosen((0, 0, 0, 3, 1), pick // 3),
    }
    if roll % 5 == 1:
        changes["directions"] = {"value": "maximize"}
    elif roll % 5 == 2:
        changes |= {"directions": {"loss": "minimize", "value": "maximize"}, "target": None, "patience": None}
    return spec(**changes)


class World:
    """A bench and everyone who sends it events."""

    def __init__(self, settings: SweepSpec, *, keep_states: bool = True) -> None:
        self.bench = Bench(settings)
        self.states = [state_of(self.machine)] if keep_states else None
        self._n_workers = 0
        self._most_workers = chosen((4, 2, 1, 3), settings.concurrency)

    @property
    def machine(self) -> Machine:
        return self.bench.machine

    def send(self, event: ev.Event, after_s: float = 0.25) -> None:
        self.bench.send(event, after_s=after_s)
        if self.states is not None:
            self.states.append(state_of(self.machine))

    def act(self, action: str, pick: int, roll: int) -> None:
        """Do one of `ACTIONS`; nothing happens when there is nothing to do it with."""
        ACTIONS[action](self, pick, roll)

    # -- executors and workers ----------------------------------------------------------------------------------------

    def join(self, pick: int, roll: int) -> None:
        if len(self.bench.watch.ledger.workers) < self._most_workers and not self.bench.watch.ledger.finished:
            self._n_workers += 1
            slots = 1 + roll % 3 if self._most_workers > 2 else 1
            offered = chosen(({}, {"gpus": 1.0}, {"gpus": 2, "cpus": 1}), roll // 2)
            event = ev.WorkerJoined(f"w{self._n_workers}", slots, min(slots, roll // 3 % 3), offered)
            self.send(event if roll % 11 else ev.WorkerCame(f"w{self._n_workers}", slots))

    def lose(self, pick: int, roll: int) -> None:
        workers = list(self.bench.watch.ledger.workers)
        if workers and not self.bench.watch.ledger.finished:
            self.send(
                ev.WorkerLost(
                    chosen(workers, pick), "gone", chosen(("WorkerLost", "MemoryLimitExceeded", "DeviceLost"), roll)
                )
            )

    def change_slots(self, pick: int, roll: int) -> None:
        workers = list(self.bench.watch.ledger.workers)
        if workers and not self.bench.watch.ledger.finished:
            self.send(ev.SlotsChanged(chosen(workers, pick), roll % 4))

    def use(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None:
            self.send(ev.Used(*attempt, {chosen(("memory_gib", "gpus"), roll): chosen(VALUES, roll // 2)}))

    def start(self, pick: int, roll: int) -> None:
        launched = list(self.bench.watch.ledger.launched.items())
        if launched:
            trial, attempt = chosen(launched, pick)
            self.send(ev.LaunchFailed(trial, attempt, ERROR) if roll < 10 else ev.Started(trial, attempt))

    def give_back(self, pick: int, roll: int) -> None:
        """An executor gives a launch back, asked or not."""
        ledger = self.bench.watch.ledger
        launched = list(ledger.take_backs) if ledger.take_backs and roll < 80 else list(ledger.launched.items())
        if launched:
            self.send(ev.TakenBack(*chosen(launched, pick)))

    def kill(self, pick: int, roll: int) -> None:
        kills = list(self.bench.watch.ledger.kills)
        if kills:
            self.send(ev.Killed(*chosen(kills, pick)))

    def fire(self, pick: int, roll: int) -> None:
        timers = [timer for timer in self.bench.watch.ledger.timers if timer[0] >= 0 or roll < 10]
        if timers:
            self.send(ev.TimerFired(*chosen(timers, pick)))

    # -- objectives ---------------------------------------------------------------------------------------------------

    def _running(self, pick: int) -> tuple[int, int] | None:
        running = list(self.bench.watch.ledger.running.items())
        return chosen(running, pick) if running else None

    def report(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None and roll % 5 == 1:
            reports = [
                (chosen(STEPS, roll + place), chosen(VALUES, roll // 6 + place)) for place in range(1 + roll % 4)
            ]
            self.send(ev.SeriesReported(*attempt, reports))
        elif attempt is not None:
            more = {"more": float(roll)} if roll % 7 == 0 else None
            self.send(ev.Reported(*attempt, chosen(STEPS, roll), chosen(VALUES, roll // 6), more))

    def ask_verdict(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None:
            self.send(ev.VerdictAsked(*attempt, chosen(STEPS, roll)))

    def ask_param(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None:
            self.send(
                ev.ParamAsked(*attempt, chosen(("x", "y", "z"), roll), chosen((Float(0.0, 1.0), Int(1, 3)), roll))
            )

    def set_attr(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None:
            self.send(ev.AttrSet(*attempt, chosen(("a", "b"), roll), roll))

    def set_constraint(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is not None:
            self.send(ev.ConstraintSet(*attempt, chosen(("c", "d"), roll), chosen(VALUES[:5], roll // 2)))

    def adopt(self, pick: int, roll: int) -> None:
        if not self.machine.trials and not self.bench.watch.ledger.finished:
            self.send(ev.Adopted(PastTrial({"x": 0.5}, chosen((State.COMPLETE, State.FAILED), roll), {"value": 1.0})))

    def end(self, pick: int, roll: int) -> None:
        attempt = self._running(pick)
        if attempt is None:
            return
        if roll < 20:
            self.send(ev.Failed(*attempt, ERROR))
        elif roll < 35:
            self.send(ev.Pruned(*attempt))
        elif roll < 40:
            self.send(ev.Finished(*attempt, chosen(({}, {"other": 1.0}, {"value": math.nan, "loss": 1.0}), roll)))
        else:
            metrics = {name: chosen(VALUES[:-1], roll) for name in reversed(self.machine.spec.directions)}
            self.send(ev.Finished(*attempt, {"more": math.nan, **metrics} if roll % 4 == 0 else metrics))

    def garble(self, pick: int, roll: int) -> None:
        """A worker says anything of any trial: late, doubled, of another attempt, or nonsense."""
        said = [event for event in self.bench.journal if isinstance(event, ev.WorkerEvent)]
        if said and roll < 40:
            self.send(chosen(said, len(said) - 1 - pick))
            return
        trial = chosen((0, 1, 2, 3, len(self.machine.trials), -1, -2, 2**63), pick + roll)
        attempt = chosen((1, 2, 0, 3, -1, 2**62), roll // 3)
        self.send(chosen(said_by_workers(trial, attempt), pick + roll // 7))

    # -- the sampler and the pruner -----------------------------------------------------------------------------------

    def answer_ask(self, pick: int, roll: int) -> None:
        asks = list(self.bench.watch.ledger.asks)
        if not asks or self.bench.watch.ledger.finished:
            return
        trial = chosen(asks, pick)
        if roll < 6:
            self.send(ev.SpaceExhausted(trial))
        elif roll < 18:
            self.send(ev.AskFailed(trial, ERROR))
        else:
            params = chosen(({"x": roll / 100}, {"x": 0.0, "y": "a"}, {}), roll)
            self.send(ev.Suggested(trial, params, {"seen": roll} if roll % 4 == 0 else None))

    def answer_verdict(self, pick: int, roll: int) -> None:
        verdicts = list(self.bench.watch.ledger.verdicts)
        if verdicts and not self.bench.watch.ledger.finished:
            trial, attempt, step = chosen(verdicts, pick)
            failed = ev.JudgeFailed(trial, attempt, step, ERROR)
            attrs = None if roll % 3 == 0 else {"rung": step}
            self.send(failed if roll < 20 else ev.Judged(trial, attempt, step, roll % 2 == 0, attrs))

    def answer_param(self, pick: int, roll: int) -> None:
        params = list(self.bench.watch.ledger.params)
        if params and not self.bench.watch.ledger.finished:
            trial, attempt, name = chosen(params, pick)
            failed = ev.SuggestFailed(trial, attempt, name, ERROR)
            self.send(failed if roll < 20 else ev.ParamSuggested(trial, attempt, name, roll))

    def fail_tell(self, pick: int, roll: int) -> None:
        told = list(self.bench.watch.ledger.told)
        if told:
            self.send(ev.TellFailed(chosen(told, pick), ERROR))

    # -- the user -----------------------------------------------------------------------------------------------------

    def enqueue(self, pick: int, roll: int) -> None:
        self.send(ev.Enqueued({"x": roll / 100}))

    def ask_externally(self, pick: int, roll: int) -> None:
        self.send(ev.ExternalAsked())

    def pause(self, pick: int, roll: int) -> None:
        self.send(ev.Paused())

    def unpause(self, pick: int, roll: int) -> None:
        self.send(ev.Unpaused())

    def cancel(self, pick: int, roll: int) -> None:
        if self.machine.trials:
            self.send(ev.TrialCancelled(pick % len(self.machine.trials)))

    def stop(self, pick: int, roll: int) -> None:
        if roll < 10:
            self.send(ev.ExecutorFailed(ERROR))
        elif roll < 40:
            self.send(ev.StopRequested("enough" if roll % 2 else "", now=roll % 3 == 0))

    def reopen(self, pick: int, roll: int) -> None:
        if roll < 40 or self.bench.watch.ledger.finished:
            directions = self.machine.spec.directions
            changed = some_spec(pick, roll)
            n_trials = None if changed.n_trials is None else changed.n_trials + len(self.machine.trials) // 2
            kept = {"directions": directions, "reproducible": self.machine.spec.reproducible}
            self.send(ev.Reopened(msgspec.structs.replace(changed, n_trials=n_trials, **kept)))

    def stop_and_reopen(self, pick: int, roll: int) -> None:
        """The user cancels a trial, then everything, and the process ends before anything was killed."""
        if roll % 2:
            self.cancel(pick, roll)
        self.send(ev.StopRequested("enough", now=True))
        self.reopen(pick, roll % 40)

    def wrong(self, pick: int, roll: int) -> None:
        """Our own driver says what cannot be: refused, and nothing changes."""
        n_trials = len(self.machine.trials)
        faults: list[ev.Event] = [
            ev.Suggested(n_trials + 5, {"x": 0.1}),
            ev.SpaceExhausted(-1),
            ev.AskFailed(n_trials + 5, ERROR),
            ev.Judged(0, 99, 0, True),
            ev.JudgeFailed(0, 99, 0, ERROR),
            ev.ParamSuggested(0, 99, "x", 1),
            ev.SuggestFailed(0, 99, "x", ERROR),
            ev.Killed(0, 99),
            ev.WorkerLost("nobody"),
            ev.WorkerJoined("none", 0),
            ev.WorkerJoined("none", 1, 2),
            ev.WorkerJoined("none", 1, -1),
            ev.SlotsChanged("nobody", 1),
            *(ev.SlotsChanged(worker, -1) for worker in self.bench.watch.ledger.workers),
            ev.TrialCancelled(n_trials),
            ev.TellFailed(-1 - len(self.machine.history), ERROR),
            ev.Reopened(msgspec.structs.replace(self.machine.spec, reproducible=self.machine.spec.reproducible + 1)),
            *([ev.Adopted(PastTrial({}))] if self.machine.trials else []),
            *(ev.WorkerJoined(worker, 1) for worker in self.bench.watch.ledger.workers),
        ]
        event = ev.SweepOpened(spec()) if self.bench.watch.ledger.finished else chosen(faults, pick + roll)
        stamped = self.bench.stamped(event)
        if roll % 9 == 0:
            stamped = self.bench.stamped(ev.Paused())
            stamped.seq += 1
        elif roll % 9 == 1:
            stamped = self.bench.stamped(ev.Paused(), after_s=math.nan if roll % 2 else -1.0)
        before = state_of(self.machine)
        assert refusal_of(self.machine, stamped) is not None
        assert state_of(self.machine) == before

    # -- the end ------------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """From now on everyone behaves: the sweep must end, within a bound."""
        ledger = self.bench.watch.ledger
        if self.machine.spec.n_trials is None:
            self.send(ev.StopRequested("enough"))
        self.send(ev.Unpaused())
        bound = 100 + 20 * (len(self.machine.trials) + (self.machine.spec.n_trials or 0))
        for _ in range(bound):
            if ledger.finished:
                return
            if not self.behave():
                break
        raise AssertionError(f"the sweep does not end: {self.machine.story(self.bench.journal[-1])}")

    def behave(self) -> bool:
        """One sensible answer to what is due; False when nothing is."""
        ledger = self.bench.watch.ledger
        before = len(self.bench.journal)
        if not sum(ledger.workers.values()):
            self._n_workers += 1
            self.send(ev.WorkerJoined(f"w{self._n_workers}", 1, 0, {"gpus": 4.0}))
        elif ledger.kills:
            self.kill(0, 0)
        elif ledger.take_backs:
            self.give_back(0, 0)
        elif ledger.asks:
            self.answer_ask(0, 99)
        elif ledger.launched:
            self.start(0, 99)
        elif ledger.params:
            self.answer_param(0, 99)
        elif ledger.verdicts:
            self.answer_verdict(0, 99)
        elif ledger.running:
            self.end(0, 99)
        elif ledger.resting:
            self.send(ev.TimerFired(*next(iter(ledger.resting.items()))))
        return len(self.bench.journal) > before

    def replay(self) -> None:
        """A fresh machine that reads the journal's bytes is, after each event, what this one was."""
        machine = Machine()
        assert self.states is not None
        decoder = msgspec.msgpack.Decoder(ANY_EVENT)
        for event, effects, state in zip(self.bench.journal, self.bench.effects, self.states, strict=True):
            read = decoder.decode(msgspec.msgpack.encode(event))
            machine.check(read)
            assert repr(machine.handle(read)) == repr(effects)
            assert state_of(machine) == state


ANY_EVENT: Any = ev.EVENTS[0]
for _event_type in ev.EVENTS[1:]:
    ANY_EVENT |= _event_type


def said_by_workers(trial: int, attempt: int) -> list[ev.Event]:
    """One of each message of a worker."""
    return [
        ev.Started(trial, attempt),
        ev.ParamAsked(trial, attempt, "x", Float(0.0, 1.0)),
        ev.Reported(trial, attempt, 2, 0.0),
        ev.SeriesReported(trial, attempt, [(4, 0.0), (2, 1.0), (5, 0.0)]),
        ev.VerdictAsked(trial, attempt, 1),
        ev.AttrSet(trial, attempt, "a", [1]),
        ev.ConstraintSet(trial, attempt, "c", -1.0),
        ev.Used(trial, attempt, {"memory_gib": 1.0}),
        ev.Finished(trial, attempt, {"value": 0.0}),
        ev.Pruned(trial, attempt),
        ev.Failed(trial, attempt, ERROR),
    ]


def refusal_of(machine: Machine, event: ev.Event) -> InvalidTransition | None:
    """Why an event cannot happen; None when it can."""
    try:
        machine.check(event)
    except InvalidTransition as refusal:
        return refusal
    return None


Action = Callable[[World, int, int], None]
# How often each is done in a random world.
WEIGHTS: dict[Action, int] = {
    World.join: 8, World.lose: 4, World.start: 20, World.kill: 8, World.give_back: 5, World.change_slots: 4, World.use: 2, World.fire: 4, World.report: 14, World.ask_verdict: 6,
    World.ask_param: 5, World.set_attr: 3, World.set_constraint: 2, World.adopt: 2, World.end: 16, World.garble: 10, World.answer_ask: 20, World.answer_verdict: 9,
    World.answer_param: 4, World.fail_tell: 1, World.enqueue: 2, World.ask_externally: 3, World.pause: 1,
    World.unpause: 3, World.cancel: 3, World.stop: 1, World.reopen: 2, World.wrong: 3, World.stop_and_reopen: 1,
}  # fmt: skip
ACTIONS: dict[str, Action] = {action.__name__: action for action in WEIGHTS}


def random_world(seed: int, n_actions: int = 60, *, keep_states: bool = True) -> World:
    """A world in which a seeded generator made some `n_actions` events and then everyone behaved until the sweep ended."""
    random = Random(seed)
    world = World(some_spec(random.randrange(30), random.randrange(100)), keep_states=keep_states)
    for action in random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=4 * n_actions):
        if len(world.bench.journal) > n_actions:
            break
        action(world, random.randrange(8), random.randrange(100))
    world.drain()
    return world


def digest(effects: Sequence[Sequence[Effect]]) -> str:
    """A text that differs when effects differ."""
    return hashlib.sha256(repr(effects).encode()).hexdigest()
