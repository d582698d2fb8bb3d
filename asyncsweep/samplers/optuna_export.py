"""A sweep's trials as an Optuna study in memory, for Optuna's plots, importances and further work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.samplers.optuna_attrs import constraint_attrs
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.samplers.optunas import quiet
from asyncsweep.space import Constant, Domain

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

# What Optuna calls a state; it has no word for a trial that was stopped from outside.
_STATES = {State.COMPLETE: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL", State.CANCELLED: "FAIL"}


def study_of(space: Mapping[str, Domain], directions: Mapping[str, Direction], trials: Iterable[TrialRecord]) -> Study:
    """A study with every final trial that has parameters.

    Optuna numbers them anew; `user_attrs["asyncsweep:number"]` is the number in the sweep. Constants are user attributes,
    too. Where Optuna cannot hold a parameter's choices, it has their places among the choices.
    """
    import optuna

    with quiet():
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), directions=list(directions.values()))
    domains = {name: OptunaDomain(domain) for name, domain in space.items() if not isinstance(domain, Constant)}
    for trial in trials:
        if trial.is_final and trial.param_names is not None:
            study.add_trial(_frozen(trial, domains, directions))
    return study


def _frozen(
    trial: TrialRecord, domains: Mapping[str, OptunaDomain], directions: Mapping[str, Direction]
) -> FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState

    asked = {name: OptunaDomain(domain.checked(name)) for name, domain in (trial.domains or {}).items()}
    domains = {**asked, **domains}
    params = {name: value for name, value in trial.params.items() if name in domains}
    others = {name: value for name, value in trial.params.items() if name not in domains}
    further = {name: value for name, value in trial.metrics.items() if name not in directions}
    reports: dict[int, float] = {}
    for step, value in trial.reports if len(directions) == 1 else ():
        reports.setdefault(step, value)
    values = [trial.metrics[name] for name in directions if name in trial.metrics]
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState[_STATES[trial.state]],
        value=None,
        values=values if len(values) == len(directions) else None,
        datetime_start=_time(trial.started_at or trial.asked_at),
        datetime_complete=_time(trial.finished_at),
        params={name: domains[name].told(value) for name, value in params.items()},
        distributions={name: domains[name].distribution() for name in params},
        user_attrs={**others, **further, **trial.user_attrs, "asyncsweep:number": trial.number},
        system_attrs=constraint_attrs(trial) | ({} if trial.error is None else {"fail_reason": str(trial.error)}),
        intermediate_values=reports,
    )


def _time(at: float) -> datetime:
    """Optuna's times are local and without a zone."""
    return datetime.fromtimestamp(at)
