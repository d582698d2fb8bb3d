"""What the sampler and the pruner answer.

Each answer takes its question off the list, and reaches only who still waits for it: a trial may have ended meanwhile.
One answer speaks of the whole sweep: an exhausted sampler ends the asking, and one that only raises ends the sweep.
"""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.course import Course, Phase
from asyncsweep.core.effects import AnswerParam, AnswerVerdict, PluginFailed
from asyncsweep.core.records import ErrorInfo, State, TrialRecord


class Answers:
    """The moves of answers, one method for each event.

    Attributes:
        withdrawn: Trials that the exhausted sampler left without parameters; `drop_withdrawn` is due once no ask is open.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._life = course.life
        self.withdrawn: list[int] = []
        self._ask_failures = 0
        self._quarantined = 0

    def kept(self) -> tuple[list[int], int, int]:
        """For a snapshot: what is counted."""
        return list(self.withdrawn), self._ask_failures, self._quarantined

    def restore(self, kept: tuple[list[int], int, int]) -> None:
        """Become what `kept` told."""
        self.withdrawn, self._ask_failures, self._quarantined = kept

    def forget(self) -> None:
        """A new process goes on, with a new sampler."""
        self.withdrawn = []
        self._ask_failures = self._quarantined = 0

    # -- to Ask and Tell ----------------------------------------------------------------------------------------------

    def suggested(self, event: ev.Suggested) -> None:
        self._ask_failures = 0
        trial = self._life.answered(event.trial)
        if trial is not None:
            self._life.give_params(trial, event.params, event.attrs)
            if self._life.deaths and not trial.external:
                self._refuse_deadly(trial)

    def _refuse_deadly(self, trial: TrialRecord) -> None:
        """A sampler that suggests nothing else any more would be asked without end."""
        self._quarantined = self._quarantined + 1 if self._course.refuse_deadly(trial) else 0
        if self._quarantined >= policy.MAX_QUARANTINED and self._course.phase is Phase.RUNNING:
            reason = f"the last {self._quarantined} suggestions were all parameters that ended their workers"
            self._course.fail_sweep(ErrorInfo("Quarantined", reason), reason)

    def space_exhausted(self, event: ev.SpaceExhausted) -> None:
        self._course.exhausted = True
        if self._life.answered(event.trial) is not None:
            self.withdrawn.append(event.trial)

    def drop_withdrawn(self) -> None:
        """Withdrawn numbers vanish from the end of the sweep; earlier ones are CANCELLED."""
        trials = self._life.trials
        # A stop may have taken back the newest of them.
        withdrawn = sorted(
            number for number in dict.fromkeys(self.withdrawn) if number < len(trials) and not trials[number].is_final
        )
        self.withdrawn = []
        while withdrawn and withdrawn[-1] == len(trials) - 1:
            withdrawn.pop()
            self._life.withdraw_last()
        for number in withdrawn:
            self._course.conclude(trials[number], State.CANCELLED)

    def ask_failed(self, event: ev.AskFailed) -> None:
        course = self._course
        trial = self._life.answered(event.trial)
        self._ask_failures += 1
        self._show_fault("sampler.ask", event.error)
        if trial is not None:
            trial.error = event.error
            course.conclude(trial, State.FAILED)
        if self._ask_failures >= policy.MAX_ASK_FAILURES and course.phase is Phase.RUNNING:
            course.fail_sweep(event.error, f"the sampler failed {self._ask_failures} times in a row: {event.error}")

    def tell_failed(self, event: ev.TellFailed) -> None:
        self._show_fault("sampler.tell", event.error)

    # -- to Judge -----------------------------------------------------------------------------------------------------

    def judged(self, event: ev.Judged) -> None:
        trial = self._answer_verdict(event, prune=event.prune)
        if trial is not None and event.attrs is not None:
            trial.pruner_attrs = {**(trial.pruner_attrs or {}), **event.attrs}

    def judge_failed(self, event: ev.JudgeFailed) -> None:
        self._show_fault("pruner.judge", event.error)
        self._answer_verdict(event, prune=False)

    def _answer_verdict(self, event: ev.Judged | ev.JudgeFailed, *, prune: bool) -> TrialRecord | None:
        """Answer, and give the trial; None when it does not wait any more."""
        del self._life.questions.verdicts[event.trial, event.attempt, event.step]
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._life.out.append(AnswerVerdict(event.trial, event.attempt, event.step, prune))
        return trial

    # -- to Suggest ---------------------------------------------------------------------------------------------------

    def param_suggested(self, event: ev.ParamSuggested) -> None:
        domain = self._life.questions.params.pop((event.trial, event.attempt, event.name))
        trial = self._course.running(event.trial, event.attempt)
        if trial is not None:
            self._life.add_param(trial, event.name, event.value, domain)
            self._life.out.append(AnswerParam(event.trial, event.attempt, event.name, event.value))

    def suggest_failed(self, event: ev.SuggestFailed) -> None:
        del self._life.questions.params[event.trial, event.attempt, event.name]
        if self._course.running(event.trial, event.attempt) is not None:
            self._life.out.append(AnswerParam(event.trial, event.attempt, event.name, error=event.error))

    def _show_fault(self, where: str, error: ErrorInfo) -> None:
        self._life.publish(PluginFailed(at=self._life.at, where=where, error=error))
