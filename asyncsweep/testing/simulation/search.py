"""A sampler that knows who told it what, and a host for it whose answers come late, out of order, and not from one life.

`HostModel` does what `asyncsweep.search.hosted.SamplerHost` does, without a process: it keeps the open questions, retells
everything to a new host by the real script, and asks it again what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from asyncsweep.core.events import Event, TellFailed
from asyncsweep.core.records import Direction, TrialRecord
from asyncsweep.hooks.contracts import FinishedTrial, TrialRef, VerdictSteps
from asyncsweep.search.desk import Desk
from asyncsweep.search.retelling import Script
from asyncsweep.space import Domain, Space
from asyncsweep.testing.simulation.faults import Found, Planter
from asyncsweep.testing.simulation.world import World

_ANSWER_S = 1.0
_RESTART_S = 3.0


class ModelSampler:
    """Draws from the sweep's seed and the trial's number; refuses to be told of a trial twice, or of one that is open.

    Attributes:
        told: Trials that it was told of, with the state in which they are.
    """

    host = "inline"
    by_number = True

    def __init__(self, planter: Planter) -> None:
        self.told: dict[int, str] = {}
        self._planter = planter
        self._is_retold = False

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        self._space = space
        self._seed = seed

    def ask(self, trial: TrialRef) -> dict[str, Any]:
        if not self._is_retold and self._planter.strikes("sampler_raises"):
            raise RuntimeError("the sampler cannot suggest anything")
        random = Random(f"{self._seed}:{trial.number}")
        return self._space.walk(lambda name, domain: domain.from_unit(random.random()), trial.fixed)

    def attrs(self, trial: int) -> dict[str, Any]:
        return {"asked": trial}

    def pending(self, trial: TrialRecord) -> None:
        if trial.number in self.told:
            raise Found(f"the sampler was told of trial {trial.number}, and is told of it as pending")

    def tell(self, trial: FinishedTrial) -> None:
        if trial.number in self.told:
            raise Found(f"the sampler was told of trial {trial.number} twice in one life")
        self.told[trial.number] = str(trial.state)

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        return domain.from_unit(Random(f"{self._seed}:{trial.number}:{name}").random())

    def being_retold(self, yes: bool) -> None:
        """While a sampler is retold nothing goes wrong: a sweep does not go on without."""
        self._is_retold = yes


def retell(desk: Desk, sampler: ModelSampler, script: Script, on_ask: Callable[[int, Event], None]) -> int:
    """Tell a new desk all that happened; gives how many trials of the sweep were told."""
    sampler.being_retold(True)
    n_told = 0
    for what, trial in script:
        if what == "ask":
            on_ask(trial.number, desk.ask(trial.number, trial.fixed))
            continue
        fault = desk.tell(trial) if what == "tell" else desk.pending(trial)
        if isinstance(fault, TellFailed):
            raise Found(f"retelling trial {trial.number} failed: {fault.error}")
        n_told += what == "tell" and trial.number >= 0
    sampler.being_retold(False)
    return n_told


class HostModel:
    """A sampler host: an `Answerer` whose answers take time, and which dies and comes back.

    Args:
        world: The world.
        random: Draws how long answers take.
        planter: Plants its deaths.
        new_desk: Gives a new sampler on a new desk, as each life of a host has.
        history: Trials of earlier searches.
        trials: The sweep's trials.
        window: W of a `reproducible` sweep.
        post: Takes answers.
    """

    def __init__(
        self,
        world: World,
        random: Random,
        planter: Planter,
        new_desk: Callable[[], tuple[Desk, ModelSampler]],
        history: Sequence[TrialRecord],
        trials: Sequence[TrialRecord],
        window: int,
        post: Callable[[Event], None],
    ) -> None:
        self._world = world
        self._random = random
        self._planter = planter
        self._new_desk = new_desk
        self._history = history
        self._trials = trials
        self._window = window
        self._post = post
        self._open: dict[tuple[Any, ...], Callable[[Desk], Event]] = {}
        self._life = 0
        self._is_over = False
        self._is_up = False
        self._last_told = -1
        self._free_at = 0.0

    @property
    def sampler(self) -> ModelSampler | None:
        """The sampler of the present life; None when the host is down."""
        return self._sampler if self._is_up else None

    def end(self) -> None:
        """The controller is gone, and so is its host."""
        self._is_over = True

    async def opened(self) -> VerdictSteps | None:
        return self._desk.verdict_steps()

    def ask(self, trial: int, fixed: dict[str, Any] | None) -> None:
        self._question(("ask", trial), lambda desk: desk.ask(trial, fixed))

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> None:
        self._question(("suggest", trial, attempt, name), lambda desk: desk.suggest(trial, attempt, name, domain))

    def judge(self, trial: int, attempt: int, step: int) -> None:
        record = self._trials[trial].copied()  # a host knows what it was sent, not what became of the trial
        self._question(("judge", trial, attempt, step), lambda desk: desk.judge(record, step))

    def tell(self, trial: TrialRecord) -> None:
        self._last_told = max(self._last_told, trial.number)
        if self._is_up:
            fault = self._desk.tell(trial)
            if fault is not None:
                self._post(fault)

    def start(self) -> None:
        """Have a new host, which is told everything and asked what is open."""
        if self._is_over:
            return
        self._life += 1
        self._desk, self._sampler = self._new_desk()
        answers: dict[int, Event] = {}
        script = Script(self._history, self._trials, self._window, lambda number: ("ask", number) in self._open)
        n_told = retell(self._desk, self._sampler, script, answers.__setitem__)
        if self._window:  # what no ask had to know
            for number in range(n_told, self._last_told + 1):
                self._desk.tell(self._trials[number])
        self._is_up = True
        for key, question in list(self._open.items()):
            again = answers.get(key[1]) if key[0] == "ask" else None
            self._send(key, question if again is None else _given(again))

    def _question(self, key: tuple[Any, ...], question: Callable[[Desk], Event]) -> None:
        self._open[key] = question
        if self._is_up:
            self._send(key, question)

    def _send(self, key: tuple[Any, ...], question: Callable[[Desk], Event]) -> None:
        life = self._life
        arrival = self._world.now + self._random.random() * _ANSWER_S
        if self._window or key[0] != "ask":  # a host keeps the order, but lets asks wait when it may
            arrival = self._free_at = max(arrival, self._free_at)
        if self._window:
            question = _given(question(self._desk))
        self._world.at(arrival, lambda: self._answers(life, key, question))

    def _answers(self, life: int, key: tuple[Any, ...], question: Callable[[Desk], Event]) -> None:
        if self._is_over or life != self._life or not self._is_up or key not in self._open:
            return
        if self._planter.strikes("host_dies"):
            self._is_up = False
            self._world.after(self._random.random() * _RESTART_S, self.start)
            return
        del self._open[key]
        self._post(question(self._desk))


def _given(answer: Event) -> Callable[[Desk], Event]:
    return lambda desk: answer
