"""What is taken from an earlier search, and what is not: each trial is held against the new sweep.

- A trial that did not end by itself (WAITING, RUNNING, CANCELLED) says nothing: it is left out, and counted. So is one that
  failed before it had parameters, which is counted apart.
- One that the new sweep could not have had, because a parameter is unknown, missing, inactive or outside its domain, is
  refused with the whole source, or skipped and counted, as the user wants.
- A COMPLETE one whose value is NaN counts as FAILED, as it would have in a sweep.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from asyncsweep.core.records import Direction, PastTrial, State
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space import Space

LEFT_OUT = (State.WAITING, State.RUNNING, State.CANCELLED)
_MOST_REASONS = 10
_LAST_STEP = 2**62  # as in a report

log = logging.getLogger("asyncsweep")


class Candidate(NamedTuple):
    """A trial as its source has it.

    Attributes:
        where: What to call it in an error: "trial 3", "line 4".
        state: How it ended.
        params: Values by name; None when it never got any.
        metrics: Numbers by name.
        reports: Step -> value, in the order in which they were reported.
        constraints: Numbers by name.
        fault: Why it cannot be read; "" when it can.
    """

    where: str
    state: State
    params: Mapping[str, Any] | None = {}
    metrics: Mapping[str, float] = {}
    reports: Mapping[int, float] = {}
    constraints: Mapping[str, float] | None = None
    fault: str = ""


class Past(NamedTuple):
    """What was taken from an earlier search.

    Attributes:
        source: Where it comes from, in words.
        trials: What was taken.
        skipped: How many trials were not, because the new sweep could not have had them.
        left_out: How many trials were not, because they had not ended by themselves.
        without_params: How many trials were not, because they failed before they had parameters.
        reasons: Why trials were skipped, each reason once, the first ten.
    """

    source: str
    trials: tuple[PastTrial, ...]
    skipped: int = 0
    left_out: int = 0
    without_params: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def taken(self) -> int:
        """How many trials were taken."""
        return len(self.trials)

    def __str__(self) -> str:
        counts = [f"{self.taken} trials taken"]
        if self.skipped:
            counts.append(f"{self.skipped} skipped (first: {self.reasons[0]})")
        if self.left_out:
            counts.append(f"{self.left_out} left out that had not ended by themselves")
        if self.without_params:
            counts.append(f"{self.without_params} left out that failed before they had parameters")
        return f"history={self.source}: {', '.join(counts)}"


def admit(
    source: str, candidates: Iterable[Candidate], space: Space, directions: Mapping[str, Direction], *, skip: bool
) -> Past:
    """The candidates that the sweep can learn from, in their order; said in the log.

    Raises:
        ConfigError: Without `skip`: a candidate is not of this sweep.
    """
    taken: list[PastTrial] = []
    reasons: list[str] = []
    counts: Counter[str] = Counter()
    for candidate in candidates:
        if candidate.state in LEFT_OUT:
            counts["left out"] += 1
            continue
        if candidate.params is None or (candidate.state is State.FAILED and not candidate.params and len(space)):
            counts["without parameters"] += 1
            continue
        try:
            taken.append(_past(candidate, space, directions))
        except ConfigError as error:
            reason = f"{candidate.where}: {error}"
            if not skip:
                raise ConfigError(f"{reason}; History(source, outside='skip') passes over such trials") from error
            counts["skipped"] += 1
            if len(reasons) < _MOST_REASONS and str(error) not in [known.partition(": ")[2] for known in reasons]:
                reasons.append(reason)
    past = Past(
        source, tuple(taken), counts["skipped"], counts["left out"], counts["without parameters"], tuple(reasons)
    )
    log.info("%s", past)
    return past


def unknown_parameter(name: str, space: Space) -> ConfigError:
    """The error for a parameter that the space does not have."""
    known = ", ".join(map(repr, space.names)) or "none (what an objective asks for while it runs cannot be taken over)"
    return ConfigError(
        f"parameter {name!r} is unknown{did_you_mean(name, space.names)}; there are: {known}; "
        f"History(source, ignore=[{name!r}]) passes over it"
    )


def _past(candidate: Candidate, space: Space, directions: Mapping[str, Direction]) -> PastTrial:
    """The candidate, checked.

    Raises:
        ConfigError: It is not of this sweep.
    """
    if candidate.fault:
        raise ConfigError(candidate.fault)
    given = candidate.params or {}
    for name in given:
        if name not in space:
            raise unknown_parameter(name, space)
    params = space.check(given, partial=False)
    state, metrics = candidate.state, {name: float(value) for name, value in candidate.metrics.items()}
    nothing = [name for name in directions if metrics.get(name, 0.0) != metrics.get(name, 0.0)]
    for name in nothing:
        del metrics[name]
    if state is State.COMPLETE:
        missing = [name for name in directions if name not in metrics and name not in nothing]
        if missing:
            near = did_you_mean(missing[0], metrics)
            there = ", ".join(map(repr, metrics)) or "none"
            raise ConfigError(f"the metric {missing[0]!r} is missing{near}; there are: {there}")
        if nothing:
            state = State.FAILED
        else:
            metrics = {name: metrics[name] for name in directions} | metrics
    for step in candidate.reports:
        if not 0 <= step <= _LAST_STEP:
            raise ConfigError(f"the step {step} of a report is not from 0 to {_LAST_STEP}")
    return PastTrial(
        params,
        state,
        metrics,
        tuple(candidate.reports),
        tuple(map(float, candidate.reports.values())),
        dict(candidate.constraints) if candidate.constraints else None,
    )
