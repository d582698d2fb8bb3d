"""The shape of a snapshot: trials in chunks, and what else a machine knows. How it is made and read is in `snapshot`."""

from __future__ import annotations

from typing import Any

import msgspec

from asyncsweep.core.records import ErrorInfo, State, SweepSpec
from asyncsweep.space import Domain

Attempt = tuple[int, int]


class KeptTrial(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A `TrialRecord`; names and domains are places in the lists of its chunk, reported values little-endian doubles."""

    number: int
    state: State
    attempt: int
    worker: str | None
    external: bool
    param_names: int | None
    param_values: tuple[Any, ...]
    metric_names: int
    metric_values: tuple[float, ...]
    steps: tuple[int, ...] | None
    reported: bytes | None
    report_metrics: list[tuple[int, dict[str, float]]] | None
    error: ErrorInfo | None
    failures: tuple[ErrorInfo, ...]
    attrs: dict[str, Any] | None
    sampler_attrs: dict[str, Any] | None
    pruner_attrs: dict[str, Any] | None
    domains: int | None
    constraints: dict[str, float] | None
    fixed: dict[str, Any] | None
    kill_reason: str | None
    asked_at: float
    started_at: float
    finished_at: float
    rising: bool
    usage: dict[str, float] | None = None


class KeptTrials(msgspec.Struct, array_like=True, frozen=True):
    """Trials in the order of their numbers, of this sweep or, with negative numbers, of earlier searches.

    Attributes:
        names: The names of parameters and metrics that they have.
        domains: The domains of parameters that they asked for while they ran.
        trials: The trials.
    """

    names: list[tuple[str, ...]]
    domains: list[dict[str, Domain]]
    trials: list[KeptTrial]


class KeptAhead(msgspec.Struct, frozen=True):
    """What waits at busy workers, and how many slots they have; see `Slots`."""

    waiting: list[tuple[str, list[Attempt]]] = []
    places: list[tuple[str, int]] = []
    room: list[tuple[str, int]] = []
    over: list[tuple[str, int]] = []
    sizes: list[tuple[str, int]] = []


class KeptQuestions(msgspec.Struct, frozen=True, omit_defaults=True):
    """The open questions; see `Questions`."""

    asks: list[int]
    verdicts: list[tuple[int, int, int]]
    params: list[tuple[int, int, str, Domain]]
    kills: list[tuple[int, int, str | None]]
    timers: list[Attempt]
    take_backs: list[Attempt] = []


class KeptLaunching(msgspec.Struct, frozen=True):
    """How long launches take; see `Launching`."""

    gap_s: float | None = None
    timed: tuple[int, int, float] | None = None
    is_slow: bool = False


class KeptState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a machine knows beside its trials. What is a tuple belongs to the part that gives and takes it.

    What has a default came later, and is left out where there is nothing of it.
    """

    spec: SweepSpec
    paused: bool
    phase: str
    stale: int
    exhausted: bool
    error: ErrorInfo | None
    active_s: float
    segment_at: float
    stop_reason: str
    enqueued: list[dict[str, Any]]
    waiting: list[int]
    n_asked: int
    deaths: list[tuple[bytes, int]]
    answers: tuple[list[int], int, int]
    order: tuple[int, int, int | None]
    ahead: tuple[int, float | None, float, int, int]
    rules: tuple[int | None, float, int, int, bool]
    jobs: list[tuple[str, list[Attempt]]]
    free: list[tuple[str, int]]
    slots_ahead: KeptAhead | None = None
    launching: KeptLaunching | None = None
    questions: KeptQuestions
