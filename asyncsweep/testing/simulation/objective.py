"""What attempts do in a simulation: how long they take, what they report and ask for, how they end.

The value of a trial depends on its parameters alone, so that everybody can tell whether a result is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Literal, NamedTuple

from asyncsweep.core.records import ErrorInfo
from asyncsweep.space import Categorical, Domain, Float
from asyncsweep.testing.simulation.faults import Planter

# So few, that several trials have the same.
LEVELS = 6
SPACE: dict[str, Domain] = {"x": Categorical([level / LEVELS for level in range(LEVELS)])}
# An objective may ask for it while it runs.
ASKED: tuple[str, Domain] = ("y", Float(0.0, 1.0))
DEADLY_X = 0.0

ERRORS = (
    ErrorInfo("OSError", "the disk is gone", bases=()),
    ErrorInfo("FileNotFoundError", "no data", bases=("OSError",)),
    ErrorInfo("ValueError", "boom"),
)

Ending = Literal["returns", "returns nan", "raises", "dies", "hangs"]


class Course(NamedTuple):
    """What one attempt is going to do.

    Attributes:
        pauses_s: How long each step takes; at its end the attempt reports.
        asks_at: At which step it asks for one more parameter; -1 for never.
        ending: What comes after the last step.
        error: What it raises.
        heeds: Whether it ends when it is told that it should be pruned.
    """

    pauses_s: tuple[float, ...]
    asks_at: int
    ending: Ending
    error: ErrorInfo
    heeds: bool


class Landscape(NamedTuple):
    """What all attempts of a simulation have in common.

    Attributes:
        most_steps: So often an attempt reports at most.
        step_s: How long a step takes, on average.
        asks: Whether attempts ask for parameters while they run.
        is_deadly: Whether some parameters end every worker that tries them.
        may_hang: Whether there is a `trial_timeout` that ends what hangs.
    """

    most_steps: int
    step_s: float
    asks: bool
    is_deadly: bool
    may_hang: bool

    def course(self, params: Mapping[str, Any], random: Random, planter: Planter) -> Course:
        """What an attempt with these parameters does."""
        n_steps = random.randint(0, self.most_steps)
        pauses = tuple(random.uniform(0.1, 2.0) * self.step_s for _ in range(n_steps + 1))
        asks_at = random.randint(0, n_steps) if self.asks and random.random() < 0.5 else -1
        ending: Ending = "returns"
        if self.is_deadly and params["x"] == DEADLY_X:
            ending = "dies"
        elif planter.strikes("objective_raises"):
            ending = "raises" if random.random() < 0.8 else "returns nan"
        elif self.may_hang and planter.strikes("objective_hangs"):
            ending = "hangs"
        return Course(pauses, asks_at, ending, random.choice(ERRORS), random.random() < 0.9)


def value_of(params: Mapping[str, Any]) -> float:
    """What an attempt with these parameters returns."""
    return float((params["x"] - 0.6) ** 2)


def value_at(params: Mapping[str, Any], step: int) -> float:
    """What it reports at a step."""
    return value_of(params) + 1.0 / (1 + step)
