"""What an import costs: in a fresh interpreter each time, because nothing can be unimported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "asyncio",
    "click",
    "cloudpickle",
    "importlib.metadata",
    "numpy",
    "optuna",
    "pandas",
    "rich",
    "sklearn",
    "trio",
)


def in_a_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code: str) -> set[str]:
    """The names in `sys.modules` once the code ran, less those that a bare interpreter has."""
    show = (
        "import sys; before = set(sys.modules)\n{}\nimport json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    return set(json.loads(in_a_fresh_interpreter(show.format(code))))


def tops(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_the_public_face_imports_nothing_heavy() -> None:
    assert modules_after("from asyncsweep import Sweep, Float").isdisjoint(HEAVY)


def test_the_public_face_imports_only_what_settings_need() -> None:
    # How long it takes is measured by `python -m benchmarks run startup`.
    modules = modules_after("from asyncsweep import Sweep, Float")
    for later in ("hooks.registry", "journal", "run", "result", "driver.driver", "executors", "search.host", "cli"):
        assert f"asyncsweep.{later}" not in modules


def test_the_bare_package_imports_nothing_of_itself() -> None:
    assert {name for name in modules_after("import asyncsweep") if name.startswith("asyncsweep")} == {"asyncsweep"}


def test_the_worker_imports_only_its_own_layers_and_msgpack() -> None:
    modules = modules_after("import asyncsweep; asyncsweep.report")
    own = {name.split(".")[1] for name in modules if name.startswith("asyncsweep.")}
    assert own <= {"worker", "wire", "errors"}
    assert {name for name in tops(modules) if name not in sys.stdlib_module_names} <= {"asyncsweep", "msgpack"}


@pytest.mark.parametrize("kind", ["samplers", "pruners", "executors", "exporters"])
def test_registering_the_built_in_names_imports_none_of_them(kind: str) -> None:
    modules = {
        name for name in modules_after(f"import asyncsweep.{kind}.plugin") if name.startswith(f"asyncsweep.{kind}")
    }
    assert modules == {f"asyncsweep.{kind}", f"asyncsweep.{kind}.plugin"}
