"""The benchmarks of the search run and show what they promise; how fast or how good anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEEDS = 2
WAYS = {"optuna", "reseeded", "sweep", "killed", "ahead"}
LAG = ("p50", "p99", "max")
MEASURED = ("p50", "p99")

# Some twenty processes start one after the other, and what they measure needs a machine that is not too busy.
pytestmark = [pytest.mark.deep, pytest.mark.timeout(300)]

Run = tuple[str, dict[str, Any]]


def run(program: str, file: Path, *arguments: str) -> Run:
    """What a program prints, and writes as JSON."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / program), *arguments, "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("search.py", tmp_path_factory.mktemp("search") / "measured.json", "--quick")


@pytest.fixture(scope="module")
def quality(tmp_path_factory: pytest.TempPathFactory) -> Run:
    table = ("--table", "nasbench201/cifar10", "--seeds", str(SEEDS), "--trials", "32")
    return run("quality.py", tmp_path_factory.mktemp("quality") / "measured.json", *table)


def test_waits_and_lags_are_measured_of_every_way_to_ask(search: Run) -> None:
    of_asking = {f"{way}_{size}" for way in ("loop", "threads", "tpe") for size in ("few", "many")} | {"random_many"}
    sweeps = {way for way in of_asking if way.startswith(("random", "tpe"))}
    expected = {f"wait_{way}_{part}" for way in of_asking for part in MEASURED}
    expected |= {f"busy_{way}" for way in of_asking} | {f"ask_{way}" for way in of_asking - sweeps}
    expected |= {f"lag_{way}_{part}" for way in of_asking | {"idle"} for part in LAG}
    expected |= {f"lag_of_start_{way}_{part}" for way in sweeps for part in LAG}
    assert expected <= set(search[1]["figures"])


def test_every_figure_of_the_search_has_one_positive_sample(search: Run) -> None:
    samples = {key: figure["samples"] for key, figure in search[1]["figures"].items()}
    assert {key: found for key, found in samples.items() if len(found) != 1 or not found[0] > 0} == {}


def test_waits_at_both_sizes_and_lags_and_pruners_at_the_greater_are_judged(search: Run) -> None:
    judged = [(goal["figure"], goal.get("at_most"), goal.get("at_least")) for goal in search[1]["goals"]]
    assert judged == [
        ("wait_tpe_few_p50", 1, None),
        ("wait_tpe_many_p50", 1, None),
        ("lag_tpe_many_p99", 5, None),
        ("lag_tpe_many_max", 50, None),
        ("lag_of_start_tpe_many_max", 50, None),
        ("median_60_ratio", None, 20),
        ("asha_60_ratio", None, 20),
    ]


def test_a_table_is_searched_with_every_seed_in_every_way(quality: Run) -> None:
    ways = quality[1]["results"]["nasbench201/cifar10"]
    assert {way: len(found) for way, found in ways.items()} == dict.fromkeys(WAYS, SEEDS)


def test_regrets_and_shares_are_within_their_bounds(quality: Run) -> None:
    found = [one for ways in quality[1]["results"].values() for of_way in ways.values() for one in of_way]
    assert [one for one in found if one["regret"] < 0 or not 0 <= one["twins"] <= one["duplicates"] < 1] == []


def test_when_asking_takes_no_time_a_sweep_finds_exactly_what_plain_optuna_finds(quality: Run) -> None:
    ways = quality[1]["results"]["nasbench201/cifar10"]
    assert ways["sweep"] == ways["optuna"]


def test_differences_are_the_means_of_the_paired_regrets(quality: Run) -> None:
    ways, differences = quality[1]["results"]["nasbench201/cifar10"], quality[1]["differences"]
    paired = [a["regret"] - b["regret"] for a, b in zip(ways["killed"], ways["optuna"], strict=True)]
    for table in ("nasbench201/cifar10", "all tables"):
        found = differences[table]["killed"]
        assert found["mean"] == pytest.approx(sum(paired) / SEEDS)
        assert found["low"] <= found["mean"] <= found["high"]


def test_the_goals_are_judged_by_what_was_measured(quality: Run) -> None:
    goals = quality[1]["goals"]
    assert {goal["label"]: goal["met"] for goal in goals} == {g["label"]: g["measured"] < g["below"] for g in goals}
    assert goals[0]["measured"] == quality[1]["differences"]["all tables"]["sweep"]["high"]


def test_every_goal_is_printed_with_its_judgement(search: Run, quality: Run) -> None:
    for printed, written in (search, quality):
        assert sum(line.endswith(("  yes", "  NO")) for line in printed.splitlines()) == len(written["goals"])
