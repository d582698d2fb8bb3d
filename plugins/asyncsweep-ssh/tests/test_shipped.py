"""What runs on hosts runs on Python 3.10 without a package; its first lines run on anything."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from asyncsweep_ssh.archive import worker_archive
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import Keys, Server

import asyncsweep as sw

PLUGIN = Path(__file__).parent.parent / "asyncsweep_ssh"
CODE = Path(__file__).parent / "code"
# What a module of the standard library has only from a later version on than 3.10, as far as it is likely to be used.
TOO_NEW = ("tomllib", "TaskGroup", "StrEnum", "process_group", "except*", "from typing import Self", "batched(")


def test_what_is_shipped_is_python_3_10() -> None:
    with zipfile.ZipFile(io.BytesIO(worker_archive().data)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        assert len(names) > 50
        for name in names:
            source = archive.read(name).decode()
            ast.parse(source, name, feature_version=(3, 10))
            if name.startswith(("asyncsweep/worker", "asyncsweep/wire", "asyncsweep_ssh")):
                assert [word for word in TOO_NEW if word in source] == [], name


def test_the_first_lines_are_understood_by_old_pythons(tmp_path: Path) -> None:
    source = (PLUGIN / "remote" / "stage0.txt").read_text()
    ast.parse(source, feature_version=(3, 4))
    python2 = os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python")
    if os.access(python2, os.X_OK):
        done = subprocess.run(
            [python2, "-c", source, "", "mark ", "0", "", "", ""], capture_output=True, text=True, check=False
        )
        assert done.stdout.startswith('\nmark {"')
        assert '"old": "2.7' in done.stdout


def test_the_agent_imports_nothing_but_the_standard_library_and_what_is_shipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(worker_archive().data)) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path[:1] = sys.argv[1:]; import asyncsweep_ssh.remote.agent, asyncsweep.worker.process, asyncsweep.worker.guard; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [os.path.realpath(sys.executable), "-S", "-c", code, tmp_path, tmp_path / "with_msgpack"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['__main__', 'asyncsweep', 'asyncsweep_ssh', 'msgpack']"


def pythons() -> list[str]:
    """Interpreters of other versions that are here, without packages."""
    found = []
    for minor in (10, 11, 12, 13, 14):
        places = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
        name = str(places[-1]) if places else shutil.which(f"python3.{minor}")
        if name is not None and subprocess.run([name, "-c", ""], capture_output=True, check=False).returncode == 0:
            found.append(name)
    return found


@pytest.mark.anyio
async def test_an_objective_with_a_space_beside_it_runs_on_every_python_that_is_here(
    keys: Keys, near: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CODE))
    for python in pythons():
        executor = SshExecutor([{"host": "near", "python": python}], code=CODE, config=str(keys.config))
        sweep = sw.Sweep(
            "with_space:objective", space={"x": sw.Float(0.0, 1.0)}, sampler="random", executor=executor, n_trials=1
        )
        result = await sweep.run()
        assert [trial.value for trial in result.trials] == [1.0], python
        assert result.trials[0].user_attrs == {"names": ["x", "n", "opt", "momentum"]}


@pytest.mark.anyio
async def test_a_function_of_main_goes_by_value_to_the_same_version_and_is_refused_by_another(
    keys: Keys, near: Server
) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec("def double(x):\n    return 2 * x\n", namespace)  # noqa: S102  what a notebook has
    for python in pythons():
        executor = SshExecutor([{"host": "near", "python": python}], config=str(keys.config))
        sweep = sw.Sweep(
            namespace["double"], space={"x": sw.Float(0.0, 1.0)}, sampler="random", executor=executor, n_trials=1
        )
        if f"python3.{sys.version_info.minor}" in python:
            result = await sweep.run()
            assert result.counts[sw.State.COMPLETE] == 1
        else:
            with pytest.raises(
                sw.ConfigError, match=r"near: its Python is 3[.][0-9.]+, and the objective is sent as code of Python"
            ):
                await sweep.run()
