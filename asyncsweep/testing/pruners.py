"""What every pruner must do, as a test suite: subclass it with one fixture.

    class TestStubborn(PrunerSuite):
        @pytest.fixture
        def make(self) -> Callable[[], Pruner]:
            return StubbornPruner

`make` builds a new pruner each time it is called. Where a pruner is of another kind than most, the attributes of the suite say
so: nothing is skipped by itself. The suite needs pytest; nothing else of asyncsweep imports this module.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, ClassVar

import cloudpickle
import pytest

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import Pruner, VerdictSteps
from asyncsweep.testing.trials import journaled, told_trial
from asyncsweep.worker.port import Steps

Trace = Sequence[tuple[int, float]]

N_STEPS = 28
"""The steps that a trial of `curves` reports."""
EVERY_STEP = Steps(0, 1)
NO_STEP = Steps(sys.maxsize, 1)


def curves(count: int, seed: int = 0) -> list[list[tuple[int, float]]]:
    """Learning curves of `count` trials: each falls from 1 to a level of its own, with noise, at steps 0, 1, 2, ..."""
    numbers = random.Random(seed)
    found = []
    for _ in range(count):
        level = numbers.random()
        found.append([(step, level + (1 - level) / (1 + step) + numbers.gauss(0, 0.02)) for step in range(N_STEPS)])
    return found


class Course:
    """A pruner that is open, given reports and asked as a sweep would.

    Attributes:
        pruner: The pruner.
        verdicts: Every answer, as (trial, step, verdict), in order.
    """

    def __init__(self, pruner: Pruner, direction: Direction = "minimize") -> None:
        self.pruner = pruner
        self.verdicts: list[tuple[int, int, bool]] = []
        self._direction = direction
        self._reports: dict[int, list[tuple[int, float]]] = {}
        self._attrs: dict[int, dict[str, Any]] = {}
        self._ended: dict[int, State] = {}
        pruner.open(direction, 1, "rehearsal")

    def report(self, trial: int, step: int, value: float) -> None:
        self._reports.setdefault(trial, []).append((step, value))
        self.pruner.report(trial, step, value)

    def judge(self, trial: int, step: int) -> bool:
        """The verdict; anything but True and False is refused."""
        verdict = self.pruner.judge(trial, step)
        assert type(verdict) is bool
        self.verdicts.append((trial, step, verdict))
        if hasattr(self.pruner, "attrs"):
            self._attrs.setdefault(trial, {}).update(journaled(self.pruner.attrs(trial)) or {})
        return verdict

    def restart(self, trial: int) -> None:
        """A retry of the trial begins."""
        self._reports.pop(trial, None)
        self._attrs.pop(trial, None)
        self.pruner.restart(trial)

    def end(self, trial: int, state: State = State.COMPLETE) -> None:
        """The trial is final."""
        self._ended[trial] = state
        self.pruner.finish(self._told(trial, state))

    def run(self, trial: int, trace: Trace, state: State = State.COMPLETE, *, asking: Steps = EVERY_STEP) -> bool:
        """Report a trace and ask where a worker would; True when the trial was pruned."""
        highest = asked = -1
        for step, value in trace:
            self.report(trial, step, value)
            highest = max(highest, step)
            if asking.is_due(highest, asked):
                if self.judge(trial, highest):
                    self.end(trial, State.PRUNED)
                    return True
                asked = highest
        self.end(trial, state)
        return False

    def again(self, pruner: Pruner) -> Course:
        """A resumed sweep: another pruner, told of the final trials in the order of their numbers, then of those that run."""
        resumed = Course(pruner, self._direction)
        for trial in sorted({*self._reports, *self._ended}):
            running = trial not in self._ended
            if running and trial in self._attrs and hasattr(pruner, "restore"):
                pruner.restore(trial, self._attrs[trial])
            for step, value in self._reports.get(trial, ()):
                resumed.report(trial, step, value)
            if not running:
                resumed._attrs[trial] = self._attrs.get(trial, {})
                resumed.end(trial, self._ended[trial])
        return resumed

    def _told(self, trial: int, state: State) -> Any:
        reports = self._reports.get(trial, [])
        has_value = reports and state in (State.COMPLETE, State.PRUNED)
        metrics = {"value": reports[-1][1]} if has_value else {}
        attrs = self._attrs.get(trial) or None
        return told_trial(trial, {}, metrics, state=state, reports=reports, pruner_attrs=attrs)


class PrunerSuite:
    """Subclass it with a fixture `make`: a function that builds a new pruner, not yet open.

    Attributes:
        prunes: False for a pruner that lets every trial of `curves` go on.
        compares: False for a pruner that looks at one trial alone, so that even the best trial may end early.
        ignores_numbers: False for a pruner whose verdicts depend on the trial's number, as Hyperband's do.
        is_incremental: False for a pruner whose verdicts may cost more the more trials there were.
        n_trials: The number of trials from which it has something to say.
    """

    prunes: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    ignores_numbers: ClassVar[bool] = True
    is_incremental: ClassVar[bool] = True
    n_trials: ClassVar[int] = 40

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        """Builds the pruner under test."""
        raise pytest.UsageError("a subclass of PrunerSuite needs a fixture `make`")

    def experienced(self, make: Callable[[], Pruner]) -> Course:
        """A pruner that saw `n_trials` whole trials, none of them pruned."""
        course = Course(make())
        for trial, trace in enumerate(curves(self.n_trials)):
            course.run(trial, trace, asking=NO_STEP)
        return course

    def test_it_says_where_it_runs(self, make: Callable[[], Pruner]) -> None:
        assert getattr(make(), "host", "process") in ("inline", "thread", "process")

    def test_it_goes_to_its_host_before_it_is_opened(self, make: Callable[[], Pruner]) -> None:
        pruner = make()
        if getattr(pruner, "host", "process") == "process":
            # What the sampler host does with the launch message of its parent.
            course = Course(cloudpickle.loads(cloudpickle.dumps(pruner)))
            course.run(0, curves(1)[0])
            assert course.verdicts

    def test_it_ends_some_trials_and_not_all(self, make: Callable[[], Pruner]) -> None:
        course = Course(make())
        pruned = [course.run(trial, trace) for trial, trace in enumerate(curves(2 * self.n_trials))]
        assert (any(pruned), all(pruned)) == (self.prunes, False)

    def test_a_trial_without_reports_goes_on(self, make: Callable[[], Pruner]) -> None:
        assert not Course(make()).judge(0, 0)
        assert not self.experienced(make).judge(self.n_trials, 3)

    def test_the_best_trial_goes_on_and_which_is_best_depends_on_the_direction(
        self, make: Callable[[], Pruner]
    ) -> None:
        for direction, sign in (("minimize", -1.0), ("maximize", 1.0)):
            course = Course(make(), direction)  # type: ignore[arg-type]  # mypy takes the tuple's text for any text
            for trial, trace in enumerate(curves(self.n_trials)):
                course.run(trial, trace, asking=NO_STEP)
            best = [(step, sign * (10.0 + step)) for step in range(N_STEPS)]
            assert not (self.compares and course.run(self.n_trials, best))

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_a_trial_that_is_better_than_all_others_at_every_step_is_never_ended(
        self, make: Callable[[], Pruner], direction: Direction
    ) -> None:
        if not self.compares:
            return
        course = Course(make(), direction)
        sign = 1.0 if direction == "minimize" else -1.0
        for trial, trace in enumerate(curves(self.n_trials)):
            course.run(trial, [(step, sign * value) for step, value in trace])
        for trial in range(self.n_trials, self.n_trials + 20):
            best = [(step, -sign * (100.0 * trial + step)) for step in range(N_STEPS)]
            assert not course.run(trial, best), f"trial {trial} was the best so far at each of its steps"

    def test_a_verdict_does_not_depend_on_the_number_of_the_trial(self, make: Callable[[], Pruner]) -> None:
        if not self.ignores_numbers:
            return
        found = []
        for number in range(self.n_trials, self.n_trials + 12):
            course = self.experienced(make)
            for place, trace in enumerate(curves(3, seed=5)):  # better than all, one of many, worse than all
                course.run(number + 12 * place, [(step, value + place - 1) for step, value in trace])
            found.append([(step, verdict) for _, step, verdict in course.verdicts])
        assert found == [found[0]] * len(found)

    def test_trials_of_an_earlier_search_count_as_those_of_this_one(self, make: Callable[[], Pruner]) -> None:
        if not self.ignores_numbers:
            return
        past = curves(self.n_trials)
        own, earlier = Course(make()), Course(make())
        for trial, trace in enumerate(past):
            own.run(trial, trace, asking=NO_STEP)
            earlier.run(trial - len(past), trace, asking=NO_STEP)
        for trial, trace in enumerate(curves(6, seed=5), self.n_trials):
            own.run(trial, trace)
            earlier.run(trial, trace)
        assert own.verdicts == earlier.verdicts

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_values_that_are_no_numbers_are_borne(self, make: Callable[[], Pruner], value: float) -> None:
        course = self.experienced(make)
        course.run(self.n_trials, [(step, value) for step in range(N_STEPS)])
        mixed = [(step, value if step % 3 else 0.5) for step in range(N_STEPS)]
        course.run(self.n_trials + 1, mixed, asking=NO_STEP)
        course.run(self.n_trials + 2, curves(1, seed=5)[0])
        assert course.verdicts

    def test_steps_may_repeat_descend_and_have_gaps(self, make: Callable[[], Pruner]) -> None:
        course = self.experienced(make)
        for trial, steps in enumerate([(0, 0, 1, 1, 1), (9, 4, 2, 0), (3, 17, 5, 17, 1000), (10**12,)], self.n_trials):
            course.run(trial, [(step, 0.1 * place) for place, step in enumerate(steps)])
        course.run(self.n_trials + 9, curves(1, seed=5)[0])
        assert course.verdicts

    def test_two_that_saw_the_same_say_the_same(self, make: Callable[[], Pruner]) -> None:
        one, other = Course(make()), Course(make())
        for trial, trace in enumerate(curves(self.n_trials)):
            one.run(trial, trace)
            other.run(trial, trace)
        assert one.verdicts == other.verdicts

    def test_a_retry_begins_anew(self, make: Callable[[], Pruner]) -> None:
        retried, plain = self.experienced(make), self.experienced(make)
        for trial, trace in enumerate(curves(10, seed=3), self.n_trials):
            first = [(step, 50.0 * (-1) ** trial) for step, _ in trace[: 5 + trial % 7]]
            for step, value in first:
                retried.report(trial, step, value)
                retried.judge(trial, step)
            retried.restart(trial)
            retried.verdicts.clear()
            plain.verdicts.clear()
            retried.run(trial, trace)
            plain.run(trial, trace)
            assert retried.verdicts == plain.verdicts

    def test_a_retold_pruner_says_what_the_first_one_would(self, make: Callable[[], Pruner]) -> None:
        course = Course(make())
        traces = curves(self.n_trials + 12)
        for trial in range(self.n_trials):
            course.run(trial, traces[trial])
        running = range(self.n_trials, self.n_trials + 6)
        half = N_STEPS // 2
        alive = [t for t in running if not _goes_until(course, t, traces[t][:half])]
        resumed = course.again(make())
        course.verdicts.clear()
        for trial in alive:
            for each in (course, resumed):
                each.run(trial, traces[trial][half:])
        for trial in range(self.n_trials + 6, self.n_trials + 12):
            for each in (course, resumed):
                each.run(trial, traces[trial])
        assert resumed.verdicts == course.verdicts

    @pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
    def test_it_bears_that_all_trials_end_without_a_value(self, make: Callable[[], Pruner], state: State) -> None:
        course = Course(make())
        for trial, trace in enumerate(curves(20)):
            course.run(trial, trace[: trial % 4], state)
        course.run(20, curves(1, seed=5)[0])
        assert course.verdicts

    def test_the_end_of_a_trial_that_it_never_saw_is_borne(self, make: Callable[[], Pruner]) -> None:
        course = Course(make())
        for trial in (-2, -1, 7):  # negative numbers: trials of an earlier search
            course.pruner.finish(told_trial(trial, {}, {"value": 0.5}))
            course.pruner.finish(told_trial(trial, {}, {"value": 0.5}, reports=[(0, 0.5), (1, 0.4)]))
        course.restart(9)
        course.run(0, curves(1)[0])
        assert course.verdicts

    def test_verdict_steps_leave_out_no_step_at_which_it_would_say_stop(self, make: Callable[[], Pruner]) -> None:
        due = verdict_steps(make())
        everywhere, where_due = Course(make()), Course(make())
        for trial, trace in enumerate(curves(self.n_trials)):
            pruned = everywhere.run(trial, trace)
            assert (False if due is None else where_due.run(trial, trace, asking=due)) == pruned
        stops = [verdict[:2] for verdict in everywhere.verdicts if verdict[2]]
        assert [verdict[:2] for verdict in where_due.verdicts if verdict[2]] == stops

    def test_what_a_trial_costs_does_not_grow_with_their_number(self, make: Callable[[], Pruner]) -> None:
        if not self.is_incremental:
            return
        course = Course(make())
        few, many = 100, 1000
        costs = {}
        for trial, trace in enumerate(curves(many + 1)):
            if trial in (few, many):
                for step, value in trace:  # a report counts, a verdict counts, and so does the end
                    course.report(trial, step, value)
                    costs[trial, step] = lines_of(partial(course.pruner.judge, trial, step))
                costs[trial, N_STEPS] = lines_of(partial(course.end, trial))
            else:
                course.run(trial, trace[: 1 + trial % N_STEPS], asking=NO_STEP)
        before, after = (sum(cost for key, cost in costs.items() if key[0] == trial) for trial in (few, many))
        # O(log n) makes it half as much again; O(n) ten times as much.
        assert after <= 3 * before, f"{before} lines of Python with {few} trials, {after} with {many}"


def verdict_steps(pruner: Pruner) -> Steps | None:
    """Where a worker would ask for verdicts of a pruner, not yet open."""
    pruner.open("minimize", 1, "rehearsal")
    due = pruner.verdict_steps() if hasattr(pruner, "verdict_steps") else VerdictSteps()
    return None if due is None else Steps(due.first, due.every, due.factor)


def lines_of(call: Callable[[], object]) -> int:
    """How many lines of Python a call executes; loops inside of functions written in C count for nothing."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def _goes_until(course: Course, trial: int, trace: Trace) -> bool:
    """Report the beginning of a trace; True when the trial was pruned on the way."""
    for step, value in trace:
        course.report(trial, step, value)
        if course.judge(trial, step):
            course.end(trial, State.PRUNED)
            return True
    return False
