"""Every workload runs, and shows what it promises; how fast or how good anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.environments import ROOT

# Dozens of processes start one after the other, and what they measure needs a machine that is not too busy.
pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

LAG = ("p50", "p99", "max")
OPTIONS = {"startup": ["--set", "module=json"], "quality": ["--repetitions", "2", "--set", "table=nasbench201/cifar10"]}
Measured = dict[str, Any]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gives what a quick run of a workload writes as JSON; runs it once."""

    @cache
    def of(name: str) -> Measured:
        file: Path = tmp_path_factory.mktemp(name) / "measured.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks",
            "run",
            name,
            "--quick",
            "--json",
            str(file),
            *OPTIONS.get(name, []),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        found: Measured = json.loads(file.read_text(encoding="utf-8"))["workloads"][name]
        return found

    return of


@pytest.mark.parametrize("name", ["durability", "overhead", "quality", "search", "startup"])
def test_nothing_fails_and_goals_are_judged_by_what_was_measured(measured: Any, name: str) -> None:
    found = measured(name)
    assert found["failed"] == {} and found["noise"] and found["notes"]
    for goal in found["goals"]:
        median = found["figures"][goal["figure"]]["median"]
        kept = median >= goal["at_least"] if "at_least" in goal else median <= goal["at_most"]
        assert (goal["met"], goal["measured"]) == (kept, median)


def test_overhead_measures_ours_beside_optuna_by_hand_and_the_limit(measured: Any) -> None:
    figures = measured("overhead")["figures"]
    ours = {
        f"asyncsweep_{way}_100"
        for way in ("in_loop", "in_loop_disk", "processes_2", "processes_2_disk", "processes_8_disk")
    }
    theirs = {"optuna_in_loop_100", "optuna_processes_2_disk_100", "by_hand_processes_2_100", "raw_processes_2_100"}
    assert ours | theirs <= set(figures)
    assert {goal["figure"] for goal in measured("overhead")["goals"]} == {
        "asyncsweep_in_loop_disk_100",
        "in_loop_disk_by_optuna_in_loop_100",
        "asyncsweep_processes_2_disk_100",
        "processes_2_disk_by_raw_processes_2_100",
        "processes_2_disk_by_by_hand_processes_2_100",
        "processes_2_disk_by_optuna_processes_2_disk_100",
    }


def test_durability_measures_rates_bytes_opening_and_cuts(measured: Any) -> None:
    stored, sizes = ("sweep", "compacted", "journal_storage", "sqlite"), (2_000, 5_000)
    expected = {"journal_storage", "batch", "sqlite", "always", "never", "processes"}
    expected |= {f"bytes_{kind}" for kind in stored}
    expected |= {f"{what}_{kind}_{n}" for what in ("open",) for kind in stored for n in sizes}
    expected |= {f"memory_{kind}_{n}_{what}" for what in ("resident", "peak") for kind in stored for n in sizes}
    expected |= {f"{what}_{kind}" for what in ("unreadable", "lossy") for kind in ("sweep", "journal_storage")}
    expected |= {"batch_by_journal_storage", "always_by_journal_storage", "batch_by_sqlite", "bytes_by_journal_storage"}
    found = measured("durability")
    assert {key: len(figure["samples"]) for key, figure in found["figures"].items()} == dict.fromkeys(expected, 1)
    assert [(goal["figure"], goal.get("at_least", goal.get("at_most"))) for goal in found["goals"]] == [
        ("batch_by_journal_storage", 20),
        ("open_sweep_5000", 3),
        ("open_compacted_5000", 3),
        ("memory_sweep_5000_resident", 1024),
        ("memory_compacted_5000_resident", 1024),
        ("bytes_by_journal_storage", 0.5),
        ("unreadable_sweep", 0),
        ("lossy_sweep", 0),
    ]


def test_no_cut_makes_a_sweep_unreadable_or_loses_a_trial(measured: Any) -> None:
    figures = measured("durability")["figures"]
    assert [figures[key]["samples"] for key in ("unreadable_sweep", "lossy_sweep")] == [[0], [0]]


def test_who_does_less_is_marked(measured: Any) -> None:
    figures = measured("durability")["figures"]
    assert {key for key in ("batch", "always", "never", "sqlite") if figures[key]["does_less"]} == {"batch", "never"}


def test_search_measures_waits_lags_and_asks_of_every_way_to_ask(measured: Any) -> None:
    sweeps = {"tpe_30", "tpe_60", "random_60"}
    peers = {f"{way}_{size}" for way in ("loop", "threads") for size in (30, 60)}
    expected = {f"{way}_{what}" for way in sweeps | peers for what in ("wait_p50", "wait_p99", "busy")}
    expected |= {f"{way}_ask" for way in peers} | {f"lag_idle_{part}" for part in LAG}
    expected |= {f"{way}_lag_{part}" for way in sweeps | peers for part in LAG}
    expected |= {f"{way}_lag_of_start_{part}" for way in sweeps for part in LAG}
    expected |= {f"{what}_{size}" for what in ("alone", "hurried", "retold") for size in (20, 50)}
    expected |= {f"ask_optuna_{size}_{part}" for size in (20, 50) for part in ("p50", "p99")}
    figures = measured("search")["figures"]
    assert expected - set(figures) == set()
    assert [key for key in expected if not figures[key]["median"] > 0] == []


def test_search_judges_waits_at_both_sizes_lags_at_the_greater_and_hurried_asks(measured: Any) -> None:
    assert [(goal["figure"], goal["at_most"]) for goal in measured("search")["goals"]] == [
        ("tpe_30_wait_p50", 1),
        ("tpe_60_wait_p50", 1),
        ("tpe_60_lag_p99", 5),
        ("tpe_60_lag_max", 50),
        ("tpe_60_lag_of_start_max", 50),
        ("hurried_20", 5),
        ("hurried_50", 5),
    ]


def test_startup_measures_first_trials_imports_and_scripts(measured: Any) -> None:
    expected = {f"started_{who}_{what}" for who in ("optuna", "by_hand") for what in ("first_trial_finished", "memory")}
    expected |= {f"import_{name}" for name in ("asyncsweep", "asyncio", "optuna")} | {"cold"}
    expected |= {f"{what}_{part}" for what in ("fork", "script") for part in ("first_line", "end")}
    expected |= {f"run_{sampler}_first_trial_finished" for sampler in ("random", "tpe")}
    assert expected - set(measured("startup")["figures"]) == set()
    goals = {goal["figure"] for goal in measured("startup")["goals"]}
    assert {"first_by_fork", "end_by_fork", "run_tpe_first_trial_finished"} <= goals


def test_when_asking_takes_no_time_a_sweep_finds_exactly_what_plain_optuna_finds(measured: Any) -> None:
    figures = measured("quality")["figures"]
    table = "nasbench201/cifar10"
    for what in ("regret", "half", "half_time", "duplicates", "twins"):
        assert figures[f"{table}_sweep_{what}"]["samples"] == figures[f"{table}_optuna_{what}"]["samples"]


def test_differences_of_quality_are_paired_and_within_their_interval(measured: Any) -> None:
    figures = measured("quality")["figures"]
    killed, optuna = (figures[f"nasbench201/cifar10_{way}_regret"]["samples"] for way in ("killed", "optuna"))
    assert figures["less_optuna_killed"]["samples"] == pytest.approx(
        [a - b for a, b in zip(killed, optuna, strict=True)]
    )
    mean = sum(figures["less_optuna_killed"]["samples"]) / 2
    assert figures["less_optuna_killed_up_to"]["median"] >= mean


def test_quality_judges_intervals_twins_and_duplicates(measured: Any) -> None:
    judged = [goal["figure"] for goal in measured("quality")["goals"]]
    assert judged == [
        "less_optuna_sweep_up_to",
        "less_optuna_killed_up_to",
        *(
            f"{what}_{way}{beyond}"
            for way in ("sweep", "killed")
            for what, beyond in (("twins", ""), ("duplicates", "_beyond"), ("duplicates", ""))
        ),
    ]
