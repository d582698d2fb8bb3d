"""An Optuna pruner as our pruner, in a study of its own or in the one of an Optuna sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.hooks.contracts import FinishedTrial, Host, VerdictSteps
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Space

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class OptunaPruner:
    """Keeps the contract `Pruner` with an Optuna pruner.

    Args:
        pruner: The Optuna pruner.
        study: The study of the Optuna sampler beside it, not yet open: Optuna's pruners may change what its samplers see.
            It is opened by the sampler's `open`, and before this pruner's. None: this pruner makes a study for itself.
    """

    host: ClassVar[Host] = "process"
    reads_records: ClassVar[bool] = True

    def __init__(self, pruner: BasePruner, study: OptunaStudy | None = None) -> None:
        self._is_alone = study is None
        self._study = OptunaStudy() if study is None else study
        self._study.pruner = pruner

    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        """Create the study, unless it is the sampler's."""
        if self._is_alone:
            self._study.open(Space({}), {"": direction}, seed)

    def report(self, trial: int, step: int, value: float) -> None:
        """A running trial's value at a step; of several at one step the first counts."""
        self._study.report(trial, step, value)

    def restart(self, trial: int) -> None:
        """Have Optuna forget what the trial's earlier attempt reported, and what the pruner kept of it."""
        self._study.restart(trial)

    def judge(self, trial: int, step: int) -> bool:
        """Optuna's verdict on what the trial reported."""
        return self._study.judge(trial)

    def finish(self, trial: FinishedTrial) -> None:
        """A trial is final. Of a study that a sampler shares, the sampler's `tell` has done all that is to do."""
        self._study.tell(trial)

    def verdict_steps(self) -> VerdictSteps:
        """Every step."""
        return VerdictSteps()

    def attrs(self, trial: int) -> dict[str, Any]:
        """What the pruner keeps of the trial (the rungs of successive halving) and was not given out yet."""
        return self._study.verdict_attrs(trial)

    def restore(self, trial: int, attrs: Mapping[str, Any]) -> None:
        """Put back what `attrs` gave out of a trial that runs."""
        self._study.restore(trial, attrs)
