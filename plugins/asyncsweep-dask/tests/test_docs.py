"""What docs/scale.md shows of Dask runs, or is Python at least."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (Path(__file__).parents[3] / "docs" / "scale.md").read_text(), re.DOTALL | re.M
)


def test_the_first_sweep_runs(tmp_path: Path) -> None:
    code = next(block for block in BLOCKS if block.startswith("# local_dask.py\n"))
    (tmp_path / "local_dask.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, "local_dask.py"],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if name != "RAY_ADDRESS"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(eval(done.stdout)) == ["lr"]


def test_what_is_not_run_is_python() -> None:
    for block in BLOCKS:
        compile(block, "docs/scale.md", "exec")
