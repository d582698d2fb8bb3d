"""What is in MLflow, read with its client. A store of files does without a server and a database."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from asyncsweep_mlflow import plugin
from asyncsweep_mlflow.exporter import MlflowExporter
from asyncsweep_mlflow.texts import name_of, shown

import asyncsweep as sw

SPACE = {"lr": sw.Float(0.0, 1.0), "layers": sw.Categorical([[8], [8, 8]]), "epochs": 3}

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore")]  # the library's own


@pytest.fixture
def anyio_backend() -> str:
    """How exporters get on with each event loop is tested with asyncsweep."""
    return "asyncio"


async def curve(trial: Any) -> Any:
    """Reports twice. Trial 1 fails at its first attempt and trial 2 at both; trial 3 is pruned."""
    for step in range(2):
        trial.report(trial.params["lr"] + step, step)
    trial.set_user_attr("note", "good")
    if trial.number == 2 or (trial.number == 1 and trial.attempt == 1):
        raise ValueError("no luck")
    if trial.number == 3:
        raise sw.TrialPruned
    return {"value": trial.params["lr"], "accuracy": 0.5}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)


def exporter(folder: Path) -> MlflowExporter:
    return MlflowExporter((folder / "store").as_uri(), "networks")


async def run(folder: Path, n_trials: int = 4, **settings: Any) -> sw.Result:
    given = {"sampler": "random", "executor": "inline", "seed": 1, "retries": 1, **settings}
    with anyio.fail_after(50):
        return await sw.Sweep(curve, SPACE, n_trials=n_trials, exporters=[exporter(folder)], **given).run()


def runs(folder: Path) -> dict[str, Any]:
    """All runs by their names, with the children's parent."""
    from mlflow import MlflowClient

    client = MlflowClient((folder / "store").as_uri())
    experiment = client.get_experiment_by_name("networks")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    names = [run.info.run_name for run in found]
    assert len(set(names)) == len(names), names
    return {run.info.run_name: run for run in found}


async def test_a_sweep_is_a_run_with_a_run_for_each_attempt(tmp_path: Path) -> None:
    await run(tmp_path)
    found = runs(tmp_path)
    parent = found.pop("sweep")
    assert (parent.info.status, parent.data.tags["asyncsweep.reason"]) == ("FINISHED", "n_trials reached")
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    states = {name: (run.info.status, run.data.tags["asyncsweep.state"]) for name, run in found.items()}
    assert states == {
        "trial 0": ("FINISHED", "COMPLETE"),
        "trial 1": ("FAILED", "RETRIED"),
        "trial 1, attempt 2": ("FINISHED", "COMPLETE"),
        "trial 2": ("FAILED", "RETRIED"),
        "trial 2, attempt 2": ("FAILED", "FAILED"),
        "trial 3": ("KILLED", "PRUNED"),
    }
    assert found["trial 2, attempt 2"].data.tags["asyncsweep.error"] == "ValueError: no luck"


async def test_a_trials_run_has_parameters_curve_metrics_and_attributes(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    result = await run(tmp_path, n_trials=1)
    trial, found = result.trials[0], runs(tmp_path)["trial 0"]
    lr = trial.params["lr"]
    assert found.data.params == {"lr": str(lr), "layers": str(trial.params["layers"]), "epochs": "3"}
    assert found.data.metrics == {"value": lr, "accuracy": 0.5}
    history = MlflowClient((tmp_path / "store").as_uri()).get_metric_history(found.info.run_id, "value")
    assert [(point.step, point.value) for point in history] == [(0, lr), (1, lr + 1), (1, lr)]
    assert found.data.tags["note"] == "good"


async def test_a_resumed_sweep_goes_on_in_its_run(tmp_path: Path) -> None:
    await run(tmp_path, directory=tmp_path / "s", n_trials=1)
    before = set(runs(tmp_path))
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "s", curve, n_trials=2, exporters=[exporter(tmp_path)])
    assert (before, set(runs(tmp_path)) - before) == ({"s", "trial 0"}, {"trial 1", "trial 1, attempt 2"})


async def test_what_an_earlier_process_left_running_is_ended(tmp_path: Path) -> None:
    first = exporter(tmp_path)
    there: list[sw.TrialRecord] = []
    info = sw.SweepInfo("s", tmp_path, sw.Space({}), {"value": "minimize"}, "f", lambda: there)
    first.open(info)
    first.write([sw.TrialStarted(at=1.0, trial=0, attempt=1, worker=None)], ())
    there.append(sw.TrialRecord(0, sw.State.RUNNING, attempt=1))
    second = exporter(tmp_path)
    second.open(info)
    second.write([sw.TrialStarted(at=2.0, trial=0, attempt=2, worker=None)], ())
    states = {name: (run.info.status, run.data.tags.get("asyncsweep.state")) for name, run in runs(tmp_path).items()}
    assert states == {
        "s": ("RUNNING", None),
        "trial 0": ("KILLED", "INTERRUPTED"),
        "trial 0, attempt 2": ("RUNNING", None),
    }


def test_what_was_missed_is_logged_in_the_end(tmp_path: Path) -> None:
    made = exporter(tmp_path)
    made.open(sw.SweepInfo("s", None, sw.Space({}), {"loss": "minimize"}, "f", lambda: ()))
    record = sw.TrialRecord(7, sw.State.CANCELLED, attempt=1, started_at=1.0, finished_at=3.0)
    record.param_names, record.param_values = ("a[0]", "text"), (1, "x" * 9000)
    record.steps = tuple(range(1500))  # type: ignore[assignment]
    record.reported = tuple(float(step) for step in range(1500))  # type: ignore[assignment]
    made.write((), [record])
    made.close()
    found = runs(tmp_path)
    assert found["s"].info.status == "KILLED"
    assert (found["trial 7"].info.status, found["trial 7"].data.metrics) == ("KILLED", {"loss": 1499.0})
    assert (found["trial 7"].data.params["a_0_"], len(found["trial 7"].data.params["text"])) == ("1", 6000)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("model.lr", "model.lr"), ("a/b", "a/b"), ("a//b", "a__b"), ("../x", "___x"), (".", "_"), ("a[0]=é", "a_0__é")],
)
def test_a_name_is_one_that_mlflow_takes(name: str, kept: str) -> None:
    assert name_of(name) == kept


def test_values_are_shown_as_json_or_hexadecimal() -> None:
    assert [shown(value) for value in ([1, "é"], b"\xff", None, 0.1)] == ['[1, "é"]', "ff", "None", "0.1"]


async def test_a_server_that_is_not_there_ends_the_sweep_before_its_first_trial() -> None:
    bad = MlflowExporter("nonsense://user:hunter2@localhost")
    with pytest.raises(sw.ConfigError, match=r"exporter\.tracking_uri: MLflow cannot be used: ") as caught:
        await sw.Sweep(curve, SPACE, n_trials=1, executor="inline", sampler="random", exporters=[bad]).run()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["tracking_uri", "experiment"])
@pytest.mark.parametrize("value", ["", 3])
def test_a_wrong_option_is_named(option: str, value: Any) -> None:
    with pytest.raises(sw.ConfigError, match=rf"^exporter\.{option}: expected a text, or None, got "):
        MlflowExporter(**{option: value})


@pytest.mark.deep
async def test_it_logs_into_a_database(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    made = MlflowExporter(uri)
    await sw.Sweep(curve, SPACE, n_trials=2, executor="inline", sampler="random", exporters=[made]).run()
    found = MlflowClient(uri).search_runs(["0"])
    assert sorted(run.info.run_name for run in found) == ["sweep", "trial 0", "trial 1"]


def test_the_package_uses_public_names_only() -> None:
    used = set()
    for path in (Path(__file__).parents[1] / "asyncsweep_mlflow").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncsweep":
                used |= {(node.module or "", alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                used |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "asyncsweep"}
    assert used
    assert sorted(use for use in used if use[0] != "asyncsweep" or use[1] not in sw.__all__) == []


async def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(sw.ConfigError, match=r"mlflow cannot be imported .*: pip install asyncsweep-mlflow"):
        await run(tmp_path)


def test_the_name_leads_to_it() -> None:
    path = plugin.asyncsweep_exporters()["mlflow"]
    module, _, name = path.partition(":")
    assert getattr(importlib.import_module(module), name) is MlflowExporter
