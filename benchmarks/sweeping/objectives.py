"""What the trials of our sweeps do: as little as can be. Imported by worker processes.

The parameters are always all suggested and sent; that an objective reads one of them is the same work for everybody.
"""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.peers.shared import objectives


class Trial(Protocol):
    """The part of our trial that the objectives need."""

    @property
    def params(self) -> dict[str, Any]: ...


async def noop_async(trial: Trial) -> float:
    return objectives.noop(trial.params)


def noop(trial: Trial) -> float:
    return objectives.noop(trial.params)


async def bowl_async(trial: Trial) -> float:
    return objectives.bowl(trial.params)
