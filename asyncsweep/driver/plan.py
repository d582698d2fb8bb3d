"""Everything that a run of a sweep needs, checked and built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncsweep.core.records import PastTrial, SweepSpec
from asyncsweep.driver.objective import Objective
from asyncsweep.hooks.registry import Registry
from asyncsweep.space import Space

INLINE = "inline"


@dataclass(frozen=True)
class Plan:
    """One run, about to start.

    Attributes:
        spec: The settings.
        space: The space.
        objective: What is evaluated.
        directory: Where the journal lives; None for a sweep in memory.
        is_resumed: True when the directory holds the sweep's beginning.
        sampler: Of the contract `Sampler`, or an Optuna sampler.
        pruner: Of the contract `Pruner`, or an Optuna pruner, or None.
        sampler_host: Where the sampler runs: "inline", "thread" or "process".
        pruner_host: Where the pruner runs; "inline" for none.
        executor: Of the contract `Executor`.
        exporters: Of the contract `Exporter`.
        registry: The plugins.
        stop_when: Called with the run after each batch of finished trials; None for nothing.
        enqueued: Parameters, all or some, that are tried first.
        n_first: So many trials are drawn at random before the sampler is asked.
        history: Trials of an earlier search, which the sampler and the pruner learn before the first trial.
    """

    spec: SweepSpec
    space: Space
    objective: Objective
    directory: Path | None
    is_resumed: bool
    sampler: Any
    pruner: Any
    sampler_host: str
    pruner_host: str
    executor: Any
    exporters: Sequence[Any]
    registry: Registry
    stop_when: Callable[[Any], bool] | None
    enqueued: Sequence[dict[str, Any]] = ()
    n_first: int = 0
    history: Sequence[PastTrial] = ()
