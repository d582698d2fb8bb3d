"""The benchmark runs and prints what it promises; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "overhead.py"
RATES = {
    "optuna",
    "in_loop",
    "in_loop_journaled",
    "pool",
    "pool_journaled",
    "processes",
    "round_trips",
    "pool_reports",
    "reports",
}
LAGS = {f"lag_{of}_{part}" for of in ("idle", "tpe", "tpe_by_hand") for part in ("p50", "p99", "max")}
RATIOS = {
    "in_loop_by_optuna",
    "processes_by_pool",
    "processes_by_pool_journaled",
    "processes_by_round_trips",
    "reports_by_pool",
}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one quick run prints, and writes as JSON."""
    file = tmp_path_factory.mktemp("overhead") / "measured.json"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--quick", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


def refusal_of(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 2
    return done.stderr


def test_every_promised_figure_is_measured(quick: tuple[str, dict[str, Any]]) -> None:
    assert set(quick[1]["figures"]) == RATES | LAGS | RATIOS


def test_every_figure_has_one_positive_sample_for_each_repetition(quick: tuple[str, dict[str, Any]]) -> None:
    samples = {key: figure["samples"] for key, figure in quick[1]["figures"].items()}
    assert {key: found for key, found in samples.items() if len(found) != 1 or not found[0] > 0} == {}


def test_ratios_are_those_of_the_measured_rates(quick: tuple[str, dict[str, Any]]) -> None:
    figures = quick[1]["figures"]
    quotient = figures["in_loop_journaled"]["median"] / figures["optuna"]["median"]
    assert figures["in_loop_by_optuna"]["median"] == pytest.approx(quotient)


def test_the_four_goals_are_judged_by_what_was_measured(quick: tuple[str, dict[str, Any]]) -> None:
    judged = [(goal["figure"], goal.get("at_least"), goal.get("at_most")) for goal in quick[1]["goals"]]
    assert judged == [
        ("in_loop_by_optuna", 5, None),
        ("processes", 10_000, None),
        ("reports", 60_000, None),
        ("lag_tpe_p99", None, 5),
    ]
    for goal in quick[1]["goals"]:
        kept = goal["measured"] >= goal["at_least"] if "at_least" in goal else goal["measured"] <= goal["at_most"]
        assert goal["met"] == kept


def test_the_setting_tells_versions_cores_load_and_backend(quick: tuple[str, dict[str, Any]]) -> None:
    setting = quick[1]["setting"]
    assert {"versions", "cores", "load_average_before", "load_average_after", "backend", "repetitions"} <= set(setting)
    assert "optuna 5" in setting["versions"]


def test_every_figure_and_goal_is_printed_as_a_plain_line(quick: tuple[str, dict[str, Any]]) -> None:
    lines = quick[0].splitlines()
    labels = [figure["label"] for figure in quick[1]["figures"].values()]
    assert [label for label in labels if not any(line.startswith(f"{label}  ") for line in lines)] == []
    assert sum(line.endswith(("  yes", "  NO")) for line in lines) == len(quick[1]["goals"])
    assert "\x1b" not in quick[0]


def test_zero_repetitions_are_refused() -> None:
    assert "0 is not at least 1" in refusal_of("--repetitions", "0")


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    assert "asyncio" in refusal_of("--backend", "curio")
