"""An earlier search as its reader found it, and the records of its trials."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from asyncsweep.core import policy
from asyncsweep.core.records import ErrorInfo, State, SweepSpec, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.history.admission import Candidate
from asyncsweep.space import Constant, Domain
from asyncsweep.space.values import plain, shown

NUMBER = "imported:number"
"""The attribute of a trial that had another number in its source."""

_LAST_STEP = 2**62  # as in a report


class Search(NamedTuple):
    """An earlier search.

    Attributes:
        spec: The settings of the sweep that it becomes.
        trials: Those that have ended, numbered from 0.
        n_left_out: How many were left out, because they had not ended.
        notes: What the user should know, in words.
        history: Trials that the search itself had learned from, numbered -1, -2, ...
        enqueued: Parameters that the user wanted tried next.
    """

    spec: SweepSpec
    trials: Sequence[TrialRecord]
    n_left_out: int
    notes: Sequence[str] = ()
    history: Sequence[TrialRecord] = ()
    enqueued: Sequence[dict[str, Any]] = ()


class Details(NamedTuple):
    """What a source tells of a trial beside its result.

    Attributes:
        number: Its number in the source.
        started_at: In seconds since the epoch; 0.0 where it is not known.
        finished_at: The same.
        attempt: How many attempts there were.
        attrs: What the objective noted.
        error: Why it failed; "" where it is not known.
        domains: The domains of parameters that it asked for while it ran.
    """

    number: int
    started_at: float = 0.0
    finished_at: float = 0.0
    attempt: int = 1
    attrs: Mapping[str, Any] = {}
    error: str = ""
    domains: Mapping[str, Domain] = {}


def notes_on(asked: Iterable[str]) -> list[str]:
    """What the user should know of parameters that are not in the space."""
    names = ", ".join(map(repr, asked))
    if not names:
        return []
    return [
        f"{names}: not every trial has it, or not in one domain, so it is not in the space; an objective that asks for it "
        "with trial.suggest_... goes on with it"
    ]


def record_of(number: int, candidate: Candidate, details: Details, spec: SweepSpec) -> TrialRecord:
    """A trial that has ended, as if it had run in the sweep.

    Raises:
        ConfigError: It has a value that the sweep could not have had.
    """
    where = candidate.where
    if candidate.fault:
        raise ConfigError(f"{where}: {candidate.fault}")
    trial = TrialRecord(number, candidate.state, details.attempt)
    params = _params(candidate, details, spec)
    if params or not spec.space:
        trial.param_names, trial.param_values = tuple(params), tuple(params.values())
    trial.domains = dict(details.domains) or None
    _add_metrics(trial, candidate, spec)
    _add_reports(trial, candidate.reports, where)
    if trial.state is State.PRUNED and not trial.metric_names:
        last = policy.metrics_of_pruned(spec, trial) or {}
        trial.metric_names, trial.metric_values = tuple(last), tuple(last.values())
    trial.constraints = dict(candidate.constraints) if candidate.constraints else None
    attrs = {str(key): _storable(value) for key, value in details.attrs.items()}
    if details.number != number:
        attrs[NUMBER] = details.number
    trial.attrs = attrs or None
    if trial.state is State.FAILED:
        trial.error = trial.error or _error(details.error)
    trial.asked_at = trial.started_at = details.started_at
    trial.finished_at = max(details.finished_at, details.started_at)
    return trial


def _params(candidate: Candidate, details: Details, spec: SweepSpec) -> dict[str, Any]:
    """The parameters in the space's order, constants among them, then those that the objective asked for."""
    given = dict(candidate.params or {})
    params: dict[str, Any] = {}
    for name, domain in {**spec.space, **details.domains}.items():
        if name in given:
            try:
                params[name] = domain.normalise(given.pop(name))
            except ConfigError as error:
                raise ConfigError(f"{candidate.where}: parameter {name!r}: {error}") from error
        elif isinstance(domain, Constant):
            params[name] = domain.value
        elif candidate.state is not State.FAILED:
            raise ConfigError(f"{candidate.where}: parameter {name!r} is missing; give {domain.expected}")
    if given:
        raise ConfigError(f"{candidate.where}: parameter {next(iter(given))!r} is not in the space")
    if candidate.state is State.FAILED and not candidate.params:
        return {}  # before it had parameters, constants among them
    return params


def _add_metrics(trial: TrialRecord, candidate: Candidate, spec: SweepSpec) -> None:
    """The metrics, those with a direction first; one that is NaN makes the trial FAILED, as in a sweep."""
    metrics = {name: float(value) for name, value in candidate.metrics.items()}
    if trial.state is State.COMPLETE:
        trial.error = policy.fault_of(spec, metrics)
        if trial.error is not None:
            trial.state = State.FAILED
    known = [name for name in spec.directions if name in metrics and metrics[name] == metrics[name]]
    others = [name for name in metrics if name not in spec.directions]
    trial.metric_names = (*known, *others)
    trial.metric_values = tuple(metrics[name] for name in trial.metric_names)


def _add_reports(trial: TrialRecord, reports: Mapping[int, float], where: str) -> None:
    if not reports:
        return
    for step in reports:
        if not 0 <= step <= _LAST_STEP:
            raise ConfigError(f"{where}: the step {step} of a report is not from 0 to {_LAST_STEP}")
    steps = list(reports)
    trial.steps, trial.reported = array("q", steps), array("d", map(float, reports.values()))
    trial.rising = all(a < b for a, b in pairwise(steps))


def _storable(value: Any) -> Any:
    """An attribute as the journal can hold it; what it cannot hold becomes text."""
    try:
        return plain(value, "attribute")
    except ConfigError:
        return shown(value, 1000)


def _error(text: str) -> ErrorInfo | None:
    """The error of a FAILED trial; None where the source does not tell it."""
    if not text:
        return None
    kind, colon, message = text.partition(": ")
    if colon and kind.isidentifier():
        return ErrorInfo(kind, message)
    return ErrorInfo("Failed", text)
