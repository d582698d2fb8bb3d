"""What a pruner hears before a verdict: everything, or with a window exactly what the verdict may know."""

from __future__ import annotations

from array import array
from typing import Any

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.search.lanes import Lane, Pruning


class Listener:
    """A pruner that notes what it hears; with `attrs` it keeps something of each verdict."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def report(self, trial: int, step: int, value: float) -> None:
        self.heard.append((trial, step, value))

    def restart(self, trial: int) -> None:
        self.heard.append(f"restart {trial}")

    def restore(self, trial: int, attrs: dict[str, Any]) -> None:
        self.heard.append(f"restore {trial} {attrs}")

    def judge(self, trial: int, step: int) -> bool:
        self.heard.append(f"judge {trial} at {step}")
        return step == 7

    def finish(self, trial: Any) -> None:
        self.heard.append(f"finish {trial.number}")

    def attrs(self, trial: int) -> dict[str, Any]:
        return {"rung": 1} if trial == 5 else {}


class Reader(Listener):
    reads_records = True


class Highest(Listener):
    only_highest = True


def record(number: int, *reports: tuple[int, float], state: State = State.RUNNING, attempt: int = 1) -> TrialRecord:
    steps = array("q", (step for step, _ in reports))
    return TrialRecord(
        number, state, attempt, steps=steps or None, reported=array("d", (value for _, value in reports)) or None
    )


def test_reports_are_given_once_and_before_the_verdict() -> None:
    lane = Lane(listener := Listener())  # type: ignore[arg-type]
    lane.judge(record(0, (1, 0.5)), 1)
    lane.judge(record(0, (1, 0.5), (2, 0.25)), 2)
    assert listener.heard == [(0, 1, 0.5), "judge 0 at 1", (0, 2, 0.25), "judge 0 at 2"]


def test_a_verdict_comes_with_what_the_pruner_wants_kept() -> None:
    lane = Lane(Listener())  # type: ignore[arg-type]
    assert lane.judge(record(5, (7, 0.5)), 7) == (True, {"rung": 1})
    assert lane.judge(record(4, (1, 0.5)), 1) == (False, None)


def test_a_retry_begins_with_a_restart() -> None:
    lane = Lane(listener := Listener())  # type: ignore[arg-type]
    lane.judge(record(0, (1, 0.5)), 1)
    lane.judge(record(0, (1, 0.75), attempt=2), 1)
    assert listener.heard[2:] == ["restart 0", (0, 1, 0.75), "judge 0 at 1"]


def test_a_new_pruner_gets_back_what_the_former_one_kept_of_a_running_trial() -> None:
    lane = Lane(listener := Listener())  # type: ignore[arg-type]
    running = record(0, (1, 0.5))
    running.pruner_attrs = {"rung": 2}
    lane.judge(running, 1)
    assert listener.heard == ["restore 0 {'rung': 2}", (0, 1, 0.5), "judge 0 at 1"]


def test_what_it_has_not_heard_of_a_final_trial_is_given_before_the_end() -> None:
    lane = Lane(listener := Listener())  # type: ignore[arg-type]
    lane.judge(record(0, (1, 0.5)), 1)
    final = record(0, (1, 0.5), (2, 0.25), state=State.COMPLETE)
    lane.feed_last(final)
    lane.finish(final)
    assert listener.heard[2:] == [(0, 2, 0.25), "finish 0"]


def test_a_pruner_that_reads_records_is_given_the_end_alone() -> None:
    lane = Lane(reader := Reader())  # type: ignore[arg-type]
    final = record(0, (1, 0.5), state=State.COMPLETE)
    lane.feed_last(final)
    lane.finish(final)
    assert reader.heard == ["finish 0"]


def test_a_pruner_of_the_highest_step_is_given_that_one_of_what_is_new() -> None:
    lane = Lane(listener := Highest())  # type: ignore[arg-type]
    lane.judge(record(0, (1, 0.5), (7, 0.25), (3, 0.75)), 7)
    lane.judge(record(0, (1, 0.5), (7, 0.25), (3, 0.75)), 7)
    lane.judge(record(0, (1, 0.5), (7, 0.25), (3, 0.75), (8, 1.0), (9, 1.5)), 9)
    judged = ["judge 0 at 7", "judge 0 at 7", (0, 9, 1.5), "judge 0 at 9"]
    assert listener.heard == [(0, 7, 0.25), *judged]


def pruning(window: int) -> tuple[Pruning, list[Listener]]:
    made: list[Listener] = []

    def make() -> Any:
        made.append(Listener())
        return made[-1]

    return Pruning(make, window), made


def tell(judge: Pruning, *numbers: int) -> None:
    for number in numbers:
        final = record(number, (1, number / 10), state=State.COMPLETE)
        judge.feed_last(final)
        judge.finish(final)


def test_without_a_window_one_pruner_hears_everything_at_once() -> None:
    judge, made = pruning(0)
    tell(judge, 3, 1)
    judge.judge(record(4, (1, 0.5)), 1)
    assert [listener.heard for listener in made] == [
        [(3, 1, 0.3), "finish 3", (1, 1, 0.1), "finish 1", (4, 1, 0.5), "judge 4 at 1"]
    ]


def test_with_a_window_a_verdict_knows_the_trials_up_to_its_own_less_the_window() -> None:
    judge, made = pruning(2)
    tell(judge, 0, 1, 2)
    judge.judge(record(3, (1, 0.5)), 1)
    assert made[1].heard == [(0, 1, 0.0), "finish 0", (1, 1, 0.1), "finish 1", (3, 1, 0.5), "judge 3 at 1"]


def test_with_a_window_each_running_trial_has_a_pruner_of_its_own() -> None:
    judge, made = pruning(2)
    tell(judge, 0)
    judge.judge(record(2, (1, 0.5)), 1)
    judge.judge(record(1, (1, 0.25)), 1)
    assert [listener.heard[-2:] for listener in made] == [
        [(2, 1, 0.5), "judge 2 at 1"],
        [(1, 1, 0.25), "judge 1 at 1"],
    ]


def test_with_a_window_a_lane_hears_the_end_of_the_trial_that_it_judged() -> None:
    judge, made = pruning(1)
    judge.judge(record(0, (1, 0.0)), 1)
    tell(judge, 0)
    judge.judge(record(1, (1, 0.5)), 1)
    assert made[0].heard == [(0, 1, 0.0), "judge 0 at 1", "finish 0", (1, 1, 0.5), "judge 1 at 1"]


def test_with_a_window_trials_of_earlier_searches_are_heard_first() -> None:
    judge, made = pruning(2)
    tell(judge, -1, -2)
    judge.judge(record(0, (1, 0.5)), 1)
    assert [what for what in made[0].heard if isinstance(what, str)] == ["finish -1", "finish -2", "judge 0 at 1"]
