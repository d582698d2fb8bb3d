"""The benchmark of starts runs and shows what it promises; how fast anything is, is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "startup.py"
FIGURES = {"fork_first", "fork_end", "script_first", "script_end", "cold", "run_tpe", "run_random"}


@pytest.mark.deep
@pytest.mark.timeout(150)
def test_it_shows_every_figure_and_judges_the_goals(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    command = [sys.executable, str(BENCHMARK), "--quick", "--module", "json", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=140, check=False)
    assert done.returncode == 0, done.stderr
    content = json.loads(file.read_text(encoding="utf-8"))
    assert set(content["figures"]) >= FIGURES
    assert [goal["figure"] for goal in content["goals"]] == ["first_by_fork", "end_by_fork", "run_tpe"]
    assert all(figure["label"] in done.stdout for figure in content["figures"].values())
