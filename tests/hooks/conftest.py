"""Real distributions, made on the fly: a package's metadata and its module in a folder on `sys.path`."""

from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asyncsweep.hooks import installed

IN_THE_REPOSITORY = {path.name for path in (Path(__file__).parents[2] / "plugins").iterdir() if path.is_dir()}

Install = Callable[..., str]

numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_plugins_of_this_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed beside asyncsweep for its tests is not there."""
    found = installed._entry_points

    def others() -> list[installed.Candidate]:
        return [candidate for candidate in found() if candidate[0].distribution not in IN_THE_REPOSITORY]

    monkeypatch.setattr(installed, "_entry_points", others)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install(name, code)` puts a distribution on `sys.path`, with an entry point of its name; gives its module's name."""
    monkeypatch.delenv("ASYNCSWEEP_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def install(name: str, code: str = "", *, version: str = "1.0", entry_points: str | bytes | None = None) -> str:
        module = f"plugin_module_{next(numbers)}"
        modules.append(module)
        header = "import asyncsweep\nfrom asyncsweep.hooks.specs import hookimpl\n"
        (tmp_path / f"{module}.py").write_text(header + textwrap.dedent(code))
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        text = f"[asyncsweep]\n{name} = {module}\n" if entry_points is None else entry_points
        (info / "entry_points.txt").write_bytes(text.encode() if isinstance(text, str) else text)
        return module

    yield install
    for module in modules:
        sys.modules.pop(module, None)
