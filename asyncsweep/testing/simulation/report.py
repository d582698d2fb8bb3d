"""What a simulation tells when it is over, or broke off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from asyncsweep.core.events import Event


class Report(msgspec.Struct, frozen=True):
    """What happened in one simulation.

    Attributes:
        seed: Its seed.
        digest: A text that differs when anything happened otherwise.
        n_events: How many events were handled.
        n_trials: How many trials the sweep had.
        n_processes: How many processes worked on it, one after another.
        virtual_s: How many seconds passed in its world.
        planted: How many faults of each kind struck.
    """

    seed: int
    digest: str
    n_events: int
    n_trials: int
    n_processes: int
    virtual_s: float
    planted: dict[str, int]


class SimulationFailed(AssertionError):
    """A sweep broke a promise.

    Attributes:
        seed: The seed of the simulation.
        planted: How many faults of each kind struck until then.
        command: The command that has the same happen again.
    """

    def __init__(self, seed: int, what: str, planted: Mapping[str, int], last: Iterable[tuple[float, Event]]) -> None:
        self.seed = seed
        self.planted = dict(planted)
        self.command = f"python -m asyncsweep.testing.simulation --seeds 1 --from {seed}"
        lines = [f"seed {seed}: {what}", f"again: {self.command}", f"faults: {self.planted}"]
        lines += [f"{time_s:10.3f} s  {event}" for time_s, event in last]
        super().__init__("\n  ".join(lines))
