"""Trials as samplers and pruners are told of them, and a sampler that is asked and told as by a sweep."""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import SpaceExhausted
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.space import Space


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


class Rehearsal:
    """A sampler that is open, asked and told as a sweep would; what it suggests is checked.

    Attributes:
        sampler: The sampler.
        space: The sweep's space.
        trials: The final trials, in the order of their ends.
        asked: What was suggested, by the trial's number.
        attrs: The sampler's attributes of these trials.
    """

    def __init__(
        self, sampler: Sampler, space: Mapping[str, Any], directions: Mapping[str, Direction], seed: int = 1
    ) -> None:
        self.sampler = sampler
        self.space = Space(space)
        self.trials: list[TrialRecord] = []
        self.asked: dict[int, dict[str, Any]] = {}
        self.attrs: dict[int, dict[str, Any] | None] = {}
        self._directions = directions
        sampler.open(self.space, directions, seed)

    def ask(self, number: int, **fixed: Any) -> dict[str, Any]:
        """What the sampler suggests for a trial: every active parameter, each within its domain."""
        given = dict(fixed)
        params = self.sampler.ask(TrialRef(number, given))
        assert given == fixed, "the sampler changed the fixed parameters that it was given"
        assert self.space.check(params, partial=False) == params  # raises for what is missing, inactive or out of range
        self.asked[number] = params
        self.attrs[number] = journaled(self.sampler.attrs(number)) if hasattr(self.sampler, "attrs") else None
        return params

    def tell(
        self,
        number: int,
        state: State = State.COMPLETE,
        *,
        values: Mapping[str, float] | None = None,
        reports: int | Sequence[float] = 0,
        constraints: dict[str, float] | None = None,
        user_attrs: dict[str, Any] | None = None,
    ) -> None:
        """The trial is final; COMPLETE trials have a value for each direction, PRUNED ones that of their last report.

        Args:
            number: The trial's number.
            state: Its state.
            values: Its metrics; by default they depend on its parameters.
            reports: What it reported from step 0 on, or how often it reported its first metric.
            constraints: As `FinishedTrial` has them.
            user_attrs: As `FinishedTrial` has them.
        """
        params = self.asked[number]
        if values is None:
            values = {name: value_of(name, params) for name in self._directions}
        reported = [next(iter(values.values()))] * reports if isinstance(reports, int) else reports
        if state == State.PRUNED:
            known = bool(reported) and not math.isnan(reported[-1])
            metrics = {name: reported[-1] for name in self._directions if known and len(self._directions) == 1}
        else:
            metrics = dict(values) if state == State.COMPLETE else {}
        self.tell_of(
            told_trial(
                number,
                params,
                metrics,
                state=state,
                reports=enumerate(reported),
                sampler_attrs=self.attrs[number],
                constraints=constraints,
                user_attrs=user_attrs,
            )
        )

    def tell_of(self, trial: TrialRecord) -> None:
        """A trial that was perhaps never asked for is final."""
        self.trials.append(trial)
        self.sampler.tell(trial)

    def go_on(self, count: int, *, ends: bool = False) -> list[dict[str, Any]]:
        """Ask for the next trials and tell of each before the next; where the space `ends`, there may be fewer."""
        found = []
        for number in range(len(self.asked), len(self.asked) + count):
            try:
                found.append(self.ask(number))
            except SpaceExhausted:
                assert ends, "a sampler that is not `is_finite` said that the space is exhausted"
                break
            self.tell(number)
        return found

    def again(self, sampler: Sampler) -> Rehearsal:
        """A resumed sweep: another sampler, opened as this one was and told of the final trials in order."""
        resumed = Rehearsal(sampler, self.space.domains, self._directions)
        for trial in sorted(self.trials, key=lambda trial: (trial.number >= 0, abs(trial.number))):
            resumed.tell_of(trial)
        resumed.asked.update(self.asked)
        return resumed


def value_of(metric: str, params: Mapping[str, Any]) -> float:
    """A number in [0, 1) that depends on the parameters alone."""
    return zlib.crc32(repr((metric, sorted(params.items()))).encode()) / 2**32
