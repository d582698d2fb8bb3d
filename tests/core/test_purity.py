"""The core imports nothing that could make it impure, and calls nothing impure when it runs."""

from __future__ import annotations

import ast
import random
import sys
import time
from pathlib import Path
from types import FrameType

from asyncsweep.core.machine import Machine
from tests.core.worlds import random_world

CORE = Path(__file__).parent.parent.parent / "asyncsweep" / "core"
MAY_IMPORT = {
    "__future__", "array", "asyncsweep", "collections", "copy", "dataclasses", "enum", "math", "msgspec", "operator", "struct", "typing",
}  # fmt: skip
MAY_IMPORT_OF_OURS = {"core", "errors", "space"}
# Modules whose C functions the machine may call; those of `builtins` that reach outside or depend on addresses are not.
MAY_CALL = {"array", "builtins", "collections", "math", "msgspec._core", "_abc"}
IMPURE_BUILTINS = {
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "globals",
    "hash",
    "id",
    "input",
    "open",
    "print",
}


def imported(source: str) -> set[str]:
    """The full names of the modules that a source imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def impure(source: str) -> set[str]:
    """The imports of a source that the core may not have."""
    parts = {name: name.split(".") for name in imported(source)}
    return {
        name
        for name, (top, *rest) in parts.items()
        if top not in MAY_IMPORT or (top == "asyncsweep" and (not rest or rest[0] not in MAY_IMPORT_OF_OURS))
    }


def test_the_core_imports_nothing_impure() -> None:
    assert {file.name: impure(file.read_text()) for file in CORE.rglob("*.py")} == {
        file.name: set() for file in CORE.rglob("*.py")
    }


def test_an_impure_import_would_be_found() -> None:
    source = (
        "import time\ndef f():\n    from random import random\n    from asyncsweep.driver import x\n    import math"
    )
    assert impure(source) == {"time", "random.random", "asyncsweep.driver.x"}


def calls_of(machine_does: object) -> set[str]:
    """The impure functions and foreign files that are used while something runs."""
    found: set[str] = set()

    def see(frame: FrameType, event: str, arg: object) -> None:
        if event == "c_call":
            # A method has no module of its own: that of what it is bound to counts.
            module = getattr(arg, "__module__", None) or type(getattr(arg, "__self__", None)).__module__
            name = getattr(arg, "__name__", "")
            if module not in MAY_CALL or (module == "builtins" and name in IMPURE_BUILTINS):
                found.add(f"{module}.{name}")
        elif event == "call":
            file = frame.f_code.co_filename
            known = file.startswith((str(CORE), str(CORE.parent / "space"), "<")) or file.endswith("enum.py")
            if not known and file != __file__:
                found.add(f"{file}:{frame.f_code.co_name}")

    assert callable(machine_does)
    sys.setprofile(see)
    try:
        machine_does()
    finally:
        sys.setprofile(None)
    return found - {"sys.setprofile"}


def test_the_machine_reads_no_clock_and_draws_no_random_number() -> None:
    journals = [random_world(seed).bench.journal for seed in range(30)]

    def replay() -> None:
        for journal in journals:
            machine = Machine()
            for event in journal:
                machine.check(event)
                machine.handle(event)

    assert calls_of(replay) == set()


def test_a_clock_that_is_read_would_be_found() -> None:
    found = calls_of(lambda: (time.time(), random.random(), hash("a")))
    assert found == {"time.time", "random.random", "builtins.hash"}
