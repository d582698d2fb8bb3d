"""A study of Optuna as a sweep.

Its space is made of what its trials asked for. A parameter that every COMPLETE and PRUNED trial has is in the space, with a
range that holds all ranges that were asked for. One that only some trials have, or that was asked for in ways that are not one
domain, is kept with the trials that asked for it: an objective that asks for it with `trial.suggest_...` goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from asyncsweep.core.records import Direction, State, SweepSpec
from asyncsweep.errors import ConfigError
from asyncsweep.history import studies
from asyncsweep.importing.search import Details, Search, notes_on, record_of
from asyncsweep.space import Categorical, Constant, Domain, Float, Int, Space
from asyncsweep.space.optuna_distributions import from_optuna

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_OPEN = (State.RUNNING, State.WAITING)


def read(
    study: Study, given: Mapping[str, Domain], directions: Mapping[str, Direction] | None, ignore: frozenset[str]
) -> Search:
    """The study's trials, in their order.

    Args:
        study: The study.
        given: Domains that the user wants instead of those of the study; also constants that it does not have.
        directions: Those of the sweep; None takes the study's, with its names for the metrics where it has them.
        ignore: Parameters that are passed over.

    Raises:
        ConfigError: No trial has ended, the directions are others, or a value is outside of a given domain.
    """
    trials = study.get_trials(deepcopy=False)
    ended = [trial for trial in trials if trial.state.is_finished()]
    if not ended:
        raise ConfigError("no trial of the study has ended: there is nothing to import")
    directions = directions or _directions(study)
    space, asked = _space(ended, given, ignore)
    spec = SweepSpec(space=space, directions=dict(directions))
    candidates = studies.candidates(study, Space.from_spec(space), directions, ignore)
    pairs = [(one, trial) for one, trial in zip(candidates, trials, strict=True) if one.state not in _OPEN]
    records = [record_of(number, one, _details(trial, asked), spec) for number, (one, trial) in enumerate(pairs)]
    return Search(spec, records, len(trials) - len(pairs), notes_on(asked))


def _directions(study: Study) -> dict[str, Direction]:
    theirs: list[Direction] = [
        "maximize" if direction.name == "MAXIMIZE" else "minimize" for direction in study.directions
    ]
    names = study.metric_names or (["value"] if len(theirs) == 1 else [f"value_{n}" for n in range(len(theirs))])
    return dict(zip(names, theirs, strict=True))


def _space(
    ended: Sequence[FrozenTrial], given: Mapping[str, Domain], ignore: frozenset[str]
) -> tuple[dict[str, Domain], list[str]]:
    """The space, and the names of parameters that are not in it."""
    whole = [trial for trial in ended if trial.state.name != "FAIL"] or ended
    space: dict[str, Domain] = {}
    asked: list[str] = []
    for name in dict.fromkeys(name for trial in ended for name in trial.params):
        if name in ignore:
            continue
        is_everywhere = all(name in trial.params for trial in whole)
        found = given.get(name) or _one_domain(name, [t.distributions[name] for t in ended if name in t.distributions])
        if is_everywhere and found is not None:
            space[name] = found
        elif name in given:
            raise ConfigError(f"--space {name}: only some trials have this parameter, so it cannot be in the space")
        else:
            asked.append(name)
    for name, domain in given.items():
        if name not in space:
            if not isinstance(domain, Constant):
                known = ", ".join(map(repr, space)) or "none"
                raise ConfigError(f"--space {name}: no trial has this parameter; there are: {known}")
            space[name] = domain
    return space, asked


def _one_domain(name: str, distributions: Sequence[Any]) -> Domain | None:
    """The domain of a parameter; None when what was asked for is not one."""
    found: Domain | None = None
    last: Any = None
    for distribution in distributions:
        if distribution == last:
            continue
        last = distribution
        domain = _domain(name, distribution)
        merged = domain if found is None else _merged(found, domain)
        if merged is None:
            return None
        found = merged
    return found


def _domain(name: str, distribution: Any) -> Domain:
    domain = from_optuna(distribution)
    if domain is None:
        raise ConfigError(f"parameter {name!r}: its distribution {distribution!r} is none of Optuna's own")
    return domain.checked(f"parameter {name!r}")


def _merged(one: Domain, other: Domain) -> Domain | None:
    if one == other:
        return one
    if type(one) is not type(other) or isinstance(one, Categorical | Constant):
        return None
    assert isinstance(one, Float | Int) and isinstance(other, Float | Int)
    if (one.log, one.step) != (other.log, other.step):
        return None
    wide = replace(one, low=min(one.low, other.low), high=max(one.high, other.high))
    try:
        wide = wide.checked("")
    except ConfigError:  # steps from different points
        return None
    return wide if all(wide.contains(edge) for edge in (one.low, one.high, other.low, other.high)) else None


def _details(trial: FrozenTrial, asked: Sequence[str]) -> Details:
    return Details(
        trial.number,
        _seconds(trial.datetime_start),
        _seconds(trial.datetime_complete),
        attrs=trial.user_attrs,
        error=str(trial.system_attrs.get("fail_reason") or ""),
        domains={name: _domain(name, trial.distributions[name]) for name in asked if name in trial.params},
    )


def _seconds(at: datetime | None) -> float:
    """Optuna's times are local and without a zone."""
    return 0.0 if at is None else at.timestamp()
