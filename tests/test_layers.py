"""Imports go down the layers only: every import statement of the package is read, and held against the table below.

An import inside a function counts as one at the head of a module, and so does one under `TYPE_CHECKING`. What is imported
by a name in a text (the registry's look-ups) is not seen.
"""

from __future__ import annotations

import ast
import functools
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "asyncsweep"

# What would make the core impure: clocks, randomness, the system, other threads and processes, I/O, global state.
IMPURE = """
    _thread asyncio calendar concurrent contextvars ctypes datetime fcntl ftplib gc getpass glob http importlib io
    locale logging mmap multiprocessing os pathlib pickle platform pty random resource runpy sched secrets select
    selectors shelve shutil signal site smtplib socket socketserver sqlite3 ssl subprocess sys sysconfig tempfile
    threading time timeit tracemalloc tty urllib uuid warnings weakref
"""


@dataclass(frozen=True)
class Rule:
    """What a folder or module of the package may import besides the standard library and itself."""

    own: frozenset[str]
    others: frozenset[str]
    forbidden: frozenset[str]


def rule(own: str, others: str, forbidden: str = "") -> Rule:
    return Rule(frozenset(own.split()), frozenset(others.split()), frozenset(forbidden.split()))


BELOW_3 = "errors space core wire link worker hooks"
BELOW_4 = f"{BELOW_3} samplers pruners search executors exporters journal"
RULES = {
    "errors": rule("", ""),
    "space": rule("errors", "msgspec"),
    "core": rule("errors space", "msgspec", IMPURE),
    "cells": rule("errors space", ""),
    "columns": rule("core", ""),
    "wire": rule("", "msgpack"),
    "link": rule("errors wire worker", "anyio msgpack"),
    "worker": rule("errors wire", "msgpack"),
    "hooks": rule("errors space core worker", "msgspec pluggy"),
    "samplers": rule(BELOW_3, "anyio cloudpickle msgpack msgspec numpy optuna"),
    "pruners": rule(BELOW_3, "anyio cloudpickle msgpack msgspec numpy optuna"),
    "search": rule(f"{BELOW_3} samplers pruners", "anyio msgpack msgspec optuna"),
    "executors": rule(BELOW_3, "anyio cloudpickle msgpack msgspec pynvml"),
    "exporters": rule(f"{BELOW_3} cells columns samplers", "anyio msgpack msgspec optuna sqlalchemy"),
    "journal": rule(BELOW_3, "anyio msgspec"),
    "driver": rule(BELOW_4, "anyio cloudpickle msgpack msgspec"),
}
# Everything else is a face: it may import all, and nothing but a face may import it.


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, on which line, and whether a function does it."""

    importer: str
    line: int
    target: str
    in_function: bool

    def __str__(self) -> str:
        where = "inside a function" if self.in_function else "at module level"
        return f"{self.importer}:{self.line} imports {self.target} {where}"


def statements(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, in_function
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from statements(node, inside)


def imports_of(root: Path) -> list[Import]:
    """Every import of the package at `root`, relative ones resolved."""
    found: list[Import] = []
    for file in sorted(root.rglob("*.py")):
        found += imports_in(root.name, file.relative_to(root).as_posix(), file.read_text())
    return found


@functools.cache  # a copy of the package differs from it in one file
def imports_in(top: str, importer: str, source: str) -> list[Import]:
    """Every import of a file of the package `top`."""
    found = []
    package = [top, *importer.split("/")[:-1]]
    for node, in_function in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            parent = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*parent, *([node.module] if node.module else [])])
            # `from asyncsweep import core` names a folder, `from asyncsweep.core import Machine` does not need more.
            targets = [f"{module}.{alias.name}" for alias in node.names] if module == top else [module]
        found += [Import(importer, node.lineno, target, in_function) for target in targets]
    return found


def violations(root: Path) -> list[str]:
    return [str(found) for found in imports_of(root) if not allowed(found, root)]


def unit(path: str) -> str:
    """The folder or module at the head of a path below the package: "core/machine.py" is of "core"."""
    return path.split("/")[0].removesuffix(".py")


def allowed(found: Import, root: Path) -> bool:
    mine = RULES.get(unit(found.importer))
    top, _, rest = found.target.partition(".")
    if top == root.name:
        target = rest.split(".")[0]
        return mine is None or target in mine.own or target in ("__version__", unit(found.importer))
    if mine is None:
        return True
    if top in sys.stdlib_module_names:
        return top not in mine.forbidden
    return top in mine.others


def test_imports_go_down_the_layers_only() -> None:
    assert violations(PACKAGE) == []


def test_every_layered_folder_of_the_design_is_looked_at() -> None:
    seen = {unit(found.importer) for found in imports_of(PACKAGE)}
    assert set(RULES) - seen <= {"link"}


@pytest.mark.parametrize(
    ("file", "code", "found"),
    [
        ("core/machine.py", "import time", "core/machine.py:1 imports time at module level"),
        ("core/machine.py", "def f():\n    import asyncio.events", "core/machine.py:2 imports asyncio.events inside a function"),
        ("core/machine.py", "from ..driver import loop", "core/machine.py:1 imports asyncsweep.driver at module level"),
        ("core/machine.py", "from .. import hooks", "core/machine.py:1 imports asyncsweep.hooks at module level"),
        ("core/machine.py", "import anyio", "core/machine.py:1 imports anyio at module level"),
        ("core/deep/er.py", "from ...wire import x", "core/deep/er.py:1 imports asyncsweep.wire at module level"),
        ("core/machine.py", "from asyncsweep import Sweep", "core/machine.py:1 imports asyncsweep.Sweep at module level"),
        ("worker/main.py", "import msgspec", "worker/main.py:1 imports msgspec at module level"),
        ("wire/codec.py", "import asyncsweep.errors", "wire/codec.py:1 imports asyncsweep.errors at module level"),
        ("hooks/more.py", "import asyncsweep.samplers", "hooks/more.py:1 imports asyncsweep.samplers at module level"),
        ("samplers/x.py", "from ..pruners import y", "samplers/x.py:1 imports asyncsweep.pruners at module level"),
        ("driver/x.py", "async def f():\n    from ..sweep import Sweep", "driver/x.py:2 imports asyncsweep.sweep inside a function"),
        ("errors.py", "import msgspec", "errors.py:1 imports msgspec at module level"),
        ("link/x.py", "import msgspec", "link/x.py:1 imports msgspec at module level"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_caught(tmp_path: Path, file: str, code: str, found: str) -> None:
    root = tmp_path / "asyncsweep"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    planted = root / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(f"{code}\n")
    assert found in violations(root)


def test_what_is_allowed_is_not_reported(tmp_path: Path) -> None:
    root = tmp_path / "asyncsweep"
    (root / "driver").mkdir(parents=True)
    (root / "driver" / "x.py").write_text("import asyncio, anyio\nfrom ..core import machine\nfrom . import y\n")
    (root / "faces.py").write_text("import rich\nfrom asyncsweep import driver, Sweep\n")
    assert violations(root) == []
