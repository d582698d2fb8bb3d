"""The executor `gpu` when the sweep's own process is killed: nothing runs on, no memory stays taken, and the sweep goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.executors.gpu_killed import N_SLOTS, N_TRIALS
from tests.leaks import has_ended

ROOT = Path(__file__).parents[2]


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.executors.gpu_killed", str(folder)]


def begun(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a trial runs in each slot."""
    until = time.monotonic() + 30
    while len(list(folder.glob("began-*"))) < N_SLOTS:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("n_kills", [1, pytest.param(10, marks=pytest.mark.deep)])
def test_a_killed_sweep_leaves_no_trial_and_no_memory_on_its_devices_and_goes_on(tmp_path: Path, n_kills: int) -> None:
    for _ in range(n_kills):
        for note in tmp_path.glob("began-*"):
            note.unlink()
        with subprocess.Popen(command(tmp_path), cwd=ROOT) as controller:
            begun(tmp_path, controller)
            controller.kill()
        # Who has memory of a device wrote so into a file that is called as its process.
        pids = [int(path.name) for path in (tmp_path / "nvml").iterdir() if path.name.isdigit()]
        assert len(pids) >= N_SLOTS
        assert [pid for pid in pids if not has_ended(pid)] == []
    (tmp_path / "go").touch()
    done = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert [state for state, _, _ in seen["trials"]] == ["COMPLETE"] * N_TRIALS
    assert seen["told"] == list(range(N_TRIALS))
    assert Counter(attempt for _, attempt, _ in seen["trials"]) == {n_kills + 1: N_SLOTS, 1: N_TRIALS - N_SLOTS}
