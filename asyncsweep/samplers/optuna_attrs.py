"""The attributes that Optuna's samplers and pruners keep of a trial and of the study, between Optuna and the journal.

A sampler's own attributes and a pruner's lie in one place in Optuna. What is there when the sampler has answered is the
sampler's; what a verdict adds is the pruner's. Pickled state (CMA-ES) is neither given out nor taken: whoever can write the
journal could run code with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asyncsweep.hooks.contracts import FinishedTrial

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_STUDY_ATTRS = "asyncsweep:study"
_PICKLED = ":optimizer"
_CONSTRAINT = "constraints:"


class Attributes:
    """The attributes of one study, which the storage holds."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        self._study_attrs: dict[str, Any] = {}
        # By a running trial's id: those of the pruner, and which of them were not given out yet.
        self._pruners: dict[int, dict[str, Any]] = {}
        self._new: dict[int, dict[str, Any]] = {}

    def of_sampler(self, trial_id: int) -> dict[str, Any]:
        """What the sampler keeps of the trial and changed in the study since the last call."""
        pruners = self._pruners.get(trial_id, {})
        own = self._storage.get_trial_system_attrs(trial_id)
        attrs = {key: value for key, value in own.items() if _PICKLED not in key and key not in pruners}
        study = self._storage.get_study_system_attrs(self._study_id)
        changed = {k: v for k, v in study.items() if k not in self._study_attrs or self._study_attrs[k] != v}
        if changed:
            attrs[_STUDY_ATTRS] = changed
            self._study_attrs |= changed
        return attrs

    def of_pruner(self, trial_id: int) -> dict[str, Any]:
        """What the pruner added to the trial since the last call."""
        return self._new.pop(trial_id, {})

    def judged(self, trial_id: int, before: Mapping[str, Any]) -> None:
        """A verdict was given; `before` are the trial's attributes before it."""
        after = self._storage.get_trial_system_attrs(trial_id)
        if len(after) != len(before):
            added = {key: value for key, value in after.items() if key not in before}
            self._pruners.setdefault(trial_id, {}).update(added)
            self._new.setdefault(trial_id, {}).update(added)

    def before_verdict(self, trial_id: int) -> dict[str, Any]:
        """What `judged` compares with."""
        return dict(self._storage.get_trial_system_attrs(trial_id))

    def restore_pruner(self, trial_id: int, attrs: Mapping[str, Any]) -> None:
        """Put a running trial's attributes of the pruner back."""
        for key, value in attrs.items():
            self._storage.set_trial_system_attr(trial_id, key, value)
        self._pruners.setdefault(trial_id, {}).update(attrs)

    def restore_study(self, sampler_attrs: Mapping[str, Any] | None) -> None:
        """Put back what a trial changed in the study."""
        for key, value in (sampler_attrs or {}).get(_STUDY_ATTRS, {}).items():
            self._study_attrs[key] = value
            self._storage.set_study_system_attr(self._study_id, key, value)

    def forget_verdicts(self, trial_id: int) -> list[str]:
        """A retry begins: the pruner's attributes of the attempt before it, which no longer count."""
        self._new.pop(trial_id, None)
        return list(self._pruners.pop(trial_id, {}))

    def ended(self, trial_id: int) -> None:
        """The trial runs no more."""
        self._pruners.pop(trial_id, None)
        self._new.pop(trial_id, None)


def kept_attrs(trial: FinishedTrial) -> dict[str, Any]:
    """What Optuna is to have among a trial's attributes when it is told of it."""
    kept = {**(trial.sampler_attrs or {}), **(trial.pruner_attrs or {})}
    own = {key: value for key, value in kept.items() if key != _STUDY_ATTRS and _PICKLED not in key}
    return own | constraint_attrs(trial)


def constraint_attrs(trial: FinishedTrial) -> dict[str, Any]:
    """A trial's constraints, as Optuna's `Trial.set_constraint` keeps them (since Optuna 5; older ones pass them over)."""
    return {f"{_CONSTRAINT}{name}": float(value) for name, value in (trial.constraints or {}).items()}
