"""Random traces: what happens to a few trials, one thing after the other."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from random import Random
from typing import Any, Literal, NamedTuple

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.hooks.contracts import Pruner

N_TRIALS = 9
SWEEP = "sweep"
ODD_VALUES = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0)


class Move(NamedTuple):
    """A trial reports a value at a step, asks, or ends by itself as COMPLETE or FAILED."""

    trial: int
    what: Literal["report", "ask", "end"]
    step: int = 0
    value: float = 0.0
    state: State = State.COMPLETE


class Trace:
    """The moves of one trace.

    A trial that is told to stop is, as it is drawn, PRUNED at once, or goes on and is told again. `told` is how a trace hears
    of the verdicts on it; what follows depends on them.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.seed = seed
        self.direction: Direction = self._random.choice(("minimize", "maximize"))
        self._obeys = self._random.choice((0.0, 0.5, 1.0))
        self._oddness = self._random.choice((0.0, 0.1, 0.5))
        self._told: bool | None = None

    def told(self, prune: bool) -> None:
        """The verdict on the `ask` that was yielded last."""
        self._told = prune

    def moves(self) -> Iterator[Move]:
        """Every move, in order; call `told` after each `ask`."""
        waiting = list(range(N_TRIALS))
        running: dict[int, Iterator[Move]] = {}
        together = self._random.randint(1, 4)
        while waiting or running:
            while waiting and len(running) < together:
                number = waiting.pop(0)
                running[number] = self._trial(number)
            number = self._random.choice(list(running))
            move = next(running[number])
            yield move
            if move.what == "ask" and self._told and self._random.random() < self._obeys:
                move = Move(number, "end", state=State.PRUNED)
                yield move
            if move.what == "end":
                del running[number]

    def _trial(self, number: int) -> Iterator[Move]:
        random = self._random
        level, slope = random.gauss(0, 1), random.uniform(-0.5, 0.1)
        asks = random.choice((0.5, 1.0, 1.0))
        for place, step in enumerate(self._steps()):
            value = level + slope * place + random.gauss(0, 0.3)
            if random.random() < self._oddness:
                value = random.choice(ODD_VALUES)
            yield Move(number, "report", step, value)
            while random.random() < asks:
                yield Move(number, "ask")
                if random.random() < 0.9:
                    break
        yield Move(number, "end", state=random.choice((State.COMPLETE, State.COMPLETE, State.COMPLETE, State.FAILED)))

    def _steps(self) -> list[int]:
        """Steps of one trial: one after the other, with gaps, in leaps, out of order, or with repetitions; or none."""
        random = self._random
        length = random.randint(0, 14)
        kind = random.choice(("count", "count", "gaps", "leaps", "shuffled", "repeated"))
        if kind == "gaps":
            return sorted(random.sample(range(3 * length + 1), length))
        if kind == "leaps":
            return [random.randint(0, 3) + 3 ** random.randint(0, 5) * place for place in range(length)]
        steps = list(range(length))
        if kind == "shuffled":
            random.shuffle(steps)
        if kind == "repeated":
            return sorted(random.choices(steps, k=length)) if steps else []
        return steps


class Told:
    """One of our pruners, with the records of the trials that it is told of, as the machine would keep them."""

    def __init__(self, pruner: Pruner, direction: Direction) -> None:
        self.pruner = pruner
        self.direction = direction
        self.records = [TrialRecord(number, State.RUNNING) for number in range(N_TRIALS)]
        pruner.open(direction, 0, SWEEP)

    def report(self, trial: int, step: int, value: float) -> None:
        record = self.records[trial]
        if record.steps is None or record.reported is None:
            record.steps, record.reported = array("q"), array("d")
        record.steps.append(step)
        record.reported.append(value)
        self.pruner.report(trial, step, value)

    def ask(self, trial: int) -> bool:
        record = self.records[trial]
        prune = self.pruner.judge(trial, max(record.steps or [-1]))
        news = getattr(self.pruner, "attrs", _nothing)(trial)
        if news:
            record.pruner_attrs = (record.pruner_attrs or {}) | news
        return prune

    def restart(self, trial: int) -> None:
        record = self.records[trial]
        record.steps = record.reported = record.pruner_attrs = None
        self.pruner.restart(trial)

    def end(self, trial: int, state: State) -> None:
        self.records[trial].state = state
        self.pruner.finish(self.records[trial])

    def retell(self, pruner: Pruner) -> None:
        """Go on with a new pruner, which is told what a new process knows."""
        pruner.open(self.direction, 0, SWEEP)
        self.pruner = pruner
        for record in self.records:
            if record.is_final:
                pruner.finish(record)
        for record in self.records:
            if not record.is_final:
                if record.pruner_attrs:
                    getattr(pruner, "restore", _nothing)(record.number, record.pruner_attrs)
                for step, value in record.reports:
                    pruner.report(record.number, step, value)


def _nothing(*_: Any) -> dict[str, Any]:
    return {}
