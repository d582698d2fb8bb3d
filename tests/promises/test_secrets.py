"""Promise S19: secrets are in nothing that a sweep leaves, and children get an allow-listed environment. 50 canaries.

40 of them are in the environment, 5 in URLs that the objective shows, 5 are options of a sampler and an exporter.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep
from asyncsweep.worker import secrets
from tests.leaks import nothing_left
from tests.promises import leaky
from tests.promises.leaky import NAMES, OPTIONS, WAYS

X = {"x": sw.Float(0, 1)}
SETTINGS: dict[str, Any] = {
    "sampler": {"name": "leaky", "api_key": OPTIONS[0]},
    "exporters": [
        {
            "name": "leaky",
            "url": f"https://me:{OPTIONS[1]}@host/?token={OPTIONS[2]}",
            "headers": {"Authorization": f"Bearer {OPTIONS[3]}"},
            "password": OPTIONS[4],
        }
    ],
    "plugins": [leaky.Plugin()],
}


@pytest.fixture(autouse=True)
def canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, leaky.value(name))
    monkeypatch.setattr(secrets, "_learned", set())


def left_in(directory: Path) -> bytes:
    """The bytes of all files, and their names."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return b"\n".join(part for path in files for part in (os.fsencode(path.name), path.read_bytes()))


def leaked(data: str | bytes) -> list[str]:
    text = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
    return [core for core in leaky.cores() if core.encode() in text]


@pytest.fixture
def logged() -> Any:
    """What the application's log has of us, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("asyncsweep")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_there_are_fifty() -> None:
    assert (len(leaky.cores()), len(set(leaky.cores()))) == (50, 50)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_secret_is_in_what_a_sweep_leaves(tmp_path: Path, logged: io.StringIO) -> None:
    directory = tmp_path / "sweep"
    jsonl = {"name": "jsonl", "path": str(tmp_path / "updates.jsonl")}
    settings = {**SETTINGS, "exporters": [*SETTINGS["exporters"], jsonl]}
    executor = {"name": "process", "pass_env": NAMES}
    async with nothing_left():
        result = await sw.Sweep(
            leaky.leak, X, executor=executor, n_trials=len(WAYS), directory=directory, retries=1, **settings
        ).run()
    # The trials had the secrets, and showed them: stars stand for them.
    states = [trial.state.value for trial in result.trials]
    first_failing = WAYS.index(leaky.raises)
    assert states == ["COMPLETE"] * first_failing + ["FAILED"] * (len(WAYS) - first_failing)
    logs = {
        trial.number: b"".join(f.read_bytes() for f in directory.glob(f"trials/{trial.number}/*.log"))
        for trial in result.trials
    }
    assert logs[0].count(b"here: ") == len(NAMES) + len(leaky.URLS)
    assert all(b"***" in logs[WAYS.index(way)] for way in (*WAYS[:first_failing], leaky.dies))
    errors = [trial.error for trial in result.trials if trial.error is not None]
    assert all("***" in f"{error.message}{error.traceback}" for error in errors[:-1])
    assert "no connection with" in logged.getvalue()
    assert "401 for ***" in logged.getvalue()
    assert "asyncsweep_finished" in logged.getvalue()
    # And nothing else of them is left.
    assert leaked(left_in(tmp_path)) == []
    assert leaked(logged.getvalue()) == []
    assert leaked(str([(error.message, error.traceback) for error in errors])) == []
    assert leaked(json.dumps(result.to_rows(), default=str)) == []
    for command in COMMANDS:
        arguments = [str(directory) if word == "DIR" else word for word in command]
        shown = await anyio.to_thread.run_sync(CliRunner().invoke, asyncsweep, arguments)
        assert shown.exception is None or shown.exit_code == 0, (command, shown.output)
        assert leaked(shown.output) == [], command


COMMANDS = (
    ("show", "DIR"),
    ("show", "DIR", "--json"),
    ("journal", "dump", "DIR"),
    ("export", "csv", "DIR"),
    ("export", "json", "DIR"),
    ("export", "html", "DIR"),
    ("export", "html", "DIR", "--plain"),
)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_secret_reaches_a_child_that_was_not_named(tmp_path: Path) -> None:
    settings = {**SETTINGS, "exporters": (), "plugins": [leaky.Plugin()]}
    result = await sw.Sweep(leaky.n_found, X, executor="process", n_trials=1, **settings).run()
    (trial,) = result.trials
    assert (trial.state.value, trial.value) == ("COMPLETE", 0.0)  # the sampler of it would fail, too


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_secret_is_in_the_errors_of_trials_in_this_process(tmp_path: Path) -> None:
    n_trials = len(WAYS) - WAYS.index(leaky.raises) - 2
    result = await sw.Sweep(
        leaky.leak_inline, X, sampler="random", n_trials=n_trials, directory=tmp_path / "sweep"
    ).run()
    assert [trial.state.value for trial in result.trials] == ["FAILED"] * n_trials
    assert leaked(left_in(tmp_path)) == []


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_choice_with_a_secret_is_given_again_on_resume(tmp_path: Path) -> None:
    exporter = {"name": "leaky", "url": "https://host", "headers": {}, "password": OPTIONS[4]}
    settings: dict[str, Any] = {"sampler": "random", "n_trials": 1, "plugins": [leaky.Plugin()]}
    await sw.Sweep(leaky.nothing, X, exporters=[exporter], directory=tmp_path, **settings).run()
    with pytest.raises(sw.ConfigError, match=r"exporters: .* \(leaky\), or a secret .* give exporters=\.\.\. again"):
        sw.Sweep.open(tmp_path, leaky.nothing, plugins=[leaky.Plugin()])
    sw.Sweep.open(tmp_path, leaky.nothing, plugins=[leaky.Plugin()], exporters=[exporter])


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kind", ["script", "command"])
@pytest.mark.parametrize("ends", [[], ["--fails"]], ids=["well", "badly"])
async def test_a_secret_that_a_program_is_given_is_not_left_either(kind: str, ends: list[str], tmp_path: Path) -> None:
    path, env = leaky.__file__.replace("leaky", "leaky_train"), {"LEAKY_PASSWORD": f"given-{OPTIONS[0]}"}
    objective: Any = sw.Script(path, ends, env=env)
    if kind == "command":
        objective = sw.Command([sys.executable, path, *ends], env=env)
    (trial,) = (
        await sw.Sweep(objective, {"x": 1}, sampler="random", n_trials=1, directory=tmp_path / "d").run()
    ).trials
    assert b"printed ****" in left_in(tmp_path)
    assert ends == [] or "***" in str(trial.error)
    assert leaked(left_in(tmp_path) + repr(trial.error).encode()) == []
