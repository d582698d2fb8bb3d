"""The trials of an Optuna study under our numbers, and how one gets there that was not asked for.

Trials of an earlier search have the numbers -1, -2, ... with us; they come first in the study, so that trial n of the sweep is
n + their number there. A number that is passed over belongs to a trial of which nothing is known yet: it runs, empty, until it
is filled in.

A trial that comes whole is written into the storage at once. Optuna's own `add_trial` checks and copies it, several times
slower, and 10,000 of them are a common history.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from asyncsweep.core.records import State
from asyncsweep.hooks.contracts import FinishedTrial
from asyncsweep.samplers.optuna_attrs import kept_attrs
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.space import Constant, Space

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, TrialState


class StudyTrials:
    """The trials of one study, which the storage holds.

    Args:
        storage: An empty study's storage, which is in memory: it gives out its trials, not copies of them.
        study_id: The study.
        space: The space, whose constants Optuna never hears of.
        metrics: The names of the metrics; () stands for the first, whatever its name is.

    Attributes:
        domains: The domains of the space, and those that the objective asked for last, by name.
    """

    def __init__(self, storage: BaseStorage, study_id: int, space: Space, metrics: tuple[str, ...]) -> None:
        self._storage = storage
        self._study_id = study_id
        self._metrics = metrics
        self._history = 0
        self.domains = {n: OptunaDomain(d) for n, d in space.domains.items() if not isinstance(d, Constant)}
        self._of_space = dict(self.domains)

    def __len__(self) -> int:
        return self._storage.get_n_trials(self._study_id)

    def __contains__(self, number: int) -> bool:
        """Whether the study has the trial, be it empty."""
        return self.place(number) < len(self) if number >= 0 else ~number < self._history

    def place(self, number: int) -> int:
        """The number of a trial in Optuna."""
        return ~number if number < 0 else number + self._history

    def id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, self.place(number))

    def frozen(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self.id(number))

    def fill_to(self, number: int) -> None:
        """Give the trials before this one, as far as nothing is known of them, their numbers."""
        for _ in range(len(self), self.place(number)):
            self._storage.create_new_trial(self._study_id)

    def add(self, trial: FinishedTrial) -> FrozenTrial:
        """Put a trial into the study as it is, running still; the study does not have it yet.

        Raises:
            ValueError: It is of an earlier search, and the study has trials of this one.
        """
        if trial.number < 0:
            if len(self) != ~trial.number:
                raise ValueError(f"trial {trial.number} of an earlier search came out of order")
            self._history += 1
        else:
            self.fill_to(trial.number)
        added = self._storage.get_trial(self._storage.create_new_trial(self._study_id))
        domains = self._domains_of(trial)
        told = {name: domains[name].told(value) for name, value in trial.params.items() if name in domains}
        added.params = told
        added.distributions = {name: domains[name].distribution() for name in told}
        added.intermediate_values = self._reports(trial)
        added.system_attrs = kept_attrs(trial)
        added.user_attrs = trial.user_attrs
        return added

    def complete(self, trial: FinishedTrial) -> None:
        """Add to a running trial of the study what Optuna did not suggest: parameters, attributes and constraints."""
        trial_id = self.id(trial.number)
        known = self._storage.get_trial(trial_id)
        domains = self._domains_of(trial)
        for name, value in trial.params.items():
            if name in domains and name not in known.params:
                distribution = domains[name].distribution()
                internal = distribution.to_internal_repr(domains[name].told(value))
                self._storage.set_trial_param(trial_id, name, internal, distribution)
        for key, value in trial.user_attrs.items():
            self._storage.set_trial_user_attr(trial_id, key, value)
        for key, value in kept_attrs(trial).items():
            if key not in known.system_attrs:
                self._storage.set_trial_system_attr(trial_id, key, value)

    def finish(self, trial: FinishedTrial) -> None:
        """End a trial that was added."""
        self._storage.set_trial_state_values(self.id(trial.number), optunas_state(trial.state), self.values(trial))

    def values(self, trial: FinishedTrial) -> list[float] | None:
        """The values of a final trial as Optuna keeps them: of a PRUNED one its last report."""
        if trial.state == State.COMPLETE:
            return [float(trial.metrics[name]) for name in self._metrics or tuple(trial.metrics)[:1]]
        reports = self._reports(trial)
        if trial.state != State.PRUNED or not reports:
            return None
        last = reports[max(reports)]
        return None if math.isnan(last) else [last]

    def _domains_of(self, trial: FinishedTrial) -> dict[str, OptunaDomain]:
        """The space's, and those that the objective asked for while this trial ran."""
        if not trial.domains:
            return self.domains
        asked = {name: OptunaDomain(domain.checked(name)) for name, domain in trial.domains.items()}
        return {**self.domains, **asked, **self._of_space}

    def _reports(self, trial: FinishedTrial) -> dict[int, float]:
        """Of several reports at one step Optuna keeps the first. With several directions it takes no reports."""
        reports: dict[int, float] = {}
        for step, value in trial.reports if len(self._metrics) <= 1 else ():
            reports.setdefault(step, value)
        return reports


def optunas_state(state: State) -> TrialState:
    """What Optuna calls a final state; it has no word for a trial that was stopped from outside."""
    from optuna.trial import TrialState

    if state == State.COMPLETE:
        return TrialState.COMPLETE
    return TrialState.PRUNED if state == State.PRUNED else TrialState.FAIL
