"""A sweep as a study in a storage of Optuna, while it runs: for optuna-dashboard, and for whoever reads studies.

Trial n of the sweep is trial n of the study. Optuna numbers trials in the order in which they are made, so they are made in the
order of our numbers; one that is passed over, because it has not started, is WAITING there. A trial that is final by the time
that we hear of it is made whole, which takes one transaction instead of many.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from asyncsweep.cells import json_value
from asyncsweep.core.effects import TrialDropped, TrialReported, TrialStarted, TrialSuggested, Update
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.exporters.optuna_storages import Address
from asyncsweep.exporters.optuna_studies import Mirrored, Unfinished, study_for
from asyncsweep.exporters.threaded import ThreadedExporter
from asyncsweep.hooks.contracts import SweepInfo
from asyncsweep.samplers.optuna_attrs import constraint_attrs
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.samplers.optunas import quiet
from asyncsweep.space import Constant

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

# A database that is busy, or away for a moment, is asked again so often, after 0.1 s, 0.2 s, ...
_TRIES = 6

log = logging.getLogger("asyncsweep")


class OptunaExporter(ThreadedExporter):
    """Mirrors the sweep into a study.

    Args:
        storage: A URL that Optuna takes, such as "sqlite:///optuna.db", or the path of a file for its `JournalStorage`. `${NAME}`
            in it stands for an environment variable, so that a password need not be written down.
        study_name: The study. None: the sweep's name; of a sweep in memory with a number, when there is such a study. A
            study of that name which is not this sweep's is refused.
    """

    def __init__(self, storage: str, study_name: str | None = None) -> None:
        self._address = Address(storage)
        if study_name is not None and (not isinstance(study_name, str) or not study_name):
            raise ConfigError(f"exporter.study_name: expected a name, or None for the sweep's, got {study_name!r}")
        self._study_name = study_name

    def open(self, info: SweepInfo) -> None:
        """Find or make the study.

        Raises:
            ConfigError: The storage cannot be opened, or the study is somebody else's.
        """
        self._metrics = tuple(info.directions)
        self._of_space = {n: OptunaDomain(d) for n, d in info.space.domains.items() if not isinstance(d, Constant)}
        with quiet():
            storage = self._address.open()
            try:
                self._study_id = study_for(storage, self._study_name, info)
                self._known = Mirrored(storage, self._study_id)
            except ConfigError:
                raise
            except Exception as error:
                raise self._address.without_secrets(error) from None
        self._storage: BaseStorage = storage
        self._suggested: dict[int, dict[str, Any]] = {}

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        try:
            self._write(updates, trials)
        except Exception as error:
            raise self._address.without_secrets(error) from None

    def close(self) -> None:
        self._storage.remove_session()
        engine = getattr(self._storage, "engine", None)
        if engine is not None:
            engine.dispose()

    def _write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        final = {trial.number: trial for trial in trials}
        started: dict[int, TrialStarted] = {}
        for update in updates:
            if type(update) is TrialSuggested:
                self._suggested[update.trial] = update.params
            elif type(update) is TrialStarted and update.trial not in final:
                started[update.trial] = update
            elif type(update) is TrialDropped:
                self._suggested.pop(update.trial, None)
        for number in sorted({*final, *started}):
            if number in final:
                self._finish(final[number])
            else:
                self._start(started[number])
            self._suggested.pop(number, None)
        for update in updates:
            if type(update) is TrialReported and len(self._metrics) == 1 and update.trial not in final:
                self._report(update)

    def _start(self, update: TrialStarted) -> None:
        number = update.trial
        parts = self._params(self._suggested.get(number, {}), None)
        if number >= len(self._known):
            self._create(number, _frozen("RUNNING", parts, begun=update.at))
            return
        running = self._known.unfinished.get(number)
        if running is None:
            return
        running.begin_attempt()
        if running.is_waiting:
            from optuna.trial import TrialState

            running.is_waiting = False
            self._again(self._storage.set_trial_state_values, self._known.id(number), TrialState.RUNNING)
            self._add_parts(number, running, parts)

    def _report(self, update: TrialReported) -> None:
        """Of several reports at one step Optuna keeps the first."""
        running = self._known.unfinished.get(update.trial)
        if running is not None and update.step not in running.reports:
            running.reports[update.step] = update.value
            call = self._storage.set_trial_intermediate_value
            self._again(call, self._known.id(update.trial), update.step, update.value)

    def _finish(self, trial: TrialRecord) -> None:
        parts = self._params(trial.params, trial)
        parts["user_attrs"] |= self._told(trial)
        parts["system_attrs"] = constraint_attrs(trial) | (
            {} if trial.error is None else {"fail_reason": str(trial.error)}
        )
        reports: dict[int, float] = {}
        for step, value in trial.reports if len(self._metrics) == 1 else ():
            reports.setdefault(step, value)
        state, values = self._outcome(trial, reports)
        if trial.number >= len(self._known):
            begun = trial.started_at or trial.asked_at
            whole = _frozen(state, parts, begun=begun, ended=trial.finished_at, values=values, reports=reports)
            self._create(trial.number, whole)
            return
        running = self._known.unfinished.pop(trial.number, None)
        if running is None:  # it was final there before this process began
            return
        from optuna.trial import TrialState

        storage, trial_id = self._storage, self._known.id(trial.number)
        self._add_parts(trial.number, running, parts)
        for key, value in parts["system_attrs"].items():
            self._again(storage.set_trial_system_attr, trial_id, key, value)
        for step, value in running.corrections(reports).items():
            self._again(storage.set_trial_intermediate_value, trial_id, step, value)
        self._again(storage.set_trial_state_values, trial_id, TrialState[state], values)

    def _add_parts(self, number: int, running: Unfinished, parts: Mapping[str, dict[str, Any]]) -> None:
        """Give a trial that is not final the parameters and user attributes that it has not yet."""
        storage, trial_id = self._storage, self._known.id(number)
        for name, distribution in parts["distributions"].items():
            if name not in running.params:
                internal = distribution.to_internal_repr(parts["params"][name])
                self._again(storage.set_trial_param, trial_id, name, internal, distribution)
        for key, value in parts["user_attrs"].items():
            if key not in running.user_attrs:
                self._again(storage.set_trial_user_attr, trial_id, key, value)
        running.params |= set(parts["params"])
        running.user_attrs |= set(parts["user_attrs"])

    def _create(self, number: int, frozen: FrozenTrial) -> None:
        for passed_over in range(len(self._known), number):
            self._known.add(self._again(self._storage.create_new_trial, self._study_id, _frozen("WAITING")))
            self._known.unfinished[passed_over].is_waiting = True
        self._known.add(self._again(self._storage.create_new_trial, self._study_id, frozen), frozen)

    def _params(self, params: Mapping[str, Any], trial: TrialRecord | None) -> dict[str, dict[str, Any]]:
        """Parameters as Optuna takes them. Constants, and what would not go with earlier trials, are user attributes."""
        asked = (trial.domains if trial is not None else None) or {}
        domains = {name: OptunaDomain(domain.checked(name)) for name, domain in asked.items()} | self._of_space
        told: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        others: dict[str, Any] = {}
        for name, value in params.items():
            distribution = domains[name].distribution() if name in domains else None
            if distribution is not None and self._known.is_compatible(name, distribution):
                told[name], distributions[name] = domains[name].told(value), distribution
            elif distribution is not None or name not in asked:
                others[name] = json_value(value)
        if trial is None:  # of a running trial it is not known yet what the others are
            others = {name: value for name, value in others.items() if self._of_space}
        return {"params": told, "distributions": distributions, "user_attrs": others}

    def _told(self, trial: TrialRecord) -> dict[str, Any]:
        """What else is worth seeing of a final trial."""
        further = {name: value for name, value in trial.metrics.items() if name not in self._metrics}
        told = {name: json_value(value) for name, value in {**further, **trial.user_attrs}.items()}
        if trial.state is State.CANCELLED:
            told["asyncsweep:state"] = trial.state.value  # Optuna has no word for it
        if trial.failures:
            told["asyncsweep:attempts"] = trial.attempt
            told["asyncsweep:failures"] = [str(error) for error in trial.failures]
        return told

    def _outcome(self, trial: TrialRecord, reports: Mapping[int, float]) -> tuple[str, list[float] | None]:
        if trial.state is State.COMPLETE:
            return "COMPLETE", [float(trial.metrics[name]) for name in self._metrics]
        if trial.state is not State.PRUNED:
            return "FAIL", None
        last = reports[max(reports)] if reports else math.nan
        return "PRUNED", None if math.isnan(last) else [last]

    def _again(self, call: Callable[..., Any], *args: Any) -> Any:
        """Make a call; a database that is locked or out of reach for a moment is tried again."""
        from optuna.exceptions import StorageInternalError

        for tried in range(_TRIES):
            try:
                return call(*args)
            except StorageInternalError:
                if tried == _TRIES - 1:
                    raise
                time.sleep(0.1 * 2**tried)
        raise AssertionError("one of the tries returned or raised")


def _frozen(
    state: str,
    parts: Mapping[str, dict[str, Any]] | None = None,
    *,
    begun: float = 0.0,
    ended: float = 0.0,
    values: Iterable[float] | None = None,
    reports: Mapping[int, float] | None = None,
) -> FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState

    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState[state],
        value=None,
        values=None if values is None else list(values),
        datetime_start=datetime.fromtimestamp(begun) if begun else None,
        datetime_complete=datetime.fromtimestamp(ended) if ended else None,
        intermediate_values=dict(reports or {}),
        **{"params": {}, "distributions": {}, "user_attrs": {}, "system_attrs": {}, **(parts or {})},
    )
