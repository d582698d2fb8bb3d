"""The example that compares pruners in virtual time, run as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "compare_pruners.py"


def test_pruners_find_as_good_a_trial_in_less_virtual_time(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = {
        found[1]: (float(found[2]), float(found[3]))
        for found in re.finditer(r"^(\w+) +(\d+\.\d) h, .* best error (\d\.\d{3})$", done.stdout, flags=re.MULTILINE)
    }
    assert list(rows) == ["none", "median", "asha", "hyperband"]
    hours, best = rows.pop("none")
    for pruned_hours, pruned_best in rows.values():
        assert pruned_hours < 0.8 * hours
        assert pruned_best < best + 0.05
