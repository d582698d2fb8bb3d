"""`PrunerSuite` finds what it is about: each faulty pruner, right but for one thing, fails the test of that thing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import FinishedTrial, VerdictSteps
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.testing import PrunerSuite


class Nowhere(MedianPruner):
    host = "cloud"  # type: ignore[assignment]  # the fault


class HoldsAGenerator(MedianPruner):
    host = "process"

    def __init__(self) -> None:
        super().__init__()
        self._numbers = (number for number in range(3))


class Merciless(MedianPruner):
    def judge(self, trial: int, step: int) -> bool:
        return True


class EndsTheSilent(MedianPruner):
    def judge(self, trial: int, step: int) -> bool:
        return trial not in self._running or super().judge(trial, step)


class Backwards(MedianPruner):
    def open(self, direction: Direction, seed: int, sweep: str) -> None:
        super().open("maximize" if direction == "minimize" else "minimize", seed, sweep)


class HatesNaN(MedianPruner):
    def report(self, trial: int, step: int, value: float) -> None:
        assert not math.isnan(value)
        super().report(trial, step, value)


class WantsOrder(MedianPruner):
    def report(self, trial: int, step: int, value: float) -> None:
        assert trial not in self._running or step > self._running[trial].last
        super().report(trial, step, value)


class Moody(MedianPruner):
    moods = itertools.count()

    def judge(self, trial: int, step: int) -> bool:
        return next(Moody.moods) % 5 == 0 and super().judge(trial, step)


class RemembersEverything(MedianPruner):
    def restart(self, trial: int) -> None:
        """The fault: nothing is forgotten."""


class NotItself(MedianPruner):
    """Learns from what it answered, which a resumed sweep does not tell it."""

    asked = 0

    def judge(self, trial: int, step: int) -> bool:
        self.asked += 1
        return self.asked % 50 < 25 and super().judge(trial, step)


class NeedsValues(MedianPruner):
    def finish(self, trial: FinishedTrial) -> None:
        assert trial.metrics or trial.state not in (State.FAILED, State.CANCELLED)
        super().finish(trial)


class KnowsItsOwn(MedianPruner):
    def finish(self, trial: FinishedTrial) -> None:
        assert trial.number in self._running
        super().finish(trial)


class SaysTooFewSteps(MedianPruner):
    def verdict_steps(self) -> VerdictSteps | None:
        return VerdictSteps(first=7, every=5)


class LooksAtAll(MedianPruner):
    def __init__(self) -> None:
        super().__init__()
        self._values: list[float] = []

    def judge(self, trial: int, step: int) -> bool:
        return sum(1 for _ in self._values) >= 0 and super().judge(trial, step)

    def finish(self, trial: FinishedTrial) -> None:
        super().finish(trial)
        self._values += trial.metrics.values()


class EndsEveryOddTrial(MedianPruner):
    def judge(self, trial: int, step: int) -> bool:
        return trial % 2 == 1


class EndsTheSeventhOfTen(MedianPruner):
    def judge(self, trial: int, step: int) -> bool:
        return (trial % 10 == 7 and step > 5) or super().judge(trial, step)


class ForgetsTheEarlier(MedianPruner):
    def finish(self, trial: FinishedTrial) -> None:
        if trial.number >= 0:
            super().finish(trial)


class EndsLeaders(MedianPruner):
    """Ends the best trial as soon as it is far ahead."""

    def report(self, trial: int, step: int, value: float) -> None:
        super().report(trial, step, value)
        self._far = abs(value) > 4500

    def judge(self, trial: int, step: int) -> bool:
        return self._far or super().judge(trial, step)


FAULTS: list[tuple[Callable[[], MedianPruner], str, tuple[Any, ...]]] = [
    (Nowhere, "it_says_where_it_runs", ()),
    (HoldsAGenerator, "it_goes_to_its_host_before_it_is_opened", ()),
    (Merciless, "it_ends_some_trials_and_not_all", ()),
    (EndsTheSilent, "a_trial_without_reports_goes_on", ()),
    (Backwards, "the_best_trial_goes_on_and_which_is_best_depends_on_the_direction", ()),
    (EndsEveryOddTrial, "a_trial_that_is_better_than_all_others_at_every_step_is_never_ended", ("minimize",)),
    (EndsTheSeventhOfTen, "a_trial_that_is_better_than_all_others_at_every_step_is_never_ended", ("minimize",)),
    (EndsLeaders, "a_trial_that_is_better_than_all_others_at_every_step_is_never_ended", ("maximize",)),
    (EndsEveryOddTrial, "a_verdict_does_not_depend_on_the_number_of_the_trial", ()),
    (EndsTheSeventhOfTen, "a_verdict_does_not_depend_on_the_number_of_the_trial", ()),
    (ForgetsTheEarlier, "trials_of_an_earlier_search_count_as_those_of_this_one", ()),
    (HatesNaN, "values_that_are_no_numbers_are_borne", (math.nan,)),
    (WantsOrder, "steps_may_repeat_descend_and_have_gaps", ()),
    (Moody, "two_that_saw_the_same_say_the_same", ()),
    (RemembersEverything, "a_retry_begins_anew", ()),
    (NotItself, "a_retold_pruner_says_what_the_first_one_would", ()),
    (NeedsValues, "it_bears_that_all_trials_end_without_a_value", (State.FAILED,)),
    (KnowsItsOwn, "the_end_of_a_trial_that_it_never_saw_is_borne", ()),
    (SaysTooFewSteps, "verdict_steps_leave_out_no_step_at_which_it_would_say_stop", ()),
    (LooksAtAll, "what_a_trial_costs_does_not_grow_with_their_number", ()),
]


@pytest.mark.parametrize(("faulty", "test", "arguments"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])  # type: ignore[attr-defined]  # classes have names
def test_a_planted_fault_fails_its_test(faulty: Callable[[], Any], test: str, arguments: tuple[Any, ...]) -> None:
    check = getattr(PrunerSuite(), f"test_{test}")
    check(MedianPruner, *arguments)  # what is not faulty passes
    with pytest.raises(Exception):  # noqa: B017, PT011  whichever way the fault shows
        check(faulty, *arguments)


def test_every_test_of_the_suite_has_a_fault_that_it_catches() -> None:
    assert {f"test_{test}" for _, test, _ in FAULTS} == {name for name in vars(PrunerSuite) if name.startswith("test_")}
