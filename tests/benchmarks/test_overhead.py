"""The workload `overhead`: which cases it has, what it compares with what. Contestants are played; nothing is timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.cases import Options
from benchmarks.harness.contestants import Answer, Contestant, TakesNoPart
from benchmarks.harness.figures import Figure
from benchmarks.workloads.overhead import WORKLOAD

RATES = {
    ("asyncsweep", "in_loop_disk"): 60_000,
    ("asyncsweep", "processes_2_disk"): 20_000,
    ("asyncsweep", "processes_2"): 25_000,
    ("asyncsweep", "processes_8_disk"): 15_000,
    ("optuna", "in_loop"): 4_000,
    ("optuna", "processes_2_disk"): 500,
    ("by_hand", "processes_2"): 4_000,
    ("raw", "processes_2"): 40_000,
    ("ray", "processes_2"): 48,
}


@pytest.fixture
def figures() -> dict[str, Figure]:
    found = {}
    for (name, way), rate in RATES.items():
        for size in (200, 1_000):
            if (name, size) != ("raw", 200):
                key = f"{name}_{way}_{size}"
                found[key] = Figure(key, key, "trials/s", [float(rate * size / 1_000)], name)
    return found


def contestants(folder: Path, *names: str) -> list[Contestant]:
    for name in names:
        (folder / f"with_{name}.py").write_text("def overhead(n_trials, workers, durable): ...\n")
    return [Contestant(name, Path("python"), peers=folder) for name in names]


def test_every_contestant_is_asked_for_every_way_and_size(tmp_path: Path) -> None:
    cases = WORKLOAD.cases(Options(tmp_path, contestants(tmp_path, "asyncsweep", "ray")))
    expected = {
        f"{name}_{way}_{size}"
        for name in ("asyncsweep", "ray")
        for way in ("in_loop", "in_loop_disk", "processes_2", "processes_2_disk", "processes_8", "processes_8_disk")
        for size in (200, 1000, 10000)
    }
    assert {case.key for case in cases} == expected and len(cases) == len(expected)


def test_contestants_of_one_way_and_size_follow_each_other(tmp_path: Path) -> None:
    cases = WORKLOAD.cases(Options(tmp_path, contestants(tmp_path, "asyncsweep", "ray")))
    assert [case.contestant for case in cases] == ["asyncsweep", "ray"] * (len(cases) // 2)


def test_bare_round_trips_are_measured_in_processes_once(tmp_path: Path) -> None:
    cases = WORKLOAD.cases(Options(tmp_path, contestants(tmp_path, "raw")))
    assert [(case.key, case.unit) for case in cases] == [
        ("raw_processes_2_10000", "trips/s"),
        ("raw_processes_8_10000", "trips/s"),
    ]


def test_who_would_take_too_long_is_not_measured_with_more_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {200: 20.0, 1_000: 10.0}
    asked = []

    def call(contestant: Contestant, workload: str, n_trials: int, **arguments: object) -> Answer:
        asked.append(n_trials)
        return Answer({"trials_per_s": rates[n_trials]})

    monkeypatch.setattr(Contestant, "call", call)
    cases = WORKLOAD.cases(Options(tmp_path, contestants(tmp_path, "slow")))
    in_loop = {case.key: case for case in cases if "in_loop" in case.key and "disk" not in case.key}
    assert in_loop["slow_in_loop_200"].measure() == {"": 20}
    assert in_loop["slow_in_loop_1000"].measure() == {"": 10}
    with pytest.raises(TakesNoPart, match="would take 1,000 s"):
        in_loop["slow_in_loop_10000"].measure()
    assert asked == [200, 1000]


def test_the_goals_are_those_of_the_issue_at_the_most_trials(figures: dict[str, Figure]) -> None:
    goals = WORKLOAD.compare(figures)
    assert [(goal.figure.key, goal.limit, goal.figure.median) for goal in goals] == [
        ("asyncsweep_in_loop_disk_1000", 50_000, 60_000),
        ("in_loop_disk_by_optuna_in_loop_1000", 10, 15),
        ("asyncsweep_processes_2_disk_1000", 18_000, 20_000),
        ("processes_2_disk_by_raw_processes_2_1000", 0.4, 0.5),
        ("processes_2_disk_by_by_hand_processes_2_1000", 4, 5),
        ("processes_2_disk_by_optuna_processes_2_disk_1000", 25, 40),
    ]


def test_what_is_in_memory_is_never_held_against_what_is_on_disk(figures: dict[str, Figure]) -> None:
    WORKLOAD.compare(figures)
    ratios = {key for key, figure in figures.items() if figure.unit == "x"}
    assert "processes_2_by_by_hand_processes_2_200" in ratios
    assert {key for key in ratios if key.startswith("processes_2_by_optuna")} == set()


def test_ratios_are_of_the_same_size_and_number_of_processes(figures: dict[str, Figure]) -> None:
    WORKLOAD.compare(figures)
    assert figures["processes_2_disk_by_ray_processes_2_200"].samples == [20_000 / 48]
    assert not [key for key in figures if key.startswith("processes_8_disk_by")]


def test_goals_against_who_was_not_measured_are_left_out(figures: dict[str, Figure]) -> None:
    ours = {key: figure for key, figure in figures.items() if figure.contestant == "asyncsweep"}
    assert [goal.figure.key for goal in WORKLOAD.compare(ours)] == [
        "asyncsweep_in_loop_disk_1000",
        "asyncsweep_processes_2_disk_1000",
    ]
    assert WORKLOAD.compare({}) == []
