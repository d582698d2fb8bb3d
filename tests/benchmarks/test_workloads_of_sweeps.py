"""Reports, utilisation, embed and scale run, and show what they promise; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.environments import ROOT

# Dozens of processes start one after the other.
pytestmark = [pytest.mark.deep, pytest.mark.timeout(300)]


def measured(name: str, folder: Path, *options: str) -> dict[str, Any]:
    """What a quick run of a workload, beside the hand-written loop, writes as JSON."""
    file = folder / "measured.json"
    command = [sys.executable, "-m", "benchmarks", "run", name, "--quick", "--peers", "by_hand", "--json", str(file)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["workloads"][name]
    assert found["failed"] == {}
    return found


def positive(found: dict[str, Any]) -> set[str]:
    """The keys of the figures, all of which have one sample above 0."""
    figures = found["figures"]
    assert {
        key: of["samples"] for key, of in figures.items() if len(of["samples"]) != 1 or not of["samples"][0] > 0
    } == {}
    return set(figures)


def judged(found: dict[str, Any]) -> list[tuple[str, float | None, float | None]]:
    return [(goal["figure"], goal.get("at_least"), goal.get("at_most")) for goal in found["goals"]]


def test_reports_are_measured_with_each_pruner_beside_the_hand_written_loop_and_the_limit(tmp_path: Path) -> None:
    found = measured("reports", tmp_path)
    pruners = ("none", "median", "asha")
    expected = {f"{who}_{pruner}" for who in ("asyncsweep", "by_hand") for pruner in pruners}
    expected |= {f"{pruner}_by_by_hand" for pruner in pruners} | {"raw_round_trips", "median_by_raw"}
    assert positive(found) == expected
    assert judged(found) == [
        ("asyncsweep_asha", 140_000, None),
        ("asha_by_by_hand", 10, None),
        ("median_by_raw", 0.5, None),
    ]
    assert found["figures"]["by_hand_asha"]["does_less"].startswith("nothing is on disk")


def test_utilisation_is_a_share_with_and_without_start_and_end(tmp_path: Path) -> None:
    found = measured("utilisation", tmp_path)
    ways = [f"{workers}_{naps}" for workers in (2, 8) for naps in ("10_50", "50_250")]
    keys = [f"{who}_{way}" for who in ("asyncsweep", "by_hand") for way in ways]
    assert positive(found) == {*keys, *(f"{key}_with_start_and_end" for key in keys)}
    assert [key for key, of in found["figures"].items() if of["median"] > 100] == []
    assert judged(found) == [("asyncsweep_8_50_250", 99, None)]


def test_the_lag_is_measured_of_three_sweeps_the_hand_written_loop_and_bare_loops(tmp_path: Path) -> None:
    found = measured("embed", tmp_path)
    sweeps = [f"asyncsweep_{kind}" for kind in ("noop", "reports", "tpe")]
    parts = ("p50", "p99", "max")
    assert set(found["figures"]) == {f"{of}_{part}" for of in (*sweeps, "by_hand", "raw_busy", "raw") for part in parts}
    assert judged(found) == [(f"{sweep}_p99", None, 3) for sweep in sweeps]


def test_many_trials_are_run_and_reopened(tmp_path: Path) -> None:
    found = measured("scale", tmp_path)
    whats = ("rate_at_the_beginning", "rate_at_the_end", "peak_memory", "memory_per_trial", "journal_per_trial")
    assert positive(found) == {*(f"run_2000_{what}" for what in whats), "reopen_2000", "steadiness_2000"}
    assert judged(found) == [("run_2000_memory_per_trial", None, 1024), ("reopen_2000", None, 0.1)]
