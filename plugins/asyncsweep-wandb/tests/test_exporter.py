"""What is in wandb's offline files, read record by record. Nothing goes to a network."""

from __future__ import annotations

import ast
import importlib
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from asyncsweep_wandb import plugin
from asyncsweep_wandb.exporter import WandbExporter

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
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


async def run(folder: Path, n_trials: int = 4, **settings: Any) -> sw.Result:
    given = {"sampler": "random", "executor": "inline", "seed": 1, "retries": 1, **settings}
    exporters = [WandbExporter(project="networks", dir=folder)]
    with anyio.fail_after(50):
        return await sw.Sweep(curve, SPACE, n_trials=n_trials, exporters=exporters, **given).run()


def records(path: Path) -> Iterator[Any]:
    """The records of a run's file: a log in blocks of 32 KiB, in which a record may be in pieces."""
    from wandb.proto import wandb_internal_pb2

    data, at, pieces = path.read_bytes(), 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        pieces += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(pieces)
            pieces = b""


def runs(folder: Path) -> dict[str, dict[str, Any]]:
    """By its name what there is of each run."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        run: dict[str, Any] = {"history": [], "summary": {}, "config": {}}
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run |= {"name": record.run.display_name, "group": record.run.run_group, "project": record.run.project}
                run["config"] |= values(record.run.config.update)
            elif kind == "config":
                run["config"] |= values(record.config.update)
            elif kind == "history":
                run["history"].append(values(record.history.item))
            elif kind == "summary":
                run["summary"] |= values(record.summary.update)
            elif kind == "exit":
                run["exit_code"] = record.exit.exit_code
        assert run["name"] not in found
        found[run["name"]] = run
    return found


def values(items: Any) -> dict[str, Any]:
    """What was given, without what wandb adds."""
    pairs = [(item.key or ".".join(item.nested_key), json.loads(item.value_json)) for item in items]
    return {key: value for key, value in pairs if not key.startswith("_")}


async def test_each_attempt_is_a_run_in_the_group_of_the_sweep(tmp_path: Path) -> None:
    before = psutil.Process().children()
    result = await run(tmp_path)
    found = runs(tmp_path)
    assert {(run["group"], run["project"]) for run in found.values()} == {("sweep", "networks")}
    assert {name: (run["exit_code"], run["summary"]["asyncsweep/state"]) for name, run in found.items()} == {
        "trial 0": (0, "COMPLETE"),
        "trial 1": (1, "RETRIED"),
        "trial 1, attempt 2": (0, "COMPLETE"),
        "trial 2": (1, "RETRIED"),
        "trial 2, attempt 2": (1, "FAILED"),
        "trial 3": (0, "PRUNED"),
    }
    lr = result.trials[0].params["lr"]
    first = found["trial 0"]
    assert first["config"] == result.trials[0].params
    assert first["history"] == [{"value": lr, "step": 0}, {"value": lr + 1, "step": 1}]
    assert {key: first["summary"][key] for key in ("value", "accuracy", "note", "asyncsweep/trial")} == {
        "value": lr,
        "accuracy": 0.5,
        "note": "good",
        "asyncsweep/trial": 0,
    }
    assert found["trial 2, attempt 2"]["summary"]["asyncsweep/error"] == "ValueError: no luck"
    assert psutil.Process().children() == before  # its service has ended


async def test_a_resumed_sweep_adds_what_is_not_there(tmp_path: Path) -> None:
    await run(tmp_path, directory=tmp_path / "s", n_trials=1)
    again = WandbExporter(dir=tmp_path)
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "s", curve, n_trials=2, exporters=[again])
    assert set(runs(tmp_path)) == {"trial 0", "trial 1", "trial 1, attempt 2"}


async def test_a_sweep_that_is_not_logged_in_ends_before_its_first_trial(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(sw.ConfigError, match=r"wandb cannot be used: .*; log in with `wandb login`, or mode='offline'"):
        await run(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": ""}, "exporter.project: expected a text, or None, got ''"),
        ({"entity": 3}, "exporter.entity: expected a text, or None, got 3"),
        ({"mode": "off"}, 'exporter.mode: expected "online" or "offline", or None, got \'off\''),
        ({"dir": ""}, "exporter.dir: expected the path of a folder, or None, got ''"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        WandbExporter(**options)
    assert str(caught.value) == message


def test_the_package_uses_public_names_only() -> None:
    used = set()
    for path in (Path(__file__).parents[1] / "asyncsweep_wandb").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncsweep":
                used |= {(node.module or "", alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                used |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "asyncsweep"}
    assert used
    assert sorted(use for use in used if use[0] != "asyncsweep" or use[1] not in sw.__all__) == []


async def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(sw.ConfigError, match=r"wandb cannot be imported .*: pip install asyncsweep-wandb"):
        await run(tmp_path)


def test_the_name_leads_to_it() -> None:
    path = plugin.asyncsweep_exporters()["wandb"]
    module, _, name = path.partition(":")
    assert getattr(importlib.import_module(module), name) is WandbExporter
