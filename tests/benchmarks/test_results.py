"""What a run writes as JSON, and prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import results, setting, tables
from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import Figure, Goal
from benchmarks.harness.results import Results


@pytest.fixture
def run() -> Results:
    ours = Figure("ours", "sweep, journal", "trials/s", [40_000.0, 50_000.0, 60_000.0])
    theirs = Figure("theirs", "loop", "trials/s", [5_000.0, 5_000.0, 5_000.0], "by_hand", "keeps nothing on disk")
    outcome = Outcome(
        figures={"ours": ours, "theirs": theirs},
        goals=[Goal(ours, 50_000), Goal(theirs, 0.4, at_most=True)],
        failed={"ray_200": "RuntimeError: it broke"},
        skipped={"smac_10000": "more than 1,000 trials would take minutes"},
        notes=["a note"],
        noise=[0.01, 0.02, 0.01],
        loads=[0.5, 1.5, 2.5],
    )
    return Results({"versions": {"optuna": "5.0.0"}, "processors": 2, "took_s": 1.5}, {"overhead": outcome})


def test_a_run_comes_back_as_it_was_written(run: Results, tmp_path: Path) -> None:
    results.write(run, tmp_path / "new" / "run.json")
    assert results.read(tmp_path / "new" / "run.json") == run


@pytest.mark.parametrize("content", ["", "[]", '{"format": 99}', "{"])
def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"other\.json"):
        results.read(file)


def test_failures_are_known_and_what_was_left_out_is_none(run: Results) -> None:
    assert run.has_failures
    run.workloads["overhead"].failed.clear()
    assert not run.has_failures


def test_a_run_is_printed_in_plain_lines(run: Results, capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(run)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "versions: optuna 5.0.0",
        "took s: 1.50",
        "== overhead",
        "sweep, journal 50,000 40,000 .. 60,000 trials/s",
        "loop [a] 5,000 5,000 .. 5,000 trials/s",
        "sweep, journal >= 50,000 trials/s 50,000 trials/s yes",
        "loop [a] <= 0.40 trials/s 5,000 trials/s NO",
        "[a] keeps nothing on disk",
        "failed: ray_200: RuntimeError: it broke",
        "not measured: smac_10000: more than 1,000 trials would take minutes",
        "noise: the same pure Python work took 1.00 .. 2.00 of its median",
        "a note",
    ):
        assert line in lines


def test_each_lack_has_a_mark_of_its_own() -> None:
    figures = [Figure(str(n), str(n), "s", [1.0], "peer", f"lack {n % 30}") for n in range(60)]
    marks = tables.marks_of(figures)
    assert len(marks) == 30 and len(set(marks.values())) == 30
    assert (marks["lack 0"], marks["lack 25"], marks["lack 26"]) == ("a", "z", "aa")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (0.4, "0.40"), (12.34, "12.3"), (50_000.4, "50,000"), (-3, "-3.00")],
)
def test_numbers_are_shown_with_the_digits_that_say_something(value: float, text: str) -> None:
    assert tables.shown(value) == text


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmp/x xfs rw 0 0\n")
    found = [setting.file_system(Path(path), mounts) for path in ("/home", "/tmp/y", "/tmp/x/y", "/tmpfile")]
    assert found == ["ext4", "tmpfs", "xfs", "ext4"]


def test_the_setting_says_with_what_and_where(tmp_path: Path) -> None:
    described = setting.described("asyncio", tmp_path, is_quick=True, peers=("ray",))
    setting.ended(described, 2.0, {"ray": {"ray": "2.60.0"}})
    assert described["versions"]["optuna"] and described["versions_of_peers"] == {"ray": {"ray": "2.60.0"}}
    assert described["processors"] >= 1 and described["is_quick"] is True
    assert len(described["load_average_before"]) == len(described["load_average_after"]) == 3
