"""A run beside an earlier one: what has changed beyond the noise, what has not, and what fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.harness import comparing, results
from benchmarks.harness.figures import Figure
from benchmarks.harness.results import Results
from tests.benchmarks.made import figure, run

STEADY = [98.0, 100.0, 102.0]
SLOWER = [78.0, 80.0, 82.0]


def words(old: Results, new: Results) -> list[str]:
    return [change.word for change in comparing.changes(old, new)]


def test_ranges_that_meet_say_nothing() -> None:
    assert words(run(figure(STEADY)), run(figure([90.0, 92.0, 98.0]))) == [""]


def test_fewer_trials_a_second_are_worse_and_more_are_better() -> None:
    assert words(run(figure(STEADY)), run(figure(SLOWER))) == ["WORSE"]
    assert words(run(figure(SLOWER)), run(figure(STEADY))) == ["better"]


@pytest.mark.parametrize("unit", ["ms", "s", "us", "MB", "us/report", "ms a trial"])
def test_less_time_and_memory_are_better(unit: str) -> None:
    assert words(run(figure(STEADY, unit)), run(figure(SLOWER, unit))) == ["better"]


def test_a_goal_says_which_way_is_better() -> None:
    old, new = figure(STEADY, "x"), figure(SLOWER, "x")
    assert words(run(old), run(new)) == ["changed"]
    assert words(run(old), run(new, limits=[(new, 50.0)])) == ["WORSE"]
    assert words(run(old), run(new, limits=[(new, 90.0)], at_most=True)) == ["better"]


def test_a_range_of_few_samples_is_widened_by_the_noise_of_its_run() -> None:
    old, new = figure([100.0]), figure([80.0])
    assert words(run(old), run(new)) == ["WORSE"]
    assert words(run(old), run(new, noise=[1.0, 1.0, 1.3])) == [""]


def test_what_was_nothing_has_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = run(figure([0.0, 0.0, 0.0], "ms")), run(figure(STEADY, "ms"))
    assert words(old, new) == ["changed"]
    assert comparing.show(old, new, 5.0) == 0
    assert "  -  changed" in capsys.readouterr().out


def test_worse_by_more_than_is_allowed_fails(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = run(figure(STEADY)), run(figure(SLOWER))
    assert comparing.show(old, new) == 0
    assert comparing.show(old, new, 25.0) == 0
    assert "Nothing is worse by more than 25 %" in capsys.readouterr().out
    assert comparing.show(old, new, 15.0) == 1
    assert (
        "FAILED: overhead: asyncsweep, in the loop is worse by 20.0 %: 80.0 trials/s, was 100"
        in capsys.readouterr().out
    )


def test_a_slower_peer_fails_nothing() -> None:
    old, new = (run(figure(samples, contestant="optuna")) for samples in (STEADY, SLOWER))
    assert words(old, new) == ["WORSE"]
    assert comparing.show(old, new, 1.0) == 0


def test_differing_settings_are_said_and_passing_ones_are_not() -> None:
    new = run(setting={"processors": 8, "at": "later", "versions": {"asyncsweep": "1.0", "optuna": "6.0"}})
    assert list(comparing.differences(run(), new)) == ["versions optuna: 5.0 -> 6.0", "processors: 2 -> 8"]
    assert list(comparing.differences(run(), run(setting={"at": "later"}))) == [
        "The settings are the same: versions, system, processors."
    ]


def test_a_slower_machine_is_said() -> None:
    *_, last = comparing.differences(run(), run(noise=[2.0, 2.0, 2.0]))
    assert last.startswith("The same pure Python work took 2.00 times as long in the new run")


def test_what_only_one_run_has_is_said_with_the_reason() -> None:
    old = run(figure(STEADY), figure(STEADY, contestant="ray"))
    new = run(figure(STEADY), failed={"ray_in_the_loop": "RuntimeError: no"}, setting={})
    assert list(comparing.missing(old, new)) == [
        "overhead: ray, in the loop: only the old run has it; RuntimeError: no"
    ]
    assert list(comparing.missing(new, old)) == ["overhead: ray, in the loop: only the new run has it"]
    assert list(comparing.missing(old, Results({}, {}))) == ["overhead: only the old run has it"]


def test_the_command_compares_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "old.json", tmp_path / "new.json"]
    for file, samples in zip(files, (STEADY, SLOWER), strict=True):
        results.write(run(figure(samples)), file)
    assert main(["compare", *map(str, files)]) == 0
    assert main(["compare", *map(str, files), "--fail-over", "10"]) == 1
    said = capsys.readouterr().out
    assert "0.80  WORSE" in said


def test_a_figure_without_samples_is_not_compared() -> None:
    assert comparing.changes(run(Figure("a", "a", "s")), run(Figure("a", "a", "s"))) == []
