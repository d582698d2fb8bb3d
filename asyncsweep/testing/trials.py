"""Trials as samplers and pruners are told of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from asyncsweep.core.records import State, TrialRecord


def told_trial(
    number: int,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    *,
    state: State = State.COMPLETE,
    reports: Iterable[tuple[int, float]] = (),
    sampler_attrs: dict[str, Any] | None = None,
    pruner_attrs: dict[str, Any] | None = None,
    constraints: dict[str, float] | None = None,
    user_attrs: dict[str, Any] | None = None,
) -> TrialRecord:
    """A trial as it is told of: a final one, unless another state is given; the reports are pairs of step and value."""
    trial = TrialRecord(number, state, attempt=1, sampler_attrs=sampler_attrs, pruner_attrs=pruner_attrs)
    trial.constraints, trial.attrs = constraints, user_attrs
    trial.param_names, trial.param_values = tuple(params or {}), tuple((params or {}).values())
    trial.metric_names, trial.metric_values = tuple(metrics or {}), tuple((metrics or {}).values())
    pairs = list(reports)
    trial.steps, trial.reported = array("q", [step for step, _ in pairs]), array("d", [value for _, value in pairs])
    return trial


def journaled(attrs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Attributes as a resumed sweep gives them back, which the journal does not change; None for no attributes.

    Raises:
        AssertionError: Others come back than were given out: a tuple becomes a list, say.
    """
    if not attrs:
        return None
    found: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(attrs))
    assert repr(found) == repr(attrs), f"the attributes {attrs!r} come back from the journal as {found!r}"
    return found
