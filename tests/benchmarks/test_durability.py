"""The benchmark of durability runs and shows what it promises; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RATES = {"journal_storage", "batch", "sqlite", "always", "never", "processes"}
STORED = {"sweep", "compacted", "journal_storage", "sqlite"}
SIZES = (2_000, 5_000)
CUT = {f"{what}_{which}" for what in ("unreadable", "lossy") for which in ("sweep", "journal_storage")}
RATIOS = {"batch_by_journal_storage", "always_by_journal_storage", "batch_by_sqlite", "bytes_by_journal_storage"}

pytestmark = [pytest.mark.deep, pytest.mark.timeout(300)]

Run = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What one quick run prints, and writes as JSON."""
    file = tmp_path_factory.mktemp("durability") / "measured.json"
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "durability.py"), "--quick", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


def test_every_promised_figure_is_measured_once(quick: Run) -> None:
    opened = {f"{what}_{kind}_{n}" for what in ("open", "resident", "peak") for kind in STORED for n in SIZES}
    expected = RATES | {f"bytes_{kind}" for kind in STORED} | opened | CUT | RATIOS
    assert {key: len(figure["samples"]) for key, figure in quick[1]["figures"].items()} == dict.fromkeys(expected, 1)


def test_everything_but_the_cuts_is_more_than_nothing(quick: Run) -> None:
    figures = quick[1]["figures"]
    assert [key for key, figure in figures.items() if key not in CUT and not figure["median"] > 0] == []


def test_no_cut_makes_a_sweep_unreadable_or_loses_a_trial(quick: Run) -> None:
    assert [quick[1]["figures"][key]["samples"] for key in ("unreadable_sweep", "lossy_sweep")] == [[0], [0]]


def test_ratios_are_those_of_the_measured_figures(quick: Run) -> None:
    figures = quick[1]["figures"]
    quotient = figures["batch"]["median"] / figures["journal_storage"]["median"]
    assert figures["batch_by_journal_storage"]["median"] == pytest.approx(quotient)


def test_the_goals_are_judged_by_what_was_measured(quick: Run) -> None:
    judged = [(goal["figure"], goal.get("at_most"), goal.get("at_least")) for goal in quick[1]["goals"]]
    assert judged == [
        ("batch_by_journal_storage", None, 20),
        ("open_sweep_5000", 3, None),
        ("open_compacted_5000", 3, None),
        ("resident_sweep_5000", 1024, None),
        ("resident_compacted_5000", 1024, None),
        ("bytes_by_journal_storage", 0.5, None),
        ("unreadable_sweep", 0, None),
        ("lossy_sweep", 0, None),
    ]
    for goal in quick[1]["goals"]:
        kept = goal["measured"] >= goal["at_least"] if "at_least" in goal else goal["measured"] <= goal["at_most"]
        assert goal["met"] == kept


def test_every_figure_and_goal_is_printed(quick: Run) -> None:
    printed, written = quick
    lines = printed.splitlines()
    labels = [figure["label"] for figure in written["figures"].values()]
    assert [label for label in labels if not any(line.startswith(f"{label}  ") for line in lines)] == []
    assert sum(line.endswith(("  yes", "  NO")) for line in lines) == len(written["goals"])


def test_the_version_of_optuna_is_printed(quick: Run) -> None:
    assert "optuna 5" in quick[0].splitlines()[0]
