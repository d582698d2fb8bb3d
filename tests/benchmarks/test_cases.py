"""The runner: who is measured when, what becomes of failures, what a figure says about its contestant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.harness import cases
from benchmarks.harness.cases import QUICK_NOTE, Case, Options, Outcome, run
from benchmarks.harness.contestants import Answer, TakesNoPart
from benchmarks.harness.figures import Figure, Goal, add_ratios, at_least


@pytest.fixture(autouse=True)
def quickly_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is timed with little work."""
    monkeypatch.setattr(cases, "_NOISE_ROUNDS", 1_000)


@dataclass
class Told:
    """A workload of cases that tell when they are measured; "warm" marks those of the warm-up."""

    make: Callable[[Told, Options], list[Case]]
    order: list[str] = field(default_factory=list)
    name: str = "told"
    about: str = "nothing"
    notes: tuple[str, ...] = ("a note",)
    default_repetitions: int = 2

    def cases(self, options: Options) -> list[Case]:
        return self.make(self, options)

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        add_ratios(figures, [("a_by_b", "a / b", "a", "b")])
        return at_least(figures, {"a_by_b": 2, "never measured": 1})


def telling(*names: str) -> Told:
    def make(told: Told, options: Options) -> list[Case]:
        def measure(name: str) -> Mapping[str, float]:
            told.order.append(f"{'warm ' if options.is_warm_up else ''}{name}")
            return {"": float(len(told.order))}

        return [Case(name, name, "s", lambda name=name: measure(name)) for name in names]  # type: ignore[misc]

    return Told(make)


def of(*cases: Case) -> Told:
    return Told(lambda told, options: list(cases))


def outcome_of(workload: Told, folder: Path, repetitions: int = 2, quick: bool = False) -> Outcome:
    return run(workload, Options(folder, quick=quick), repetitions)


def test_everything_is_warmed_up_and_then_measured_in_turn(tmp_path: Path) -> None:
    workload = telling("a", "b")
    outcome_of(workload, tmp_path)
    assert workload.order == ["warm a", "warm b", "a", "b", "a", "b"]


def test_the_warm_up_leaves_no_sample(tmp_path: Path) -> None:
    outcome = outcome_of(telling("a", "b"), tmp_path)
    assert {key: figure.samples for key, figure in outcome.figures.items()} == {
        "a": [3, 5],
        "b": [4, 6],
        "a_by_b": [3 / 4, 5 / 6],
    }


def test_goals_are_of_what_was_measured(tmp_path: Path) -> None:
    goals = outcome_of(telling("a", "b"), tmp_path).goals
    assert [(goal.figure.key, goal.limit, goal.met) for goal in goals] == [("a_by_b", 2, False)]


def test_the_machine_is_timed_before_every_case(tmp_path: Path) -> None:
    outcome = outcome_of(telling("a", "b"), tmp_path, repetitions=3)
    assert (len(outcome.noise), len(outcome.loads)) == (6, 6)
    assert "of its median" in outcome.noise_line


def test_a_case_with_several_figures_names_each(tmp_path: Path) -> None:
    case = Case("lag", "loop lag", "ms", lambda: {"p50": 1.0, "of start": 2.0, "busy": 3.0}, units={"busy": "%"})
    figures = outcome_of(of(case), tmp_path, 1).figures
    assert [(key, figure.label, figure.unit) for key, figure in figures.items()] == [
        ("lag_p50", "loop lag, p50", "ms"),
        ("lag_of_start", "loop lag, of start", "ms"),
        ("lag_busy", "loop lag, busy", "%"),
    ]


def test_a_case_that_fails_is_a_line_and_the_others_go_on(tmp_path: Path) -> None:
    def fail() -> Mapping[str, float]:
        raise RuntimeError("it is broken\nin two lines")

    outcome = outcome_of(of(Case("bad", "bad", "s", fail), Case("a", "a", "s", lambda: {"": 1.0})), tmp_path)
    assert outcome.failed == {"bad": "RuntimeError: it is broken"}
    assert list(outcome.figures) == ["a"]


def test_a_case_that_fails_once_is_not_measured_again_and_has_no_figure(tmp_path: Path) -> None:
    calls = []

    def fail_later() -> Mapping[str, float]:
        calls.append(1)
        if len(calls) == 3:  # the warm-up is the first
            raise ValueError("too late")
        return {"x": 1.0}

    outcome = outcome_of(of(Case("bad", "bad", "s", fail_later)), tmp_path, repetitions=5)
    assert (len(calls), list(outcome.figures), list(outcome.failed)) == (3, [], ["bad"])


def test_who_takes_no_part_has_not_failed(tmp_path: Path) -> None:
    def refuse() -> Mapping[str, float]:
        raise TakesNoPart("it would take minutes")

    outcome = outcome_of(of(Case("big", "big", "s", refuse)), tmp_path)
    assert (outcome.failed, outcome.skipped) == ({}, {"big": "it would take minutes"})


def test_who_takes_no_part_any_more_has_no_figure(tmp_path: Path) -> None:
    answers = iter([{"": 1.0}, {"": 1.0}])

    def refuse_in_the_end() -> Mapping[str, float]:
        try:
            return next(answers)
        except StopIteration:
            raise TakesNoPart("no more") from None

    outcome = outcome_of(of(Case("a", "a", "s", refuse_in_the_end)), tmp_path)
    assert (outcome.figures, outcome.skipped) == ({}, {"a": "no more"})


def test_a_workload_that_cannot_begin_is_a_line(tmp_path: Path) -> None:
    def make(told: Told, options: Options) -> list[Case]:
        raise RuntimeError("no browser")

    assert outcome_of(Told(make), tmp_path).failed == {"told": "RuntimeError: no browser"}


@pytest.mark.parametrize("says", ["the case", "the answer"])
def test_what_a_contestant_does_less_goes_into_its_figures_and_ratios(tmp_path: Path, says: str) -> None:
    answer = Answer({"": 1.0})
    answer.does_less = "in memory" if says == "the answer" else ""
    less = "in memory" if says == "the case" else ""
    workload = of(Case("a", "a", "s", lambda: {"": 2.0}), Case("b", "b", "s", lambda: answer, "peer", less))
    figures = outcome_of(workload, tmp_path).figures
    assert {key: (figure.contestant, figure.does_less) for key, figure in figures.items()} == {
        "a": ("asyncsweep", ""),
        "b": ("peer", "in memory"),
        "a_by_b": ("", "in memory"),
    }


def test_a_case_may_be_measured_in_the_first_repetitions_only(tmp_path: Path) -> None:
    workload = of(Case("a", "a", "s", lambda: {"": 2.0}), Case("b", "b", "s", lambda: {"": 1.0}, most_repetitions=1))
    figures = outcome_of(workload, tmp_path, repetitions=3).figures
    assert {key: len(figure.samples) for key, figure in figures.items()} == {"a": 3, "b": 1, "a_by_b": 1}


def test_what_a_round_made_is_cleaned_up_before_the_next(tmp_path: Path) -> None:
    def make(told: Told, options: Options) -> list[Case]:
        options.cleanup.callback(told.order.append, "cleaned up")
        return [Case("a", "a", "s", lambda: told.order.append("a") or {"": 1.0})]  # type: ignore[func-returns-value]

    workload = Told(make)
    outcome_of(workload, tmp_path, 1)
    assert workload.order == ["a", "cleaned up", "a", "cleaned up"]


def test_sizes_are_picked_by_what_the_round_is_for(tmp_path: Path) -> None:
    def picked(**how: bool) -> tuple[int, int]:
        options = Options(tmp_path, **how)  # type: ignore[arg-type]
        return options.pick(1000, 100, 10), options.pick(1000, 100)

    assert picked() == (1000, 1000)
    assert picked(quick=True) == (100, 100)
    assert picked(quick=True, is_warm_up=True) == picked(is_warm_up=True) == (10, 100)


def test_a_quick_run_says_that_it_says_little(tmp_path: Path) -> None:
    assert outcome_of(telling("a", "b"), tmp_path, quick=True).notes == ["a note", QUICK_NOTE]


def test_remarks_of_measures_become_notes_but_not_those_of_the_warm_up(tmp_path: Path) -> None:
    def make(told: Told, options: Options) -> list[Case]:
        def measure() -> Mapping[str, float]:
            options.remarks.append("warm" if options.is_warm_up else "measured")
            return {"": 1.0}

        return [Case("a", "a", "s", measure)]

    assert outcome_of(Told(make), tmp_path, 1).notes == ["a note", "measured"]
