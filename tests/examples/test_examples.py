"""The examples, run as a user runs them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from examples import infinite_loop

EXAMPLES = Path(__file__).parents[2] / "examples"


def output_of(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(folder.iterdir()) == []
    return done.stdout


def test_every_example_has_its_test() -> None:
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.stem for path in EXAMPLES.glob("*.py") if path.stem not in tested] == []


def test_the_iris_sweep_ends_hopeless_trials_early_and_finds_a_good_alpha(tmp_path: Path) -> None:
    lines = output_of("iris_sgd.py", tmp_path).splitlines()
    trials = [line for line in lines if line.startswith("Trial ")]
    assert sorted(int(line.split()[1]) for line in trials) == list(range(20))
    assert any(line.endswith(" pruned.") for line in trials)
    found = re.fullmatch(r"The best error is (\d\.\d{4}), with \{'alpha': \S+\}", lines[-1])
    assert found is not None
    assert float(found[1]) < 0.2


def test_the_endless_loop_ends_when_all_six_are_told(tmp_path: Path) -> None:
    *lines, last = output_of("infinite_loop.py", tmp_path).splitlines()
    assert sorted(line[:15] for line in lines if " is told " in line) == [f"trial {k} is told"[:15] for k in range(6)]
    assert list(ast.literal_eval(last)) == list(range(6))


def test_a_metric_of_exactly_zero_is_told_as_every_other(capsys: pytest.CaptureFixture[str]) -> None:
    async def nothing(backbone: str, learning_rate: float) -> float:
        assert backbone in ("resnet18", "resnet34") and 0.0001 <= learning_rate <= 0.1
        return 0

    assert anyio.run(infinite_loop.search, nothing) == dict.fromkeys(range(6), 0.0)
    assert capsys.readouterr().out.count("is told {'value': 0.0}") == 6


def test_two_trials_run_at_the_same_time() -> None:
    running, most = 0, 0

    async def main() -> None:
        both_run = anyio.Event()

        async def count(backbone: str, learning_rate: float) -> float:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if running == 2:
                both_run.set()
            await both_run.wait()
            await anyio.lowlevel.checkpoint()
            running -= 1
            return 1.0

        with anyio.fail_after(20):
            await infinite_loop.search(count)

    anyio.run(main)
    assert most == 2


def test_an_objective_for_optuna_runs_unmodified(tmp_path: Path) -> None:
    lines = output_of("optuna_style.py", tmp_path).splitlines()
    assert [line.split(":")[0] for line in lines] == ["Optuna", "asyncsweep"]
    for line in lines:
        value = re.search(r": +(\d+\.\d+) with ", line)
        assert value is not None
        assert float(value[1]) < 2.0
