"""What is in the event files, read record by record as TensorBoard does."""

from __future__ import annotations

import ast
import importlib
import math
import os
import struct
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from asyncsweep_tensorboard import plugin
from asyncsweep_tensorboard.exporter import TensorBoardExporter

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


async def run(logdir: Path | None, n_trials: int = 4, **settings: Any) -> sw.Result:
    options = {} if logdir is None else {"logdir": str(logdir)}
    given = {"sampler": "random", "executor": "inline", "seed": 1, "retries": 1, **settings}
    exporter = TensorBoardExporter(**options)
    with anyio.fail_after(50):
        return await sw.Sweep(curve, SPACE, n_trials=n_trials, exporters=[exporter], **given).run()


def events(folder: Path) -> list[Any]:
    """The events of a run: of its files in the order of their attempts."""
    from tensorboardX.proto import event_pb2

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.name.split(".")[5:]):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            found.append(event_pb2.Event.FromString(data[at + 12 : at + 12 + size]))
            at += size + 16
    return found


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """(tag, step, value), without what a later START has purged."""
    found: list[tuple[str, int, float]] = []
    for event in events(folder):
        if event.HasField("session_log"):
            found = [point for point in found if point[1] < event.step]
        found += [
            (value.tag, event.step, value.simple_value)
            for value in event.summary.value
            if value.HasField("simple_value")
        ]
    return found


def hparams(folder: Path) -> dict[str, Any]:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    found: dict[str, Any] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                found[value.tag.rpartition("/")[2]] = data
    return found


async def test_each_trial_has_its_curve_and_its_final_metrics(tmp_path: Path) -> None:
    result = await run(tmp_path)
    for number in (0, 1):
        lr = result.trials[number].params["lr"]
        found = [
            (tag, step, pytest.approx(value)) for tag, step, value in scalars(tmp_path / f"sweep/trial-0000{number}")
        ]
        assert found == [
            *(("value", 0, lr), ("value", 1, lr + 1)),
            *(("final/value", 1, lr), ("final/accuracy", 1, 0.5)),
        ]


async def test_the_page_hparams_has_parameters_metrics_and_how_it_ended(tmp_path: Path) -> None:
    from tensorboardX.proto.api_pb2 import Status

    result = await run(tmp_path)
    found = hparams(tmp_path / "sweep" / "trial-00000")
    params = found["session_start_info"].session_start_info.hparams
    assert params["lr"].number_value == result.trials[0].params["lr"]
    assert params["layers"].string_value in ("[8]", "[8, 8]")
    assert params["epochs"].number_value == 3.0
    names = [info.name.tag for info in found["experiment"].experiment.metric_infos]
    assert names == ["final/value"]
    ends = [
        Status.Name(hparams(tmp_path / f"sweep/trial-0000{n}")["session_end_info"].session_end_info.status)
        for n in range(4)
    ]
    assert ends == ["STATUS_SUCCESS", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_SUCCESS"]


async def test_a_resumed_sweep_writes_what_is_missing_and_nothing_twice(tmp_path: Path) -> None:
    await run(None, directory=tmp_path / "s", n_trials=3)
    folder = tmp_path / "s" / "tensorboard"
    before = scalars(folder / "trial-00000"), os.listdir(folder / "trial-00000")
    for path in (folder / "trial-00001").iterdir():
        path.unlink()
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "s", curve, n_trials=4, exporters=[TensorBoardExporter()])
    assert (scalars(folder / "trial-00000"), os.listdir(folder / "trial-00000")) == before
    assert [tag for tag, _, _ in scalars(folder / "trial-00001")] == ["value", "value", "final/value", "final/accuracy"]
    assert (folder / "trial-00003").is_dir()


async def test_sweeps_in_memory_do_not_mix(tmp_path: Path) -> None:
    for _ in range(2):
        await run(tmp_path, n_trials=1)
    assert sorted(os.listdir(tmp_path)) == ["sweep", "sweep-2"]


async def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs" / "s" / "trial-00000").mkdir(parents=True)
    with pytest.raises(sw.ConfigError, match=r"exporter\.logdir: there is a folder '.*/logs/s' already"):
        await run(tmp_path / "logs", directory=tmp_path / "s")


async def test_a_sweep_in_memory_needs_a_folder() -> None:
    with pytest.raises(sw.ConfigError, match=r"exporter\.logdir: the sweep is in memory only"):
        await run(None)


def test_what_was_missed_is_in_the_file_in_the_end(tmp_path: Path) -> None:
    exporter = TensorBoardExporter(tmp_path)
    exporter.open(sw.SweepInfo("sweep", None, sw.Space({}), {"loss": "minimize"}, "f", lambda: ()))
    exporter.write([sw.TrialStarted(at=1.0, trial=0, attempt=1, worker=None)], ())
    exporter.write([sw.TrialReported(at=2.0, trial=0, step=1, value=0.5)], ())
    record = sw.TrialRecord(0, sw.State.FAILED, attempt=1, started_at=1.0, finished_at=3.0)
    record.steps, record.reported = (0, 1, 2), (1.0, 0.5, 1e300)  # type: ignore[assignment]
    record.report_metrics = [(2, {"accuracy": 0.25})]
    exporter.write((), [record])
    exporter.close()
    assert sorted(scalars(tmp_path / "sweep" / "trial-00000")) == [
        ("accuracy", 2, 0.25),
        ("loss", 0, 1.0),
        ("loss", 1, 0.5),
        ("loss", 2, math.inf),
    ]


@pytest.mark.parametrize("logdir", ["", 3])
def test_a_wrong_option_is_named(logdir: Any) -> None:
    with pytest.raises(sw.ConfigError, match=r"^exporter\.logdir: expected the path of a folder, got "):
        TensorBoardExporter(logdir)


def test_the_package_uses_public_names_only() -> None:
    used = set()
    for path in (Path(__file__).parents[1] / "asyncsweep_tensorboard").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncsweep":
                used |= {(node.module or "", alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                used |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "asyncsweep"}
    assert used
    assert sorted(use for use in used if use[0] != "asyncsweep" or use[1] not in sw.__all__) == []


async def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(sw.ConfigError, match=r"tensorboardX cannot be imported .*: pip install asyncsweep-tensorboard"):
        await run(tmp_path)


def test_the_name_leads_to_it() -> None:
    path = plugin.asyncsweep_exporters()["tensorboard"]
    module, _, name = path.partition(":")
    assert getattr(importlib.import_module(module), name) is TensorBoardExporter
