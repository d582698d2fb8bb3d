"""What is said between a sweep and its sampler host, each an array `[tag, ...]` of MessagePack.

    OPEN     an `Opening`
    ASK      trial, fixed
    TELL     a trial that is final, or pending (see `packed`)
    SUGGEST  trial, attempt, name, domain
    JUDGE    trial, attempt, step, new steps, new values, pruner attributes or nil
    CLOSE

The answers to OPEN are OPENED (verdict steps or nil) and REFUSED (is it the user's setting, type, message, traceback). All
others are the core's events as arrays. Steps and values travel as the bytes of their arrays: both ends are one machine.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.space import Domain

OPEN = 121
ASK = 122
TELL = 123
SUGGEST = 124
JUDGE = 125
CLOSE = 126
OPENED = 127
REFUSED = 128


class Opening(msgspec.Struct, array_like=True):
    """How a host begins.

    Attributes:
        path: `sys.path` of the application.
        sampler: The pickled sampler; None when it is elsewhere.
        pruner: The pickled pruner; None when it is elsewhere.
        space: The domains by name.
        directions: Metric name to direction.
        seed: The sweep's seed.
        window: W of a `reproducible` sweep; 0 when results count as they come.
        slots: How many trials run at a time.
    """

    path: list[str]
    sampler: bytes | None
    pruner: bytes | None
    space: dict[str, Domain]
    directions: dict[str, Direction]
    seed: int
    window: int
    slots: int


def plain(value: Any) -> Any:
    """Structs as the arrays and maps that msgpack packs."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def packed(trial: TrialRecord) -> tuple[Any, ...]:
    """A trial for TELL."""
    return (
        TELL,
        trial.number,
        trial.attempt,
        trial.state.value,
        trial.param_names,
        trial.param_values,
        trial.metric_names,
        trial.metric_values,
        bytes_of(trial.steps),
        bytes_of(trial.reported),
        trial.sampler_attrs,
        trial.pruner_attrs,
        None if trial.domains is None else plain(trial.domains),
        trial.constraints,
        trial.attrs,
    )


def unpacked(message: Sequence[Any]) -> TrialRecord:
    """The trial of a TELL."""
    _, number, attempt, state, params, values, metrics, numbers, steps, reported, sampler, pruner, *rest = message
    domains, constraints, attrs = rest
    trial = TrialRecord(number, State(state), attempt, sampler_attrs=sampler, pruner_attrs=pruner, attrs=attrs)
    trial.constraints = constraints
    trial.param_names, trial.param_values = tuple(params or ()), tuple(values)
    trial.metric_names, trial.metric_values = tuple(metrics), tuple(numbers)
    if steps:
        trial.steps, trial.reported = array("q"), array("d")
        trial.steps.frombytes(steps)
        trial.reported.frombytes(reported)
    if domains is not None:
        trial.domains = msgspec.convert(domains, dict[str, Domain])
    return trial


def bytes_of(numbers: array[Any] | None, start: int = 0) -> bytes:
    return b"" if numbers is None else numbers[start:].tobytes()
