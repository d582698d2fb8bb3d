"""Modules of the user's are looked for in the current folder where a sweep names some, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

TRAIN = """
import asyncsweep
asyncsweep.finish(loss=0.5)
"""
# Some sampler's or executor's process would import this one instead of the package.
SHADOW = 'open("was-imported", "w").close()\nraise ImportError("this is not the package")\n'


@pytest.fixture
def here(folder: Path) -> Path:
    (folder / "src").mkdir()
    (folder / "src" / "train.py").write_text(TRAIN)
    for name in ("optuna", "numpy", "msgspec"):
        (folder / f"{name}.py").write_text(SHADOW)
    return folder


@pytest.mark.parametrize("target", ["a script", "a program", "a file"])
def test_a_script_or_program_gets_no_module_of_the_current_folder(cli: Cli, here: Path, target: str) -> None:
    (here / "sweep.toml").write_text('objective = {script = "src/train.py"}\n[space]\nx = "uniform(0, 1)"\n')
    x = ("--x", "uniform(0, 1)", "--sampler", "tpe", "--trials", "1", "--directory", "d")
    words = {
        "a script": ("run", "src/train.py", *x),
        "a program": ("run", *x, "--", "echo", '{{"value": {x}}}'),
        "a file": ("run", "sweep.toml", *x[2:]),
    }[target]
    done = cli(*words)
    assert (done.returncode, done.stderr) == (0, "")
    again = cli("resume", "d", "--trials", "2")
    assert "complete 2" in again.stdout, again.stderr
    assert not (here / "was-imported").exists()


def test_hooks_of_a_file_are_found_beside_it(cli: Cli, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "train.py").write_text(TRAIN)
    (folder / "sub" / "rules.py").write_text("def enough(run):\n    return True\n")
    (folder / "sub" / "sweep.toml").write_text(
        'objective = {script = "train.py"}\nstop_when = "rules:enough"\nsampler = "random"\n[space]\nx = "uniform(0, 1)"\n'
    )
    done = cli("run", "sub/sweep.toml", "--in-memory", "--trials", "3")
    assert "(stop_when): complete 1" in done.stdout, done.stderr
