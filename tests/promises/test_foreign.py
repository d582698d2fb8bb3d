"""Promises S6 and S23: nothing received is unpickled or evaluated, and looking at a sweep of others executes nothing of it."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw

ROOT = Path(__file__).parents[2]

# -- S6: who unpickles or evaluates, and what -------------------------------------------------------------------------

_LAUNCH = "the launch message of its parent, over a socketpair that nobody else has"
_SCRIPT = "the user's script, which is what it is there for"
_COPY = "its own copy of an object that the author of a plugin tests, in one process"
ALLOWED = {
    "worker/process.py: pickle.loads": _LAUNCH,
    "search/host.py: pickle.loads": _LAUNCH,
    "integrations/sklearn_folds.py: pickle.load": "the data of a search, in a private folder that its own parent made for it",
    "integrations/sklearn_folds.py: pickle.loads": "the same",
    "testing/pruners.py: cloudpickle.loads": _COPY,
    "testing/samplers.py: cloudpickle.loads": _COPY,
    "worker/as_main.py: compile": _SCRIPT,
    "worker/as_main.py: exec": _SCRIPT,
    "worker/guard.py: runpy.run_module": "a module of ours, which the controller names on the command line",
}
PICKLES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "marshal",
    "shelve",
    "joblib",
    "torch",
    "jsonpickle",
    "yaml",
}
LOADS = {"load", "loads", "Unpickler", "open", "unsafe_load", "full_load", "decode"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
RUNS = {"runpy.run_module", "runpy.run_path", "os.system", "os.popen", "code.interact", "importlib.reload", "pty.spawn"}


def executions(source: str) -> Iterator[str]:
    """What a module calls, or only names, that may execute what it is given."""
    imported: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            name = imported.get(node.id, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{imported.get(node.value.id, node.value.id)}.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle"):
            name = f"{node.arg}="
        else:
            continue
        module, _, what = name.rpartition(".")
        if name in BUILTINS | RUNS or (module in PICKLES and what in LOADS) or name in ("shell=", "allow_pickle="):
            yield name


def packages() -> Iterator[tuple[str, Path]]:
    for file in sorted((ROOT / "asyncsweep").rglob("*.py")):
        yield file.relative_to(ROOT / "asyncsweep").as_posix(), file
    for file in sorted((ROOT / "plugins").glob("*/asyncsweep_*/**/*.py")):
        yield file.relative_to(ROOT).as_posix(), file


def test_only_what_is_named_unpickles_or_evaluates() -> None:
    assert {f"{name}: {call}" for name, file in packages() for call in executions(file.read_text())} == set(ALLOWED)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle\npickle.loads(data)", "pickle.loads"),
        ("import pickle as p\np.Unpickler(file)", "pickle.Unpickler"),
        ("from pickle import loads as decode\ndecode(data)", "pickle.loads"),
        ("import cloudpickle\nread = cloudpickle.load", "cloudpickle.load"),
        ("import torch\ntorch.load(path)", "torch.load"),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", "allow_pickle="),
        ("import yaml\nyaml.load(text)", "yaml.load"),
        ("eval(text)", "eval"),
        ("def f():\n    return [exec][0](text)", "exec"),
        ("import os\nos.system(text)", "os.system"),
        ("import subprocess\nsubprocess.run(text, shell=True)", "shell="),
    ],
)
def test_a_planted_execution_is_found(source: str, found: str) -> None:
    assert found in set(executions(source))


# -- S23: a directory of somebody else ------------------------------------------------------------------------------------

EVIL = """
import pathlib
pathlib.Path({canary!r}).touch()

async def objective(trial):
    return 0.0
"""

# In a process of its own, whose every step the interpreter tells of, with the foreign folder as its current one.
WATCHED = """
import contextlib, io, json, os, sys

foreign = os.getcwd()
seen = []
NEVER = {"pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
         "socket.connect", "socket.bind", "code.__new__", "ctypes.dlopen", "webbrowser.open"}

def hook(event, args):
    if event in NEVER:
        seen.append(f"{event} {args!r}")
    elif event == "exec" and getattr(args[0], "co_filename", "").startswith(foreign):
        seen.append(f"exec {args[0].co_filename}")
    elif event == "import" and args[1] and str(args[1]).startswith(foreign):
        seen.append(f"import {args[1]}")

from asyncsweep.cli.group import asyncsweep
commands = json.loads(sys.argv[1])
for command in commands:  # once before: what is imported from elsewhere has its own ways
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        asyncsweep.main([*command, "--help"])
sys.addaudithook(hook)
done = {}
for command in commands:
    output = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            asyncsweep.main(command, prog_name="asyncsweep")
        except SystemExit as end:
            done[" ".join(command)] = end.code
print(json.dumps({"seen": seen, "done": done}))
"""

LOOKS = [
    *(
        ["show", "."],
        ["show", ".", "--json"],
        ["show", ".", "--trial", "0"],
        ["ls", ".."],
        ["logs", "."],
        ["logs", ".", "0"],
    ),
    *(["artifacts", "ls", "."], ["export", "csv", "."], ["export", "json", "."]),
    *(["export", "html", "."], ["export", "html", ".", "--plain"]),
    *(["journal", "check", "."], ["journal", "dump", "."], ["journal", "repair", "--dry-run", "."]),
]
# Refused, as it would run what the folder names.
RUNS_IT = ["resume", "."]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pickle-ran",)


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep's folder with everything in it that somebody might be led to execute."""
    folder = tmp_path / "sweeps" / "foreign"
    (tmp_path / "evil.py").write_text(EVIL.format(canary=str(tmp_path / "harmless")))
    monkeypatch.syspath_prepend(str(tmp_path))
    anyio.run(
        sw.Sweep(
            "evil:objective", {"x": sw.Float(0, 1)}, sampler="random", executor="inline", n_trials=2, directory=folder
        ).run
    )
    sys.modules.pop("evil", None)
    evil = EVIL.format(canary=str(tmp_path / "evil-ran"))
    names = ("evil", "sitecustomize", "usercustomize", "conftest", "setup", "asyncsweep", "click", "rich", "objective")
    trial = folder / "trials" / "0"
    for place in (folder, trial / "artifacts", trial / "checkpoint"):
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / f"{name}.py").write_text(evil)
        (place / "evil.pth").write_text(f"import os; os.system('touch {tmp_path}/evil-ran')\n")
        for name in ("objective.pkl", "sampler.pickle", "model.pt", "study.db", "snapshot", "journal.pkl"):
            (place / name).write_bytes(pickle.dumps(Bomb()))
    (trial / "attempt-1.log").write_text("printed\n")
    record = {
        "version": 1,
        "objective": "evil:objective",
        "folder": str(folder),
        "paths_from": str(folder),
        "hooks": {},
    }
    (folder / "objective.json").write_text(json.dumps({**record, "secret_env": [], "signature": "0" * 64}))
    return folder


def test_looking_at_a_foreign_sweep_executes_nothing(foreign: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ASYNCSWEEP_PLUGINS": "off", "HOME": str(tmp_path)}
    command = [sys.executable, "-P", "-c", WATCHED, json.dumps([*LOOKS, RUNS_IT])]
    done = subprocess.run(
        command, cwd=foreign, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["seen"] == []
    assert {name: code for name, code in told["done"].items() if code} == {" ".join(RUNS_IT): 2}
    assert not (tmp_path / "evil-ran").exists()
    assert not list(tmp_path.rglob("pickle-ran"))


# -- docs/security.md -----------------------------------------------------------------------------------------------------

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_tests_that_the_page_on_security_names_exist(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_on_security_names_tests_for_its_promises() -> None:
    assert len(NAMED) >= 10
