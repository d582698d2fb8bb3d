"""`asyncsweep completion`: the script of each shell, and what is answered when one asks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from asyncsweep.cli.completion import VARIABLE, complete_values
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.logs import logs
from asyncsweep.journal import journal


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("sweeps/train-1", "sweeps/other-2", "mine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / journal.NAME).touch()
    (tmp_path / "sweeps" / "no-sweep").mkdir()
    for name in ("0", "2", "11", "11.deleted"):
        (tmp_path / "mine" / "trials" / name).mkdir(parents=True)
    return tmp_path


def completed(line: str) -> list[str]:
    """What bash is told for the last word of a line."""
    words = line.split(" ")
    variables = {VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    answer = CliRunner().invoke(command, [], env=variables, prog_name="asyncsweep")
    return [row.split(",", 1)[1] for row in answer.output.splitlines() if row]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("asyncsweep sho", ["show"]),
        ("asyncsweep re", ["resume"]),
        ("asyncsweep run --tri", ["--trials", "--trial-timeout"]),
        ("asyncsweep run train.py --x 1 --see", ["--seed"]),
        ("asyncsweep run --broken --see", ["--seed"]),
        ("asyncsweep completion ", ["bash", "zsh", "fish"]),
        ("asyncsweep show ", ["mine", "sweeps/other-2", "sweeps/train-1"]),
        ("asyncsweep resume sweeps/t", ["sweeps/train-1"]),
        ("asyncsweep show m", ["mine"]),
        ("asyncsweep nothing x", []),
        ("asyncsweep run train.py --sampler rand", ["random"]),
        ("asyncsweep run train.py --pruner med", ["median"]),
        ("asyncsweep resume mine --executor inl", ["inline"]),
        ("asyncsweep run train.py --exporter js", ["jsonl"]),
        ("asyncsweep run train.py --algorithm ", ["grid_search", "random_search", "optuna"]),
        ("asyncsweep run train.py --keep b", ["best"]),
        ("asyncsweep run train.py --fsync ", ["always", "batch", "never"]),
        ("asyncsweep logs mine ", ["0", "2", "11"]),
        ("asyncsweep logs mine 1", ["11"]),
        ("asyncsweep logs nowhere ", []),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_prefix_is_completed(line: str, words: list[str]) -> None:
    assert sorted(completed(line)) == sorted(words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("bash is asked for its version")
    answer = CliRunner().invoke(command, ["completion", shell])
    assert answer.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in answer.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_takes_the_script() -> None:
    script = CliRunner().invoke(command, ["completion", "bash"]).stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, timeout=30, check=False).returncode == 0


def test_what_completes_a_command_leaves_the_command_as_it_is() -> None:
    before = [param.type for param in logs.params]
    completed = complete_values(logs)
    assert [param.type for param in logs.params] == before
    assert [param.type for param in completed.params] != before
