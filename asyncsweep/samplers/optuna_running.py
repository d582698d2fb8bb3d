"""The trials that Optuna knows as running, each as Optuna's own `Trial`, and what they reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncsweep.hooks.contracts import FinishedTrial, TrialRef
from asyncsweep.samplers.optuna_trials import StudyTrials

if TYPE_CHECKING:
    from optuna import Study, Trial


class RunningTrials:
    """The running trials of one study.

    Args:
        study: The study.
        trials: Its trials by our numbers.
        takes_reports: False where Optuna takes no reports, as with several directions.
    """

    def __init__(self, study: Study, trials: StudyTrials, *, takes_reports: bool) -> None:
        self._study = study
        self._trials = trials
        self._takes_reports = takes_reports
        self._running: dict[int, _Running] = {}
        # Reports of trials that did not begin here. They need not begin before a verdict is asked for: of one that is final
        # already all reports come with it.
        self._early: dict[int, list[tuple[int, float]]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._running

    def begin(self, trial: TrialRef) -> Trial:
        """Have Optuna start a trial, be it one that the study has already; with its fixed parameters enqueued."""
        import optuna

        self._trials.fill_to(trial.number)
        domains = self._trials.domains
        fixed = {name: domains[name].told(v) if name in domains else v for name, v in trial.fixed.items()}
        steps: set[int] = set()
        if trial.number in self._trials:
            stored = self._trials.frozen(trial.number)
            steps.update(stored.intermediate_values)
            if fixed:
                stored.system_attrs["fixed_params"] = fixed
            started = optuna.Trial(self._study, self._trials.id(trial.number))
        else:
            if fixed:
                self._study.enqueue_trial(fixed)
            started = self._study.ask()
        self._running[trial.number] = _Running(started, steps)
        return started

    def trial(self, number: int) -> Trial:
        """Optuna's trial, begun where it was not."""
        running = self._running.get(number)
        return self.begin(TrialRef(number)) if running is None else running.trial

    def report(self, number: int, step: int, value: float) -> None:
        """Tell Optuna a trial's value at a step, at the latest before its verdict."""
        if not self._takes_reports:
            return
        running = self._running.get(number)
        if running is None:
            self._early.setdefault(number, []).append((step, value))
        else:
            running.report(step, value)

    def reported(self, number: int) -> Trial:
        """Optuna's trial, with all its reports."""
        trial = self.trial(number)
        for step, value in self._early.pop(number, ()):
            self._running[number].report(step, value)
        return trial

    def restart(self, number: int) -> None:
        """Have Optuna forget what the trial reported. The attributes that no longer count are removed already."""
        import optuna

        self._early.pop(number, None)
        if number in self._trials:
            # The trial itself: a storage in memory gives out no copies.
            self._trials.frozen(number).intermediate_values.clear()
            self._running[number] = _Running(optuna.Trial(self._study, self._trials.id(number)), set())

    def end(self, trial: FinishedTrial) -> None:
        """The trial is final: tell Optuna the reports that it lacks."""
        self.forget_early(trial.number)
        self.trial(trial.number)
        running = self._running.pop(trial.number)
        if self._takes_reports:
            for step, value in trial.reports:
                running.report(step, value)

    def forget_early(self, number: int) -> None:
        """The trial comes with all its reports."""
        self._early.pop(number, None)


class _Running:
    """A trial, and the steps that Optuna knows of."""

    __slots__ = ("steps", "trial")

    def __init__(self, trial: Trial, steps: set[int]) -> None:
        self.trial = trial
        self.steps = steps

    def report(self, step: int, value: float) -> None:
        # Of several reports at one step Optuna keeps the first, with a warning.
        if step not in self.steps:
            self.steps.add(step)
            self.trial.report(value, step)
