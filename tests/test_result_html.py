"""What a notebook shows of results and runs."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from tests.promises.markup import ALL
from tests.test_result import result, trial

TAGS = {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "progress"}


def rows(shown: str) -> list[list[str]]:
    """The texts of the table's cells."""
    found = re.findall(r"<tr>(.*?)</tr>", shown, flags=re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found]


def tags(shown: str) -> list[tuple[str, set[str]]]:
    """Every element with the names of its attributes."""
    seen: list[tuple[str, set[str]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append((tag, {name for name, _ in attrs}))  # type: ignore[method-assign]
    parser.feed(shown)
    return seen


def test_the_best_trials_come_first_and_no_more_than_five() -> None:
    values = [3.0, 1.0, 2.0, 1.0, 9.0, math.inf, -1.0]
    trials = [trial(n, "COMPLETE", {"x": 0.5, "k": 30}, value=value) for n, value in enumerate(values)]
    shown = result(*trials, trial(7, "FAILED"), space={"x": sw.Float(0, 1), "k": 30})._repr_html_()
    assert [row[:3] for row in rows(shown)] == [
        ["trial", "value", "x"],
        ["6", "-1", "0.5"],
        ["1", "1", "0.5"],
        ["3", "1", "0.5"],
        ["2", "2", "0.5"],
        ["0", "3", "0.5"],
    ]
    assert rows(shown)[0] == ["trial", "value", "x", "time"]
    assert "<b>8 trials</b>" in shown and ">complete 7</span>" in shown and "n_trials reached" in shown


def test_the_best_of_a_maximized_metric_are_the_greatest() -> None:
    trials = [trial(n, "COMPLETE", {"x": 0.5}, acc=value) for n, value in enumerate([0.1, 0.9, 0.5])]
    assert [row[0] for row in rows(result(*trials, acc="maximize")._repr_html_())] == ["trial", "1", "2", "0"]


def test_infeasible_trials_are_not_the_best() -> None:
    bad = trial(0, "COMPLETE", {"x": 0.5}, value=0.0)
    bad.constraints = {"memory": 1.0}
    assert [row[0] for row in rows(result(bad, trial(1, "COMPLETE", {}, value=1.0))._repr_html_())] == ["trial", "1"]


def test_of_several_directions_the_front_is_shown() -> None:
    trials = [trial(n, "COMPLETE", {"x": 0.5}, a=a, b=b) for n, (a, b) in enumerate([(1, 2), (2, 1), (2, 2)])]
    shown = result(*trials, a="minimize", b="minimize")._repr_html_()
    assert "Pareto front: 2 trials" in shown and [row[0] for row in rows(shown)] == ["trial", "0", "1"]


@pytest.mark.parametrize(
    "trials", [(), (trial(0, "FAILED"),), (trial(0, "RUNNING", {"x": 0.5}),)], ids=["none", "failed", "running"]
)
def test_without_a_best_trial_there_is_no_table(trials: Any) -> None:
    assert "<table" not in result(*trials)._repr_html_()


def test_of_many_parameters_the_first_are_shown() -> None:
    names = [f"p{n}" for n in range(200)]
    shown = result(
        trial(0, "COMPLETE", dict.fromkeys(names, 0.5), value=1.0), space={n: sw.Float(0, 1) for n in names}
    )._repr_html_()
    assert len(rows(shown)[0]) < 20 and "188 more parameters are not shown" in shown
    assert len(shown) < 10_000


@pytest.mark.parametrize("payload", ALL, ids=range(len(ALL)))
def test_no_text_becomes_markup(payload: str) -> None:
    found = result(
        trial(0, "COMPLETE", {payload: payload, "x": [payload]}, **{payload: 1.0, "value": 2.0}), space={payload: sw.Categorical([payload])}
    )  # fmt: skip
    found.reason = payload
    shown = found._repr_html_()
    assert all(tag in TAGS and attributes <= {"style", "value", "max"} for tag, attributes in tags(shown))
    assert shown.isprintable()


def test_a_run_shows_how_it_stands() -> None:
    shown: list[str | None] = []

    async def objective(trial: sw.Trial) -> float:
        await anyio.lowlevel.checkpoint()
        return 1.0

    async def main() -> None:
        run = sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=3).start()
        shown.append(run._repr_html_())
        async with run:
            run.pause()
            shown.append(run._repr_html_())
            run.unpause()
            await run.result()
            shown.append(run._repr_html_())

    anyio.run(main)
    before, paused, ended = shown
    assert before is None
    assert paused is not None and "<b>Sweep paused</b>" in paused
    assert ended is not None and '<b>Sweep ended</b>: 3 of 3 trials <progress value="3" max="3">' in ended
    assert [row[0] for row in rows(ended)] == ["trial", "0", "1", "2"]
