"""The files that workers print into: named while they are at work, gone afterwards; and logs that cannot be written."""

from __future__ import annotations

import itertools
import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.executors import names
from tests.leaks import nothing_left


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what is tested is files."""
    return "asyncio"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "sweep"


async def sweep(objective: Any, directory: Path, **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "executor": "process", "n_trials": 2, "space": {}, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, directory=directory, **settings).run()


def output_files(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.startswith("worker-")]


def counts_files(trial: Any) -> float:
    import os

    return float(sum(name.startswith("worker-process-") for name in os.listdir(trial.params["directory"])))


def prints(trial: Any) -> float:
    print("trial", trial.number)  # noqa: T201
    return 0.0


@pytest.mark.anyio
@pytest.mark.parametrize("fresh", [False, True], ids=["warm", "fresh"])
async def test_an_output_file_has_a_name_as_long_as_its_worker_lives(directory: Path, fresh: bool) -> None:
    settings = {"space": {"directory": str(directory)}, "executor": sw.executor("process", fresh=fresh)}
    result = await sweep(counts_files, directory, **settings)
    assert [trial.value for trial in result.trials] == [1.0, 1.0]
    assert output_files(directory) == []


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_has_the_name_of_an_output_file_is_in_nobodys_way(
    directory: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_numbers", itertools.count(1))
    directory.mkdir()
    place, other = directory / "worker-process-1.log", directory / "other"
    other.write_text("other")
    if kind == "file":
        place.write_text("old")
    elif kind == "link":
        place.symlink_to(other)
    else:
        place.mkdir()
    anyio.run(partial(sweep, prints, directory, n_trials=1))
    assert ((directory / "trials/0/attempt-1.log").read_text(), other.read_text()) == ("trial 0\n", "other")
    assert output_files(directory) == (["worker-process-1.log"] if kind == "folder" else [])


def spoils_its_log(trial: Any) -> float:
    """The logs of the first two trials cannot be written: a folder has their place."""
    if trial.number < 2:
        Path(trial.params["directory"], "trials", str(trial.number), "attempt-1.log").mkdir(parents=True)
    print("trial", trial.number)  # noqa: T201
    return 0.0


SPOILING = """
import asyncsweep as sw, pathlib, sys
number = int(sys.argv[1])
if number < 2:
    pathlib.Path(sys.argv[2].partition("=")[2], "trials", sys.argv[1], "attempt-1.log").mkdir(parents=True)
print("trial", number)
sw.finish(value=0.0)
"""


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["objective", "script"])
async def test_a_log_that_cannot_be_written_is_told_once_and_in_no_other_log(
    directory: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory.with_name("train.py").write_text(SPOILING)
    objective = spoils_its_log if kind == "objective" else sw.Script(directory.with_name("train.py"), ["{trial}"])
    result = await sweep(objective, directory, n_trials=3, space={"directory": str(directory)})
    assert [trial.state.value for trial in result.trials] == ["COMPLETE"] * 3
    place = directory / "trials/0/attempt-1.log"
    assert [record.getMessage() for record in caplog.records] == [
        f"what a trial printed is lost: {place} cannot be written: Is a directory; of further ones that is not said again"
    ]
    assert (directory / "trials/2/attempt-1.log").read_text() == "trial 2\n"
