"""Figures, ratios, goals."""

from __future__ import annotations

import pytest

from benchmarks.harness.figures import Figure, Goal, add_ratios, at_least, at_most, ratio


def figure(key: str, *samples: float, does_less: str = "") -> Figure:
    return Figure(key, f"the {key}", "s", list(samples), does_less=does_less)


def test_a_ratio_is_taken_within_each_repetition() -> None:
    assert ratio("r", "r", figure("a", 10, 100, 6), figure("b", 5, 10, 3)).samples == [2, 10, 2]


def test_a_ratio_counts_the_repetitions_that_both_have() -> None:
    assert ratio("r", "r", figure("a", 10, 100), figure("b", 5)).samples == [2]


def test_a_ratio_carries_what_both_do_less_once() -> None:
    both = ratio("r", "r", figure("a", 1, does_less="x"), figure("b", 1, does_less="y"))
    same = ratio("r", "r", figure("a", 1, does_less="x"), figure("b", 1, does_less="x"))
    assert (both.does_less, same.does_less) == ("x; y", "x")


def test_ratios_of_what_was_not_measured_are_left_out() -> None:
    figures = {"a": figure("a", 1)}
    add_ratios(figures, [("r", "r", "a", "b"), ("s", "s", "b", "a")])
    assert list(figures) == ["a"]


@pytest.mark.parametrize(("samples", "is_met"), [((1, 3, 9), True), ((1, 2, 9), False)])
def test_a_goal_is_judged_by_the_median(samples: tuple[float, ...], is_met: bool) -> None:
    assert Goal(figure("a", *samples), 3).met is is_met
    assert Goal(figure("a", *(-sample for sample in samples)), -3, at_most=True).met is is_met


def test_goals_keep_their_side_in_json() -> None:
    figures = {"a": figure("a", 2.0), "b": figure("b", 4.0)}
    goals = [*at_least(figures, {"a": 1, "missing": 1}), *at_most(figures, {"b": 3})]
    written = [goal.as_json() for goal in goals]
    assert written == [
        {"figure": "a", "at_least": 1, "measured": 2.0, "met": True},
        {"figure": "b", "at_most": 3, "measured": 4.0, "met": False},
    ]
    assert [Goal.from_json(one, figures) for one in written] == goals


def test_a_figure_comes_back_from_json_as_it_was() -> None:
    one = Figure("k", "label", "ms", [3.0, 1.0], "ray", "nothing on disk")
    assert Figure.from_json("k", one.as_json()) == one
    assert (one.as_json()["low"], one.as_json()["median"], one.as_json()["high"]) == (1.0, 2.0, 3.0)
