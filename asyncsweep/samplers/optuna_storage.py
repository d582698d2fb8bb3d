"""Optuna's storage in memory, which can also show a study by a part of its trials.

It imports optuna, so nothing imports it before `OptunaStudy.open`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

SHOWN = 300
"""A shortened study shows about so many of the trials that are COMPLETE or PRUNED, and all that run.

TPE takes a tenth of the trials for good, at most 25, and narrows its kernels with their number, up to 100 of them: from 250
trials on, neither changes. The cost of an ask grows with the number all the way.
"""

# TPE fits one density to the best trials, at most so many when there is one direction, and one to all others.
_BEST = 25
# So many trials may end until those to be shown are chosen anew; they are shown meanwhile.
_RENEWED_AFTER = 100


class StudyStorage(InMemoryStorage):
    """Holds one study."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._running: dict[int, None] = {}
        # COMPLETE and PRUNED ones, in the order in which they ended.
        self._ended: list[int] = []
        self._chosen: list[FrozenTrial] = []
        self._chosen_at = 0
        self._is_shortened = False

    @contextmanager
    def shortened(self) -> Iterator[None]:
        """While it is entered, who asks for trials by their states gets a part of them.

        The part holds the best trials and evenly spaced others, so that what is fitted to it is near to what would be
        fitted to all, at a cost that does not grow.
        """
        self._is_shortened = len(self._ended) > SHOWN
        try:
            yield
        finally:
            self._is_shortened = False

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id = super().create_new_trial(study_id, template_trial)
        self._count += 1
        self._note(trial_id, self.get_trial(trial_id).state)
        return trial_id

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        changed = super().set_trial_state_values(trial_id, state, values)
        if changed:
            self._note(trial_id, state)
        return changed

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        # Optuna's own copies the list of all trials to count them.
        return self._count if state is None else super().get_n_trials(study_id, state)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if not self._is_shortened or deepcopy or states is None or TrialState.COMPLETE not in states:
            return super().get_all_trials(study_id, deepcopy, states)
        if not self._chosen or len(self._ended) - self._chosen_at > _RENEWED_AFTER:
            ended = [self.get_trial(trial_id) for trial_id in self._ended]
            self._chosen = chosen(ended, self.get_study_directions(study_id))
            self._chosen_at = len(ended)
        shown = [
            *self._chosen,
            *(self.get_trial(trial_id) for trial_id in self._ended[self._chosen_at :]),
            *(self.get_trial(trial_id) for trial_id in self._running),
        ]
        return sorted((trial for trial in shown if trial.state in states), key=lambda trial: trial.number)

    def _note(self, trial_id: int, state: TrialState) -> None:
        if state == TrialState.RUNNING:
            self._running[trial_id] = None
        elif state.is_finished():
            self._running.pop(trial_id, None)
            if state != TrialState.FAIL:
                self._ended.append(trial_id)


def chosen(ended: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """Of the trials that have ended `SHOWN`: with one direction the best, and evenly spaced others.

    With several directions what TPE takes for good is a share of the trials, not a number of them; evenly spaced trials
    keep the shares.
    """
    if len(ended) <= SHOWN:
        return list(ended)
    best: list[FrozenTrial] = []
    if len(directions) == 1:
        sign = 1.0 if directions[0] == StudyDirection.MINIMIZE else -1.0
        best = sorted(ended, key=lambda trial: _standing(trial, sign))[:_BEST]
    taken = {trial.number for trial in best}
    others = [trial for trial in ended if trial.number not in taken]
    places = SHOWN - len(best)
    return best + [others[place * len(others) // places] for place in range(places)]


def _standing(trial: FrozenTrial, sign: float) -> tuple[float, float, float]:
    """How TPE orders trials: feasible complete ones by value, then pruned ones by how far they came, then infeasible ones."""
    violation = sum(value for value in _constraints(trial) if value > 0)
    if violation:
        return 2, violation, 0.0
    if trial.state == TrialState.COMPLETE:
        return 0, sign * (trial.values or [0.0])[0], 0.0
    step = trial.last_step
    if step is None:
        return 1, 1.0, 0.0
    value = sign * trial.intermediate_values[step]
    return 1, -step, float("inf") if value != value else value


def _constraints(trial: FrozenTrial) -> Sequence[float]:
    # Optuna has them since its version 5.
    return tuple(getattr(trial, "constraints", {}).values())
