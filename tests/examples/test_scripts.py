"""The scripts of examples/scripts, swept from the command line as their heads say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "examples" / "scripts"


def asyncsweep(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asyncsweep.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


def sweep(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a sweep, and read the result; it leaves its directory and nothing else."""
    done = asyncsweep(folder, "run", "--seed", "1", "--sampler", "random", "--directory", "found", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["found"]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def states(result: dict[str, Any]) -> list[str]:
    return [trial["state"] for trial in result["trials"]]


def test_a_script_with_argparse_leaves_a_directory_with_results_and_logs(tmp_path: Path) -> None:
    options = [
        "--lr",
        "log_uniform(1e-4, 1e-1)",
        "--optimizer",
        "categorical(sgd, adam)",
        "--trials",
        "4",
        "--parallel",
        "2",
    ]
    result = sweep(tmp_path, str(SCRIPTS / "argparse_train.py"), *options)
    assert states(result) == ["COMPLETE"] * 4
    assert [len(trial["reports"]) for trial in result["trials"]] == [10] * 4
    for trial in result["trials"]:
        (log,) = (tmp_path / "found" / "trials" / str(trial["number"])).glob("*.log")
        said = re.fullmatch(r"lr=(\S+) (\w+): loss (\S+)\n", log.read_text())
        assert said is not None
        assert said.groups() == (
            f"{trial['params']['lr']:g}",
            trial["params"]["optimizer"],
            f"{trial['metrics']['value']:.4f}",
        )
    shown = json.loads(asyncsweep(tmp_path, "show", "found", "--json").stdout)
    assert [trial["params"] for trial in shown["trials"]] == [trial["params"] for trial in result["trials"]]


def test_a_script_that_has_only_an_objective_is_called_with_its_parameters(tmp_path: Path) -> None:
    options = ["--objective", "objective", "--x", "uniform(-10, 10)", "--trials", "3"]
    result = sweep(tmp_path, str(SCRIPTS / "objective_only.py"), *options)
    assert [trial["metrics"]["value"] for trial in result["trials"]] == [
        pytest.approx((trial["params"]["x"] - 2) ** 2) for trial in result["trials"]
    ]


def test_a_hydra_script_gets_overrides_in_hydras_words(tmp_path: Path) -> None:
    options = [
        "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
        "model.depth=range(1, 5)",
        "--trials",
        "2",
        "--preload",
        "hydra",
    ]
    result = sweep(tmp_path, str(SCRIPTS / "hydra_train.py"), *options)
    for trial in result["trials"]:
        params = trial["params"]
        assert trial["metrics"]["value"] == pytest.approx(
            abs(params["optimizer.lr"] - 0.01) + 1 / params["model.depth"]
        )
        assert params["model.depth"] in (1, 2, 3, 4)


def test_any_program_is_swept_by_what_it_prints(tmp_path: Path) -> None:
    options = ["--lr", "log_uniform(1e-3, 1)", "--trials", "3", "--", str(SCRIPTS / "train.sh"), "--lr={lr}"]
    result = sweep(tmp_path, *options)
    assert [len(trial["reports"]) for trial in result["trials"]] == [5] * 3
    for trial in result["trials"]:
        assert trial["metrics"]["value"] == pytest.approx(9 * (1 - 2 * trial["params"]["lr"]) ** 10, abs=1e-5)


@pytest.mark.deep
def test_the_iris_script_ends_hopeless_trials_early(tmp_path: Path) -> None:
    options = ["--alpha", "log_uniform(1e-5, 1e-1)", "--trials", "10", "--parallel", "2", "--pruner", "median"]
    for module in ("datasets", "linear_model", "model_selection"):
        options += ["--preload", f"sklearn.{module}"]
    result = sweep(tmp_path, str(SCRIPTS / "iris_train.py"), *options)
    assert set(states(result)) == {"COMPLETE", "PRUNED"}
    best = result["trials"][result["best_trials"][0]]
    assert best["metrics"]["value"] < 0.2
    assert [len(trial["reports"]) == 100 for trial in result["trials"]] == [s == "COMPLETE" for s in states(result)]


@pytest.mark.deep
def test_a_lightning_cli_is_swept_by_dotted_names(tmp_path: Path) -> None:
    options = ["--model.lr", "log_uniform(0.001, 0.1)", "--data.batch_size", "[32, 64]", "--trainer.max_epochs", "2"]
    script = [*options, "--trials", "2", "--preload", "lightning.pytorch.cli", "--", "fit"]
    result = sweep(tmp_path, str(SCRIPTS / "lightning_cli.py"), *script)
    assert states(result) == ["COMPLETE"] * 2
    assert [[step for step, _ in trial["reports"]] for trial in result["trials"]] == [[0, 1]] * 2
    assert all(trial["params"]["data.batch_size"] in (32, 64) for trial in result["trials"])


def test_a_script_by_hand_does_its_work_and_says_that_no_sweep_hears_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "argparse_train.py", "--lr", "0.1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "lr=0.1 sgd: loss 0.1038\n")
    assert "asyncsweep.report() does nothing here: no sweep runs this process" in done.stderr


def test_every_script_has_its_test() -> None:
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in SCRIPTS.iterdir() if path.is_file() and path.name not in tested] == []
