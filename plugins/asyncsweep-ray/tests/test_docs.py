"""What docs/scale.md shows of Ray runs, or is Python at least."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (Path(__file__).parents[3] / "docs" / "scale.md").read_text(), re.DOTALL | re.M
)


AFTERWARDS = """
import ray

print(ray.is_initialized())
try:
    asyncio.run(sw.Sweep(objective, {"lr": 0.01}, executor="ray", n_trials=1).run())
except sw.ConfigError as error:
    print(error)
"""


def test_the_first_sweep_runs_on_a_ray_of_its_own_which_is_ended_and_the_next_one_is_told_that_there_is_none(
    tmp_path: Path,
) -> None:
    code = next(block for block in BLOCKS if block.startswith("# local_ray.py\n"))
    (tmp_path / "local_ray.py").write_text(code + AFTERWARDS)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, "local_ray.py"],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if name != "RAY_ADDRESS"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    best, is_connected, refusal = done.stdout.splitlines()
    assert (list(eval(best)), is_connected) == (["lr"], "False")
    assert "not connected to a Ray cluster; call ray.init() before" in refusal
