"""The study that a sweep is mirrored into, and what it already has.

It is used in an exporter's thread alone: only there optuna is imported.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import SweepInfo

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_DIRECTORY = "asyncsweep:directory"
# Under this name Optuna keeps what the values of a trial are called.
_METRIC_NAMES = "study:metric_names"


def study_for(storage: BaseStorage, name: str | None, info: SweepInfo) -> int:
    """The id of the sweep's study, which is made if need be.

    Raises:
        ConfigError: A study of that name is somebody else's.
    """
    from optuna.exceptions import DuplicatedStudyError
    from optuna.study import StudyDirection

    directions = [StudyDirection[direction.upper()] for direction in info.directions.values()]
    present = {study.study_name: study._study_id for study in storage.get_all_studies()}
    if name is None and info.directory is None:
        numbered = (f"{info.name}-{number}" for number in itertools.count(2))
        name = next(free for free in itertools.chain([info.name], numbered) if free not in present)
    name = name or info.name
    if name in present:
        study_id = present[name]
        if storage.get_study_directions(study_id) != directions or not _is_same(storage, study_id, info):
            raise ConfigError(
                f"exporter.study_name: there is a study {name!r} in the storage, and it is not of this sweep; give another "
                "study_name, or delete the study"
            )
        return study_id
    try:
        study_id = storage.create_new_study(directions, name)
    except DuplicatedStudyError:
        raise ConfigError(f"exporter.study_name: somebody has just made a study {name!r}; give another") from None
    storage.set_study_system_attr(study_id, _METRIC_NAMES, list(info.directions))
    storage.set_study_user_attr(study_id, _DIRECTORY, "" if info.directory is None else str(info.directory))
    storage.set_study_user_attr(study_id, "asyncsweep:objective", info.objective)
    return study_id


def _is_same(storage: BaseStorage, study_id: int, info: SweepInfo) -> bool:
    """Whether the study is a mirror of this sweep, as far as it came; an empty one may be anybody's."""
    trials = storage.get_all_trials(study_id, deepcopy=False)
    if not trials:
        return True
    ours = {trial.number: trial for trial in info.trials()}
    ended = [frozen for frozen in trials if frozen.state.is_finished()]
    both = [(frozen, ours[frozen.number]) for frozen in ended if frozen.number in ours and ours[frozen.number].is_final]
    if both:
        return all(_agree(frozen, trial, len(info.directions)) for frozen, trial in both)
    directory = storage.get_study_user_attrs(study_id).get(_DIRECTORY)
    return bool(directory) and directory == str(info.directory) and (bool(ours) or not ended)


def _agree(frozen: FrozenTrial, trial: TrialRecord, width: int) -> bool:
    if trial.state is State.COMPLETE:
        return frozen.values is not None and list(frozen.values) == list(trial.metric_values[:width])
    return frozen.state.name == ("PRUNED" if trial.state is State.PRUNED else "FAIL")


class Unfinished:
    """What the study has of a trial that is not final there.

    Attributes:
        params: The names of its parameters there.
        user_attrs: The names of its user attributes there.
        reports: The reports of the current attempt there.
        is_waiting: It was passed over.
    """

    def __init__(self, frozen: FrozenTrial | None = None) -> None:
        self.params = set(frozen.params) if frozen is not None else set()
        self.user_attrs = set(frozen.user_attrs) if frozen is not None else set()
        self.reports: dict[int, float] = dict(frozen.intermediate_values) if frozen is not None else {}
        self.is_waiting = frozen is not None and frozen.state.name == "WAITING"
        self._earlier: dict[int, float] = {}

    def begin_attempt(self) -> None:
        """What was reported before does not count any more."""
        self._earlier |= self.reports
        self.reports = {}

    def corrections(self, reports: Mapping[int, float]) -> dict[int, float]:
        """What is to be written, so that the trial has these reports. A step that it has not any more becomes NaN."""
        there = {**self._earlier, **self.reports}
        stale = {step: math.nan for step, value in there.items() if step not in reports and not math.isnan(value)}
        return stale | {s: v for s, v in reports.items() if s not in there or not _same(there[s], v)}


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


class Mirrored:
    """The trials of the study.

    Attributes:
        unfinished: By number those that are not final there.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._ids: list[int] = []
        self._distributions: dict[str, BaseDistribution] = {}
        self.unfinished: dict[int, Unfinished] = {}
        for frozen in _in_order(storage.get_all_trials(study_id, deepcopy=False)):
            self.add(frozen._trial_id, frozen)

    def __len__(self) -> int:
        return len(self._ids)

    def id(self, number: int) -> int:
        return self._ids[number]

    def add(self, trial_id: int, frozen: FrozenTrial | None = None) -> None:
        """The study has one more trial; None: an empty one."""
        if frozen is None or not frozen.state.is_finished():
            self.unfinished[len(self._ids)] = Unfinished(frozen)
        self._ids.append(trial_id)
        for name, distribution in (frozen.distributions if frozen is not None else {}).items():
            self._distributions.setdefault(name, distribution)

    def is_compatible(self, name: str, distribution: BaseDistribution) -> bool:
        """Whether the study takes the parameter: Optuna wants one kind, and one list of choices, in all trials."""
        from optuna.distributions import check_distribution_compatibility

        known = self._distributions.setdefault(name, distribution)
        try:
            check_distribution_compatibility(known, distribution)
        except ValueError:
            return False
        return True


def _in_order(trials: Sequence[Any]) -> list[FrozenTrial]:
    return sorted(trials, key=lambda frozen: int(frozen.number))
