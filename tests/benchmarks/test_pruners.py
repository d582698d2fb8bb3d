"""The benchmark of pruners runs and prints what it promises; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "pruners.py"


def test_ours_optunas_and_the_ratio_are_measured_for_each_pruner_and_size(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    subprocess.run([sys.executable, str(PROGRAM), "--quick", "--json", str(file)], timeout=50, check=True)
    measured = json.loads(file.read_text(encoding="utf-8"))
    samples = {key: len(figure["samples"]) for key, figure in measured["figures"].items()}
    keys = [
        f"{name}_{size}{what}"
        for name in ("median", "asha")
        for size in (50, 100)
        for what in ("", "_optuna", "_ratio")
    ]
    assert samples == dict.fromkeys(keys, 1)
    assert [(goal["figure"], goal["at_least"]) for goal in measured["goals"]] == [
        ("median_100_ratio", 20),
        ("asha_100_ratio", 20),
    ]
